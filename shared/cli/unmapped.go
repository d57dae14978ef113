package cli

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/deskhand/deskhand/shared/operator"
)

// listUnmapped shows whose tickets get no note because no tenant has them. The
// accounts' names are the tool's, so they are quoted.
func (p *Program) listUnmapped(ctx context.Context, d *operator.Desk) error {
	list, err := d.Office.ListUnmapped(ctx, d.Caller)
	if err != nil || len(list) == 0 {
		return err
	}
	fmt.Fprintln(p.Out, "\nNo tenant has these accounts, so their tickets get no note. To map one: deskhand tenant add TENANT --connection CONNECTION --account ACCOUNT ...")
	w := tabwriter.NewWriter(p.Out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CONNECTION\tACCOUNT\tTICKETS\tFIRST SEEN\tLAST SEEN")
	for _, u := range list {
		account := fmt.Sprintf("%q", u.Account)
		if u.Account == "" {
			account = "(tickets without an account)"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", u.Connection, account, u.Seen, u.First.UTC().Format(time.RFC3339), u.Last.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}
