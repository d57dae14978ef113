package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/deskhand/deskhand/shared/integration"
)

// fields reads name=value, name=@file and name=@- (standard input). Its errors
// quote no value: it may be a credential, also where it is written wrongly. In a
// function an @ is a part of the value: whoever sent the order has read the
// files, and those of the function are none of theirs.
func (p *Program) fields(given []string) (integration.Values, error) {
	values := integration.Values{}
	for i, text := range given {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--set number %d has no =: want name=value, name=@FILE or name=@-", i+1)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("--set %s is there twice", name)
		}
		file, read := strings.CutPrefix(value, "@")
		if read && p.carried == nil {
			content, err := p.content(file)
			if err != nil {
				return nil, fmt.Errorf("--set %s: %w", name, err)
			}
			value = content
		}
		values[name] = value
	}
	return values, nil
}

// maxField is the longest value of a field.
const maxField = 64 << 10

// content reads a file, or standard input for "-", without the end of the line.
func (p *Program) content(file string) (string, error) {
	in := p.In
	if file != "-" {
		opened, err := os.Open(filepath.Clean(file))
		if err != nil {
			return "", err
		}
		defer func() { _ = opened.Close() }() // it was only read
		in = opened
	}
	text, err := io.ReadAll(io.LimitReader(in, maxField+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxField {
		return "", fmt.Errorf("it is longer than %d bytes", maxField)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// hidden is the error of a command line that was not understood, without what
// comes after the first flag that takes credentials: whoever mistypes one must
// not find it in a log.
func hidden(err error, args []string) error {
	text, secret := err.Error(), false
	for _, arg := range args {
		flag, value, _ := strings.Cut(arg, "=")
		if flag == "--set" || flag == "--secret" {
			secret, arg = true, value
		}
		if secret && arg != "" && !strings.HasPrefix(arg, "--") {
			text = strings.ReplaceAll(text, arg, "…")
		}
	}
	return errors.New(text)
}
