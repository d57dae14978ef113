package search

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestEveryPastTicketOfTheTenantIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	full := ticket.Ticket{
		Key: "full", Number: "1042", Subject: "Printer offline", Description: "since Monday", Resolution: "As in #1041",
		URL: "https://desk.example/1042", Created: created, Resolved: created.Add(time.Hour),
	}
	many := make([]ticket.Ticket, page+1)
	for i := range many {
		many[i] = ticket.Ticket{Key: fmt.Sprint(i), Subject: "open"}
	}
	w.put(t, acme, append(many, full)...)
	w.put(t, globex, full)
	var read []ticket.Ticket
	err := w.EachTicket(t.Context(), acme, func(connection string, x ticket.Ticket) error {
		if connection != "desk" {
			t.Errorf("ticket %s is of connection %q", x.Key, connection)
		}
		read = append(read, x)
		return nil
	})
	if err != nil || len(read) != len(many)+1 {
		t.Fatalf("%d tickets, %v; want %d", len(read), err, len(many)+1)
	}
	if diff := cmp.Diff(full, read[len(read)-1]); diff != "" {
		t.Error(diff)
	}
	if read[page].Key != fmt.Sprint(page) || !read[0].Created.IsZero() {
		t.Errorf("row %d is %+v", page, read[page])
	}
}

func TestEveryArticleOfTheTenantIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := ticketing.Article{Key: "KB1", Title: "Spooler", Text: "Restart it.", URL: "https://desk.example/KB1", Updated: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	other := ticketing.Article{Key: "KB2", Title: "Mail", Text: "Read it."}
	if err := errors.Join(w.PutArticles(t.Context(), acme, "desk", []ticketing.Article{a}), w.PutArticles(t.Context(), globex, "desk", []ticketing.Article{other})); err != nil {
		t.Fatal(err)
	}
	var read []ticketing.Article
	err := w.EachArticle(t.Context(), acme, func(x ticketing.Article) error {
		read = append(read, x)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ticketing.Article{a}, read); diff != "" {
		t.Error(diff)
	}
}

func TestReadingEndsWithItsReadersError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put(t, acme, office...)
	enough, calls := errors.New("enough"), 0
	err := w.EachTicket(t.Context(), acme, func(string, ticket.Ticket) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
	if err := w.EachTicket(t.Context(), "Not a tenant", nil); err == nil {
		t.Error("a tenant id that is none was read")
	}
}
