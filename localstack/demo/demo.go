// Package demo has the data of two made-up clients of a managed service
// provider: "acme", a law firm on ServiceDesk Plus on-premises, and "globex", a
// logistics company on the cloud edition. The fakes are filled with it, so that
// `make run` has a past to search, and evaluations know the right answers.
//
// The data is JSON beside this file, one file for each client. Incidents recur
// as in real life, some resolutions are useless ("fixed"), some tickets are in
// German, French or Spanish. Nobody in it exists; addresses come from private
// and documentation ranges, domains end in .example.
package demo

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Client is one tenant and all that its ticketing tool knows.
type Client struct {
	ID       tenant.ID
	Name     string              // "Acme Legal"; also the Account of its records
	Tickets  []ticket.Ticket     // resolved in the last eight months, the oldest first
	Articles []ticketing.Article // plain text
	Systems  []ticketing.System
	Samples  []NewTicket // what may come in next
}

// NewTicket is a ticket that the client's past answers.
type NewTicket struct {
	Subject, Description, Requester, Site, Priority string
	// Address is named in the description and belongs to one of the Systems.
	Address string
	// Answers are the numbers of the past tickets that tell what to do.
	Answers []string
}

var (
	//go:embed acme.json
	acme []byte
	//go:embed globex.json
	globex []byte
)

// Clients gives the clients as they are at now: every time in them lies before
// the start of that day (UTC), so the same now gives the same clients.
func Clients(now time.Time) []Client {
	clients := make([]Client, 0, 2)
	for _, raw := range [][]byte{acme, globex} {
		c, err := decode(raw, now)
		if err != nil {
			panic(err) // the files are part of the program, and the test reads them all
		}
		clients = append(clients, c)
	}
	return clients
}

// file is a client as its JSON tells it: times are "so many days ago, at".
type file struct {
	ID, Name string
	Samples  []struct {
		Subject, Requester, Site, Priority, Address string
		Description                                 lines
		Answers                                     []string
	}
	Systems  []ticketing.System
	Articles []struct {
		Key, Title string
		DaysAgo    int `json:"days_ago"`
		Text       lines
	}
	Tickets []struct {
		Key, Number, Subject, Requester, Site, Priority string
		Description, Resolution                         lines
		DaysAgo                                         int `json:"days_ago"`
		At, Took                                        string
	}
}

// lines is text that JSON keeps as a list of lines, for people to read.
type lines string

// UnmarshalJSON joins the lines.
func (l *lines) UnmarshalJSON(b []byte) error {
	var list []string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*l = lines(strings.Join(list, "\n"))
	return nil
}

// decode reads one client as it is at now.
func decode(raw []byte, now time.Time) (Client, error) {
	f, err := parse(raw)
	if err != nil {
		return Client{}, fmt.Errorf("demo: read client: %w", err)
	}
	id, err := tenant.ParseID(f.ID)
	if err != nil {
		return Client{}, fmt.Errorf("demo: read client: %w", err)
	}
	today := now.UTC().Truncate(24 * time.Hour)
	tickets, err := f.tickets(today)
	if err != nil {
		return Client{}, fmt.Errorf("demo: client %s: %w", id, err)
	}
	c := Client{ID: id, Name: f.Name, Tickets: tickets, Systems: f.Systems}
	for i := range c.Systems {
		c.Systems[i].Client, c.Systems[i].Account = f.Name, f.Name
	}
	for _, a := range f.Articles {
		c.Articles = append(c.Articles, ticketing.Article{
			Key: a.Key, Title: a.Title, Text: string(a.Text), Account: f.Name, Updated: today.AddDate(0, 0, -a.DaysAgo),
		})
	}
	for _, s := range f.Samples {
		c.Samples = append(c.Samples, NewTicket{
			s.Subject, string(s.Description), s.Requester, s.Site, s.Priority, s.Address, s.Answers,
		})
	}
	return c, nil
}

// parse refuses what it does not understand, so that a misspelt key cannot
// lose text.
func parse(raw []byte) (f file, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("something follows the client")
	}
	return f, nil
}

func (f file) tickets(today time.Time) ([]ticket.Ticket, error) {
	tickets := make([]ticket.Ticket, len(f.Tickets))
	for i, t := range f.Tickets {
		created, resolved, err := span(today, t.DaysAgo, t.At, t.Took)
		if err != nil {
			return nil, fmt.Errorf("ticket %s: %w", t.Number, err)
		}
		tickets[i] = ticket.Ticket{
			Key: t.Key, Number: t.Number, Subject: t.Subject, Description: string(t.Description), Priority: t.Priority,
			Status: "Closed", Closed: true, Account: f.Name, Site: t.Site, Requester: t.Requester,
			Resolution: string(t.Resolution), Created: created, Updated: resolved, Resolved: resolved,
		}
	}
	return tickets, nil
}

// span gives when a ticket was created and resolved. Both lie before today.
func span(today time.Time, daysAgo int, at, took string) (created, resolved time.Time, err error) {
	clock, err := time.Parse("15:04", at)
	if err != nil {
		return created, resolved, err
	}
	length, err := time.ParseDuration(took)
	if err != nil {
		return created, resolved, err
	}
	created = today.AddDate(0, 0, -daysAgo).Add(time.Duration(clock.Hour())*time.Hour + time.Duration(clock.Minute())*time.Minute)
	resolved = created.Add(length)
	if length <= 0 || !resolved.Before(today) {
		return created, resolved, fmt.Errorf("%d days ago at %s, took %s: not resolved by the start of today", daysAgo, at, took)
	}
	return created, resolved, nil
}
