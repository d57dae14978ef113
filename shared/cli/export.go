package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

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
	return p.with(ctx, func(d *Desk) error {
		if err := os.Mkdir(c.Out, 0o700); err != nil {
			return fmt.Errorf("make the folder: %w (it must not be there yet)", err)
		}
		files := folder{dir: c.Out, open: map[string]*file{}}
		left, err := d.Export(ctx, id, files.put)
		if err = errors.Join(err, files.close()); err != nil {
			return fmt.Errorf("%w\nwhat is in %s is not complete: delete it and run it again", err, c.Out)
		}
		for _, table := range slices.Sorted(maps.Keys(files.open)) {
			fmt.Fprintf(p.Out, "%s: %d rows\n", filepath.Join(c.Out, table+".jsonl"), files.open[table].rows)
		}
		fmt.Fprintln(p.Out, "left out, because they are secrets:")
		for _, column := range left {
			fmt.Fprintf(p.Out, "  %s\n", column)
		}
		return nil
	})
}

// folder has a file of JSON lines for each table.
type folder struct {
	dir  string
	open map[string]*file
}

type file struct {
	rows int
	out  *bufio.Writer
	io.Closer
}

// put writes one row.
func (f folder) put(table, row string) error {
	to := f.open[table]
	if to == nil {
		created, err := os.OpenFile(filepath.Join(f.dir, filepath.Base(table)+".jsonl"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
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

func (f folder) close() error {
	var errs []error
	for _, open := range f.open {
		errs = append(errs, open.out.Flush(), open.Close())
	}
	return errors.Join(errs...)
}
