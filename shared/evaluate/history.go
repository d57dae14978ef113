package evaluate

import (
	"context"
	"fmt"
	"net/url"

	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Past gives what a tenant's history holds.
type Past interface {
	// EachTicket calls do with every past ticket, and the connection that it came by.
	EachTicket(ctx context.Context, id tenant.ID, do func(connection string, t ticket.Ticket) error) error
	// EachArticle calls do with every article.
	EachArticle(ctx context.Context, id tenant.ID, do func(ticketing.Article) error) error
}

// History gives a tenant's tickets and articles as a set. What helped is what
// the tickets' own resolutions point to: another ticket of the same connection
// that is older, by key or number, or an article. The search goes by the
// tenant's settings. It holds all texts in memory.
func History(ctx context.Context, past Past, of tenant.Tenant) (Set, error) {
	s := Set{Name: string(of.ID), Settings: of.Settings}
	undated := 0
	err := past.EachTicket(ctx, of.ID, func(connection string, t ticket.Ticket) error {
		if t.Created.IsZero() {
			undated++
			return nil
		}
		s.Tickets = append(s.Tickets, pastTicket(connection, t))
		return nil
	})
	if err == nil {
		err = past.EachArticle(ctx, of.ID, func(a ticketing.Article) error {
			s.Articles = append(s.Articles, Article{ID: a.Key, Title: a.Title, Body: a.Text})
			return nil
		})
	}
	if err != nil {
		return s, fmt.Errorf("evaluate: read the history of tenant %s: %w", of.ID, err)
	}
	if undated > 0 {
		s.Left = append(s.Left, fmt.Sprintf("%d tickets without a time of creation", undated))
	}
	s.pointed()
	return s, nil
}

func pastTicket(connection string, t ticket.Ticket) Ticket {
	within := func(name string) string { return connection + "/" + name }
	p := Ticket{
		ID: within(t.Key), Names: []string{within(t.Key)}, Title: t.Subject, Body: t.Description, Created: t.Created,
		Resolution: t.Resolution, Resolved: t.Resolved,
	}
	if t.Number != "" {
		p.Names = append(p.Names, within(t.Number))
	}
	host := "" // of the tool; where the ticket has no address, any
	if u, err := url.Parse(t.URL); err == nil {
		host = u.Hostname()
	}
	tickets, articles := points(t.Resolution, host)
	for _, name := range tickets {
		p.ToTickets = append(p.ToTickets, within(name))
	}
	p.ToArticles = articles
	return p
}

// points gives the names of tickets and of articles that a resolution may point to.
func points(resolution, host string) (tickets, articles []string) {
	for _, r := range retrieval.References(resolution, host) {
		if r.Own {
			tickets = append(tickets, r.Name)
		}
		articles = append(articles, r.Name)
	}
	return tickets, articles
}

// pointed makes queries of the tickets whose resolution points to an older
// ticket or to an article.
func (s *Set) pointed() {
	named, articles := map[string]Ticket{}, map[string]bool{}
	for _, t := range s.Tickets {
		for _, name := range t.Names {
			named[name] = t
		}
	}
	for _, a := range s.Articles {
		articles[a.ID] = true
	}
	for _, t := range s.Tickets {
		q := Query{Ticket: t.ID}
		for _, name := range t.ToTickets {
			if to, ok := named[name]; ok && to.Created.Before(t.Created) {
				q.Tickets = append(q.Tickets, to.ID)
			}
		}
		for _, name := range t.ToArticles {
			if articles[name] {
				q.Articles = append(q.Articles, name)
			}
		}
		if len(q.Tickets)+len(q.Articles) > 0 {
			s.Queries = append(s.Queries, q)
		}
	}
}
