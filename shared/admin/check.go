package admin

import (
	"context"
	"errors"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// testLimit bounds the test of a connection: somebody waits for the answer.
const testLimit = 20 * time.Second

// Finding is one thing that a connection must be able to do.
type Finding struct {
	Permission string `json:"permission" doc:"What the credential must be allowed to do, in the tool's words."`
	OK         bool   `json:"ok"`
	Problem    string `json:"problem,omitempty" doc:"Why it cannot, in the tool's words."`
}

// TestConnection asks the tool itself what the credential of the connection may
// do. It writes nothing to the tool. Findings are in the order of the questions;
// a tool that does not answer is a finding, not an error.
func (o *Office) TestConnection(ctx context.Context, c Caller, id string) ([]Finding, error) {
	v, err := o.Connection(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return o.test(ctx, v.Value)
}

func (o *Office) test(ctx context.Context, conn tenant.Connection) ([]Finding, error) {
	tool, err := o.Open(conn)
	if err != nil {
		return nil, invalid(err)
	}
	checker, ok := tool.(ticketing.Checker)
	if !ok {
		return nil, invalid(errors.New("this tool cannot be tested without a ticket"))
	}
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	var findings []Finding
	for _, p := range checker.Check(ctx) {
		f := Finding{Permission: p.Name, OK: p.Err == nil}
		if p.Err != nil {
			f.Problem = p.Err.Error()
		}
		findings = append(findings, f)
	}
	return findings, nil
}
