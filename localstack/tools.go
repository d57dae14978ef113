package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deskhand/deskhand/localstack/demo"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// loopback is where the stand-ins are.
var loopback = []string{"127.0.0.0/8", "::1/128"}

// desk is the stand-in for one client's ServiceDesk Plus.
type desk struct {
	client demo.Client
	fake   *servicedeskplusfake.Server
	url    string
	file   string
	fresh  bool
}

// tools starts a ServiceDesk Plus for each demo client, with its past, and
// connects it as an operator would.
func (s *stack) tools(ctx context.Context) error {
	addrs := map[tenant.ID]string{"acme": s.options.Acme, "globex": s.options.Globex}
	for _, c := range clients() {
		d, err := s.openDesk(c, addrs[c.ID])
		if err != nil {
			return err
		}
		s.desks = append(s.desks, d)
		t := tenant.Tenant{ID: c.ID, Name: c.Name, Settings: tenant.Settings{AllowedNetworks: loopback}}
		if err := s.app.Office().Install(ctx, s.app.AtTheDesk(), t, s.connection(d)); err != nil {
			return err
		}
		s.say(fmt.Sprintf("Tool       ServiceDesk Plus stand-in of %s: %s/", c.Name, d.url))
	}
	return nil
}

func (s *stack) openDesk(c demo.Client, addr string) (*desk, error) {
	listener, err := listen(addr)
	if err != nil {
		return nil, err
	}
	d := &desk{client: c, url: "http://" + listener.Addr().String(), file: filepath.Join(s.options.Dir, string(c.ID)+".json")}
	o := servicedeskplusfake.Options{Dialect: servicedeskplusfake.OnPrem, APIKey: s.keys.API}
	if c.ID == "globex" {
		o = servicedeskplusfake.Options{Dialect: servicedeskplusfake.Cloud, ClientSecret: s.keys.API, RefreshToken: s.keys.API, RefreshQuota: 100}
	}
	d.fake = servicedeskplusfake.New(o)
	if err := d.load(); err != nil {
		return nil, err
	}
	if s.options.Quiet {
		s.serveHTTP(listener, d.saved())
		return d, nil
	}
	hook := "http://" + s.cfg.Addr + "/webhook/servicedesk/" + string(c.ID)
	d.fake.SetWebhook(servicedeskplusfake.Webhook{URL: hook, ResolvedURL: hook + "/resolved", Updates: true, Secret: secret.New(s.keys.Signing)})
	s.serveHTTP(listener, d.saved())
	s.stops = append(s.stops, func() {
		d.fake.Close()
		_ = d.save()
	})
	return d, nil
}

// load fills the fake with what it had when it was stopped, or with the demo.
func (d *desk) load() error {
	content, err := os.ReadFile(d.file)
	switch {
	case err == nil:
		if err := d.fake.Load(bytes.NewReader(content)); err != nil {
			return fmt.Errorf("%s: %w (make clean starts afresh)", d.file, err)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	d.fresh = true
	for _, t := range d.client.Tickets {
		d.fake.AddTicket(t)
	}
	for _, a := range d.client.Articles {
		d.fake.AddArticle(a)
	}
	for _, y := range d.client.Systems {
		d.fake.AddSystem(y)
	}
	return d.save()
}

// saved is the fake, written to its file after every change through its API.
func (d *desk) saved() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fake.ServeHTTP(w, r)
		if r.Method != http.MethodGet {
			_ = d.save() // the demo goes on without
		}
	})
}

// save replaces the file in one step, so that a crash leaves the old or the
// new.
func (d *desk) save() error {
	var b bytes.Buffer
	if err := d.fake.Save(&b); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(d.file), filepath.Base(d.file))
	if err != nil {
		return err
	}
	_, err = temporary.Write(b.Bytes())
	if err = errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), d.file)
}

func (s *stack) connection(d *desk) tenant.Connection {
	values := integration.Values{"edition": "onprem", "base_url": d.url, "api_key": s.keys.API}
	if d.client.ID == "globex" {
		values = integration.Values{
			"edition": "cloud", "base_url": d.url, "portal": "itdesk", "accounts_url": d.url,
			"client_id": "demo-client", "client_secret": s.keys.API, "refresh_token": s.keys.API,
		}
	}
	return tenant.Connection{
		ID: string(d.client.ID), Tool: "servicedesk_plus", Values: values,
		Signing: []secret.Text{secret.New(s.keys.Signing)}, Routes: map[string]tenant.ID{"": d.client.ID},
	}
}

// learn imports the past of the clients the first time, through the tool's
// API, as an operator would with deskhand import.
func (s *stack) learn(ctx context.Context) error {
	if err := s.app.Load(ctx); err != nil {
		return err
	}
	c := s.app.Catalogue()
	for _, d := range s.desks {
		if !d.fresh {
			continue
		}
		now := time.Now()
		sum, err := c.Import(ctx, d.client.ID, catalogue.Span{Since: now.AddDate(-1, 0, 0), Until: now}, func(catalogue.Progress, []error) {})
		if err == nil {
			err = c.Refresh(ctx, d.client.ID)
		}
		if err != nil {
			_ = os.Remove(d.file) // so that the next start learns again
			return fmt.Errorf("import the past of %s: %w", d.client.ID, err)
		}
		s.say(fmt.Sprintf("Import     %d past tickets of %s, with its articles and systems", sum.Stored, d.client.Name))
	}
	return nil
}

// welcome says where everything is and what to try.
func (s *stack) welcome() string {
	acme := s.desks[0]
	sample := acme.client.Samples[0]
	input := fmt.Sprintf(`{"request":{"subject":%q,"description":%q,"requester":{"name":%q}}}`, sample.Subject, sample.Description, sample.Requester)
	pages := "/healthz /readyz /metrics   "
	if s.options.Lambda {
		pages = "" // functions have none
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
Deskhand is running. Everything is on this machine; data are in %[1]s (make clean removes them).

  Product    http://%[2]s   %[7]swebhooks: POST /webhook/servicedesk/%[3]s
  Log        %[1]s/log.jsonl

Create a ticket, as a requester would:

  curl -s %[4]s/api/v3/requests -H 'authtoken: %[5]s' --data-urlencode 'input_data=%[6]s'

Read the note, as a technician would: open %[4]s/ and click the newest ticket.

  make smoke                        the same, checked from end to end
  go run ./cmd/deskhand queue depth the queues; --help shows what else

Ctrl-C stops.
`, s.options.Dir, s.cfg.Addr, acme.client.ID, acme.url, s.keys.API, strings.ReplaceAll(input, "'", `'\''`), pages)
	return b.String()
}
