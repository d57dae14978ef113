package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/schollz/progressbar/v3"

	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/preview/page"
	"github.com/deskhand/deskhand/shared/tenant"
)

type previewCmd struct {
	Tenant string `required:"" help:"Id of the tenant."`
	Last   int    `default:"50" help:"How many closed tickets, the newest first: 1 to 500."`
	Out    string `placeholder:"FILE" help:"File of the page (default: preview-TENANT.html)."`
	Force  bool   `help:"Replace the file if it is there."`
}

// Help says what it does, with examples.
func (previewCmd) Help() string {
	return "Looks back at the tenant's last closed tickets: what Deskhand would have shown at the creation of each, beside what solved it, with counts, " +
		"as one HTML page to show the client. It reads what is imported, asks no ticketing tool and no model, and changes nothing; the audit trail tells of it. " +
		"The page quotes tickets: treat it as confidential. It takes 4 to 10 KB a ticket; through --function, 4 MB are the limit.\n\n" +
		"Examples:\n  deskhand preview --tenant acme\n  deskhand preview --tenant acme --last 200 --out acme.html --force"
}

func (c previewCmd) Run(ctx context.Context, p *Program) error {
	id, err := c.check()
	if err != nil {
		return err
	}
	if p.carried == nil {
		if err := c.free(); err != nil {
			return err
		}
	}
	return p.with(ctx, func(d *operator.Desk) error {
		r, err := d.Preview(ctx, id, c.Last, p.lookingBack())
		switch {
		case errors.Is(err, preview.ErrNone):
			return fmt.Errorf("tenant %s: %w. Import them first: deskhand import --tenant %s --days 90", id, err, id)
		case errors.Is(err, preview.ErrUndated):
			return fmt.Errorf("tenant %s: %w, so that nothing can be looked back at. Import them again: deskhand import --tenant %s --days 90", id, err, id)
		case err != nil:
			return err
		}
		var html bytes.Buffer
		if err := page.Write(&html, r, p.Now()); err != nil {
			return err
		}
		if err := c.put(p, html.Bytes()); err != nil {
			return err
		}
		fmt.Fprintf(p.Out, "%s: %s\n", c.file(), page.Summary(r))
		return nil
	})
}

func (c previewCmd) check() (tenant.ID, error) {
	if c.Last < 1 || c.Last > preview.MaxTickets {
		return "", fmt.Errorf("--last %d: want 1 to %d", c.Last, preview.MaxTickets)
	}
	return tenant.ParseID(c.Tenant)
}

// file is where the page goes.
func (c previewCmd) file() string { return cmp.Or(c.Out, "preview-"+c.Tenant+".html") }

// free refuses to overwrite.
func (c previewCmd) free() error {
	_, err := os.Lstat(c.file())
	switch {
	case err == nil && !c.Force:
		return fmt.Errorf("%s is there: take another name with --out, or replace it with --force", c.file())
	case err == nil || errors.Is(err, os.ErrNotExist):
		return nil
	}
	return fmt.Errorf("look for %s: %w", c.file(), err)
}

// put writes the page; in a function, it travels with the answer.
func (c previewCmd) put(p *Program, content []byte) error {
	if p.carried != nil {
		return write(p.carried.create, "preview.html", content)
	}
	return c.save(content)
}

// save writes the page for its owner alone, and whole or not at all.
func (c previewCmd) save(content []byte) (err error) {
	if err := c.free(); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(c.file()), ".preview-*") // its mode is 0600
	if err == nil {
		_, err = draft.Write(content)
		err = errors.Join(err, draft.Sync(), draft.Close())
		if err == nil {
			err = os.Rename(draft.Name(), c.file())
		}
		if err != nil {
			err = errors.Join(err, os.Remove(draft.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// lookingBack draws a bar on a terminal, and prints a line for every 50 tickets
// elsewhere.
func (p *Program) lookingBack() func(done, total int) {
	var bar *progressbar.ProgressBar
	return func(done, total int) {
		switch {
		case p.Wide && bar == nil:
			bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.Err), progressbar.OptionSetDescription("Looking back"),
				progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			fallthrough
		case p.Wide:
			_ = bar.Set(done) // a bar that cannot be drawn stops nothing
		case done%50 == 0 || done == total:
			fmt.Fprintf(p.Err, "Looked back at %d of %d tickets\n", done, total)
		}
	}
}
