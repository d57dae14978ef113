package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/deskhand/deskhand/shared/operator"
)

// elsewhere says of each command why no function runs it; "" of those that one
// runs. What is not here, none runs.
var elsewhere = map[string]string{
	"doctor": "", "reseal": "",
	"tenant add": "", "tenant list": "", "tenant show": "", "tenant edit": "", "tenant disable": "", "tenant rotate-secret": "",
	"tenant test": "", "tenant export": "", "tenant erase": "",
	"token add": "", "token list": "", "token revoke": "",
	"queue depth": "", "queue peek": "", "queue redrive": "", "queue purge": "",
	"audit export": "", "preview": "", "smoke": "", "explain": "", "replay": "", "report quality": "",

	"serve":          "a function runs only while it is asked something",
	"migrate":        "invoke the function migrate, which every deployment does: aws lambda invoke --function-name MIGRATE out.json",
	"keygen":         "keys are made, and SEALING_KEY is changed, where you are: leave --function and DESKHAND_FUNCTION out",
	"import":         "an import may take hours, and a function ends within minutes: run it where DATABASE_URL is reached, in the network of the installation",
	"eval retrieval": "it reads every past ticket, and a function ends within minutes: run it where DATABASE_URL is reached, in the network of the installation",
	"docs":           "it needs no installation: leave --function and DESKHAND_FUNCTION out",
}

// foreign gives the reason why no function runs the command; nil where one does.
func foreign(command string) error {
	reason, known := elsewhere[command]
	if known && reason == "" {
		return nil
	}
	return fmt.Errorf("no function runs this: %s", first(reason, "it is not one of the commands that a function takes"))
}

// dispatch runs the command here, or where --function says.
func (p *Program) dispatch(ctx context.Context, command *kong.Context, given *commands, args []string) (exit int, err error) {
	if given.Function == "" && p.carried == nil {
		return operator.ExitOK, command.Run()
	}
	if err := foreign(command.Selected().Path()); err != nil {
		return operator.ExitError, err
	}
	if p.carried != nil { // this is the function, whatever it is called
		return operator.ExitOK, command.Run()
	}
	return p.order(ctx, given, command.Selected().Path(), args)
}

// order has the function run the command, and does here what only can be done
// here: it reads WEBHOOK_SECRET, files and standard input, prints, and writes
// files.
func (p *Program) order(ctx context.Context, given *commands, path string, args []string) (int, error) {
	put := func(string, []byte) error { return errors.New("this command writes no files") }
	switch path {
	case "tenant add":
		values, err := p.fields(given.Tenant.Add.Set)
		if err != nil {
			return operator.ExitError, err
		}
		args = withFlag(withoutFlag(args, "--set"), "--secret="+given.Tenant.Add.Secret)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			args = withFlag(args, "--set="+name+"="+values[name])
		}
	case "tenant export":
		create, err := p.folder(given.Tenant.Export.Out)
		if err != nil {
			return operator.ExitError, err
		}
		put = func(name string, content []byte) error { return write(create, name, content) }
	case "preview":
		if err := given.Preview.free(); err != nil {
			return operator.ExitError, err
		}
		put = func(_ string, content []byte) error { return given.Preview.save(content) }
	}
	if p.Call == nil {
		return operator.ExitError, errors.New("this program calls no functions: deskhand --function does")
	}
	answer, err := p.Call(ctx, given.Function, args)
	if path == "tenant export" && len(answer.Files) == 0 {
		err = errors.Join(err, os.Remove(given.Tenant.Export.Out))
	}
	if err != nil {
		return operator.ExitError, err
	}
	for name, content := range answer.Files {
		if err := put(name, content); err != nil {
			return operator.ExitError, err
		}
	}
	_, err = io.WriteString(p.Out, answer.Stdout)
	_, errErr := io.WriteString(p.Err, answer.Stderr)
	return answer.Exit, errors.Join(err, errErr)
}

// withFlag adds a flag to a command line, before what can only be arguments.
func withFlag(args []string, flag string) []string {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	return slices.Insert(slices.Clone(args), end, flag)
}

// withoutFlag takes a flag and its values out of a command line that has been
// understood.
func withoutFlag(args []string, flag string) []string {
	var left []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--":
			return append(left, args[i:]...)
		case args[i] == flag:
			i++ // its value
		case !strings.HasPrefix(args[i], flag+"="):
			left = append(left, args[i])
		}
	}
	return left
}

func write(create func(string) (io.WriteCloser, error), name string, content []byte) error {
	file, err := create(name)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Close())
}

// folder makes a folder, and gives what creates files in it, by names without a
// path. In a function, they travel with the answer.
func (p *Program) folder(dir string) (create func(name string) (io.WriteCloser, error), err error) {
	if p.carried != nil {
		return p.carried.create, nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w (it must not be there yet)", err)
	}
	return func(name string) (io.WriteCloser, error) {
		return os.OpenFile(filepath.Join(dir, filepath.Base(name)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // in the folder that was made just now
	}, nil
}

// maxCarried is how much a command may print and write in a function. Lambda
// takes an answer of 6 MB, and files grow by a third on the way.
const maxCarried = 4 << 20

// Answer runs a command line in a function, and gives what it printed and wrote,
// or operator.ErrTooLarge in words. Commands that a function cannot run are refused.
func Answer(ctx context.Context, p operator.Program, args []string) operator.Answer {
	b := &carried{left: maxCarried, files: map[string]*bytes.Buffer{}}
	var out, err bytes.Buffer
	inside := Program{Program: p, carried: b}
	inside.Out, inside.Err, inside.Wide = b.into(&out), b.into(&err), false
	a := operator.Answer{Exit: inside.Run(ctx, args), Stdout: out.String(), Stderr: err.String()}
	if b.left < 0 {
		return operator.TooLarge()
	}
	if a.Exit != operator.ExitOK {
		return a // what it wrote is not complete
	}
	for name, content := range b.files {
		if a.Files == nil {
			a.Files = map[string][]byte{}
		}
		a.Files[name] = content.Bytes()
	}
	return a
}

// carried is what a command in a function prints and writes, up to a limit that
// is one for all of it.
type carried struct {
	left  int // below 0 once there was too much
	files map[string]*bytes.Buffer
}

// parcel is a piece of it that is written to.
type parcel struct {
	*carried
	to *bytes.Buffer
}

func (b *carried) into(to *bytes.Buffer) parcel { return parcel{b, to} }

func (b *carried) create(name string) (io.WriteCloser, error) {
	to := &bytes.Buffer{}
	b.files[name] = to
	return b.into(to), nil
}

// Write implements io.Writer.
func (p parcel) Write(text []byte) (int, error) {
	if p.left < len(text) {
		p.left = -1
		return 0, operator.ErrTooLarge
	}
	p.left -= len(text)
	return p.to.Write(text)
}

// Close implements io.Closer.
func (parcel) Close() error { return nil }
