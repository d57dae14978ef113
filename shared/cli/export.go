package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
)

type tenantExportCmd struct {
	ID  string `arg:"" help:"Id of the tenant."`
	Out string `required:"" type:"path" help:"Folder for the files; it is made, and must not be there."`
}

// Help says what comes out.
func (tenantExportCmd) Help() string {
	return "Writes a file of JSON lines for every table, with all rows of the tenant. Credentials and signing secrets are left out.\n\n" +
		"Example: deskhand tenant export acme --out ./acme"
}

func (c tenantExportCmd) Run(ctx context.Context, p *Program) error {
	id, err := tenant.ParseID(c.ID)
	if err != nil {
		return err
	}
	return p.with(ctx, func(d *operator.Desk) error {
		create, err := p.folder(c.Out)
		if err != nil {
			return err
		}
		files := tables{create: create, open: map[string]*file{}}
		left, err := d.Export(ctx, id, files.put)
		if err = errors.Join(err, files.close()); err != nil {
			return fmt.Errorf("%w\nwhat is in %s is not complete: delete it and run it again", err, c.Out)
		}
		for _, table := range slices.Sorted(maps.Keys(files.open)) {
			fmt.Fprintf(p.Out, "%s: %d rows\n", table+".jsonl", files.open[table].rows)
		}
		fmt.Fprintln(p.Out, "left out, because they are secrets:")
		for _, column := range left {
			fmt.Fprintf(p.Out, "  %s\n", column)
		}
		return nil
	})
}

// tables has a file of JSON lines for each table.
type tables struct {
	create func(name string) (io.WriteCloser, error)
	open   map[string]*file
}

type file struct {
	rows int
	out  *bufio.Writer
	io.Closer
}

// put writes one row.
func (f tables) put(table, row string) error {
	to := f.open[table]
	if to == nil {
		created, err := f.create(table + ".jsonl")
		if err != nil {
			return err
		}
		to = &file{out: bufio.NewWriter(created), Closer: created}
		f.open[table] = to
	}
	to.rows++
	_, err := to.out.WriteString(row + "\n")
	return err
}

func (f tables) close() error {
	var errs []error
	for _, open := range f.open {
		errs = append(errs, open.out.Flush(), open.Close())
	}
	return errors.Join(errs...)
}
