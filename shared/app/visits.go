package app

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/deskhand/deskhand/shared/doctor"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// toolLimit is for the questions to one tool.
const toolLimit = 10 * time.Second

// visits asks each tool once what the credential may do, and notes by the way
// what time it is there. One examination has one.
type visits struct {
	app   *App
	once  sync.Once
	found []visit
}

// visit is what one connection's tool said.
type visit struct {
	connection  string
	permissions []ticketing.Permission
	err         error // it could not be asked
	date        *date
}

// date is a Date header, and when it was asked for and came. It is safe for
// concurrent use.
type date struct {
	mu              sync.Mutex
	asked, answered time.Time
	there           time.Time // zero where no answer had one
}

// all makes the visits, side by side.
func (v *visits) all(ctx context.Context) []visit {
	v.once.Do(func() {
		ids := v.app.inOrder()
		v.found = make([]visit, len(ids))
		var wg sync.WaitGroup
		for i, id := range ids {
			one := &v.found[i]
			one.connection, one.date = id, &date{}
			wg.Go(func() { one.permissions, one.err = v.ask(ctx, id, one.date) })
		}
		wg.Wait()
	})
	return v.found
}

func (v *visits) ask(ctx context.Context, id string, d *date) ([]ticketing.Permission, error) {
	tools := opened{env: v.app.tools.env, log: v.app.Log, directory: v.app.watch.Current, through: d.through}
	defer tools.close()
	tool, err := tools.open(v.app.watch.Current().Connections[id])
	if err != nil {
		return nil, err
	}
	checker, ok := tool.(ticketing.Checker)
	if !ok {
		return nil, errors.New("this tool cannot be asked without a ticket: deskhand smoke tries it")
	}
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	return checker.Check(ctx), nil
}

func (v *visits) permissions(ctx context.Context) []doctor.Finding {
	var findings []doctor.Finding
	for _, one := range v.all(ctx) {
		if one.err != nil {
			findings = append(findings, doctor.Finding{Subject: one.connection, Err: one.err})
		}
		for _, p := range one.permissions {
			findings = append(findings, doctor.Finding{Subject: one.connection + ": " + p.Name, Said: "granted", Err: p.Err})
		}
	}
	return some(findings)
}

func (v *visits) clocks(ctx context.Context) []doctor.Finding {
	var findings []doctor.Finding
	for _, one := range v.all(ctx) {
		f := doctor.Finding{Warn: true, Said: "its answers have no date"}
		if d := one.date; !d.there.IsZero() {
			f = doctor.Skew(d.there, d.asked, d.answered, time.Second, skewLimit)
		}
		f.Subject = one.connection
		findings = append(findings, f)
	}
	return some(findings)
}

// some says so where there is nothing to check.
func some(findings []doctor.Finding) []doctor.Finding {
	if len(findings) == 0 {
		return []doctor.Finding{{Warn: true, Said: "no connection is in use: deskhand tenant add makes one"}}
	}
	return findings
}

// through notes the date of what passes.
func (d *date) through(next http.RoundTripper) http.RoundTripper { return dated{next, d} }

type dated struct {
	next http.RoundTripper
	date *date
}

// RoundTrip implements http.RoundTripper.
func (t dated) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if there, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		t.date.mu.Lock()
		defer t.date.mu.Unlock()
		t.date.asked, t.date.answered, t.date.there = asked, time.Now(), there
	}
	return resp, nil
}
