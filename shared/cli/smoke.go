package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/operator"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

type smokeCmd struct {
	URL         string        `default:"http://127.0.0.1:8080" help:"Where the webhook is."`
	Tenant      string        `default:"acme" help:"Tenant in whose tool the ticket is created."`
	Tool        string        `enum:"${tools}" default:"servicedesk_plus" help:"Ticketing tool: ${enum}."`
	Subject     string        `default:"[Deskhand smoke test] Printer on the 3rd floor prints nothing" help:"Subject of the ticket."`
	Description string        `default:"Everything sent to the printer waits in the queue since this morning. Print server 10.20.4.31." help:"Its description."`
	Wait        time.Duration `default:"60s" help:"How long to wait for the note."`
	Within      time.Duration `default:"60s" help:"Fail where the note takes longer."`
}

// Help gives an example.
func (smokeCmd) Help() string {
	return "It signs the webhook in Deskhand's own scheme (hmac), so a connection with another one cannot be tried.\n\nIt needs the deployment's configuration (DATABASE_URL, DATABASE_QUEUE_URL, SEALING_KEY) for the tenant's credentials, or --function. The ticket stays, marked as a smoke test.\n\n" +
		"Example: deskhand smoke --url https://deskhand.example.com --tenant acme"
}

// smoke is one run: a step fills in what the next one needs.
type smoke struct {
	cmd        smokeCmd
	program    *Program
	connection tenant.Connection
	path       string // of the tool in URLs
	tool       ticketing.Rehearsal
	key        string
	job        string
	sent       time.Time
	noted      time.Duration // from the webhook to the note
}

func (c smokeCmd) Run(ctx context.Context, p *Program) error {
	return p.with(ctx, func(d *operator.Desk) error {
		s := &smoke{cmd: c, program: p}
		steps := []struct {
			name string
			do   func(context.Context, *operator.Desk) (string, error)
		}{
			{"find the tenant's tool", s.find},
			{"create a ticket in the tool", s.create},
			{"send the signed webhook", s.send},
			{"wait for the note", s.wait},
			{"read it back", s.read},
		}
		for i, step := range steps {
			start := p.Now()
			said, err := step.do(ctx, d)
			took := p.Now().Sub(start).Round(time.Millisecond)
			if err != nil {
				fmt.Fprintf(p.Out, "%d. %-28s FAILED after %s\n", i+1, step.name, took)
				return fmt.Errorf("step %d, %s (correlation id %s): %w", i+1, step.name, first(s.job, "none yet"), err)
			}
			fmt.Fprintf(p.Out, "%d. %-28s %7s  %s\n", i+1, step.name, took, said)
		}
		fmt.Fprintf(p.Out, "\nok: webhook to note in %d ms, correlation id %s\n", s.noted.Milliseconds(), s.job)
		return nil
	})
}

func (s *smoke) find(ctx context.Context, d *operator.Desk) (string, error) {
	dir, err := d.Directory(ctx)
	if err != nil {
		return "", err
	}
	id, err := tenant.ParseID(s.cmd.Tenant)
	if err != nil {
		return "", err
	}
	if s.connection, err = dir.ForTenant(s.cmd.Tool, id); err != nil {
		return "", err
	}
	if v := s.connection.Verify; v != tenant.VerifyHMAC && v != tenant.VerifyPlain {
		return "", fmt.Errorf("connection %s verifies its webhooks by %s, and this signs only by hmac, Deskhand's own scheme: "+
			"create a ticket in the tool instead, and look for its note", s.connection.ID, v)
	}
	if len(s.connection.Signing) == 0 {
		return "", fmt.Errorf("connection %s has no signing secret", s.connection.ID)
	}
	kind, err := s.program.Tools.Find(s.cmd.Tool)
	if err != nil {
		return "", err
	}
	s.path = kind.Path
	tool, err := d.Open(s.connection)
	if err != nil {
		return "", err
	}
	var ok bool
	if s.tool, ok = tool.(ticketing.Rehearsal); !ok {
		return "", fmt.Errorf("%s cannot create tickets", kind.Label)
	}
	return "connection " + s.connection.ID, nil
}

func (s *smoke) create(ctx context.Context, _ *operator.Desk) (_ string, err error) {
	s.key, err = s.tool.Create(ctx, s.cmd.Subject, s.cmd.Description)
	return "ticket " + s.key, err
}

func (s *smoke) send(ctx context.Context, _ *operator.Desk) (string, error) {
	body, err := json.Marshal(map[string]string{
		"event": "request.created", "ticket_id": s.key, "tenant_id": s.cmd.Tenant,
		"subject": s.cmd.Subject, "description": s.cmd.Description,
	})
	if err != nil {
		return "", err
	}
	url := strings.TrimRight(s.cmd.URL, "/") + "/webhook/" + s.path + "/" + s.connection.ID
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	stamp := strconv.FormatInt(s.program.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-ServiceDesk-Timestamp", stamp)
	r.Header.Set("X-ServiceDesk-Signature", s.program.Sign(s.connection.Signing[0], stamp, body))
	s.sent = s.program.Now()
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return "", fmt.Errorf("%w (is it running? make run starts it)", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return "", err
	}
	var accepted struct {
		Job string `json:"job_id"`
	}
	if err := json.Unmarshal(answer, &accepted); resp.StatusCode != http.StatusAccepted || err != nil {
		return "", fmt.Errorf("POST %s answers %s: %s", url, resp.Status, oneLine(string(answer)))
	}
	s.job = accepted.Job
	return resp.Status + ", job " + s.job, nil
}

// The notes are read at first often, to tell the time well, then ever more
// seldom: the tool limits the rate of calls.
const (
	firstPoll = 50 * time.Millisecond
	lastPoll  = 2 * time.Second
)

func (s *smoke) wait(ctx context.Context, _ *operator.Desk) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cmd.Wait)
	defer cancel()
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		ours, err := s.ours(ctx)
		if len(ours) > 0 {
			s.noted = s.program.Now().Sub(s.sent)
			return "note " + ours[0].ID + " on ticket " + s.key, nil
		}
		if limited, ok := errors.AsType[*ticketing.LimitedError](err); ok {
			pause = max(pause, limited.After)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("no note with %s on ticket %s after %s: look for the correlation id in the log, and at deskhand queue peek --dead: %w",
				s.marker(), s.key, s.program.Now().Sub(s.sent).Round(time.Second), errors.Join(ctx.Err(), err))
		case <-time.After(pause):
		}
	}
}

// read reads the ticket's notes once more: one of them is ours, and nobody but
// technicians sees it.
func (s *smoke) read(ctx context.Context, _ *operator.Desk) (string, error) {
	ours, err := s.ours(ctx)
	switch {
	case err != nil:
		return "", err
	case len(ours) != 1:
		return "", fmt.Errorf("%d notes carry %s, want one", len(ours), s.marker())
	case ours[0].Public:
		return "", errors.New("the note is visible to the requester")
	case s.noted > s.cmd.Within:
		return "", fmt.Errorf("the note was there after %s, later than --within %s", s.noted.Round(time.Millisecond), s.cmd.Within)
	}
	return fmt.Sprintf("one note, internal, %d bytes", len(ours[0].Body)), nil
}

// ours gives the notes of the ticket that carry the marker.
func (s *smoke) ours(ctx context.Context) (ours []ticketing.PostedNote, err error) {
	notes, err := s.tool.Notes(ctx, s.key)
	for _, n := range notes {
		if strings.Contains(n.Body, s.marker()) {
			ours = append(ours, n)
		}
	}
	return ours, err
}

func (s *smoke) marker() string {
	return ticket.Ref{Tenant: tenant.ID(s.cmd.Tenant), Tool: s.connection.Tool, Connection: s.connection.ID, Key: s.key}.Marker()
}
