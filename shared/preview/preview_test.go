package preview_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/preview"
	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

var created = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

// past has 100 solved tickets; of its words only those in with are not rare.
type past struct {
	asked []preview.Asked
	with  map[string]int
	err   error
}

func (p past) Solved(_ context.Context, _ tenant.Tenant, limit int) ([]preview.Asked, error) {
	return p.asked[:min(limit, len(p.asked))], p.err
}

func (p past) Corpus(_ context.Context, _ tenant.ID, terms []string) (retrieval.Corpus, error) {
	c := retrieval.Corpus{Docs: 100, With: map[string]int{}}
	for _, t := range terms {
		c.With[t] = max(2, p.with[t])
	}
	return c, p.err
}

// asked gives a ticket with a key, a subject and a resolution.
func asked(key, resolution string) preview.Asked {
	return preview.Asked{Connection: "desk", Ticket: ticket.Ticket{
		Key: key, Subject: "Nothing prints on PRN-03", Resolution: resolution, Created: created, Resolved: created.Add(time.Hour),
	}}
}

// solved gives a past ticket that was solved so many days before the question.
func solved(days int, text string) evidence.Item {
	return evidence.Item{Kind: evidence.PastTicket, Ref: "7", Text: text, When: created.AddDate(0, 0, -days), Score: 1}
}

// of looks back, with the same evidence for every ticket.
func of(t *testing.T, p past, last int, items ...evidence.Item) (preview.Report, error) {
	t.Helper()
	look := preview.Preview{Past: p, Gather: func(_ context.Context, who tenant.Tenant, a preview.Asked) (evidence.Bundle, error) {
		if who.ID != "acme" || a.Connection != "desk" {
			t.Errorf("gathers for %s, connection %s", who.ID, a.Connection)
		}
		return evidence.Bundle{Items: items}, nil
	}}
	return look.Of(t.Context(), tenant.Tenant{ID: "acme"}, last, func(int, int) {})
}

func TestWhatMayBeNewerThanTheTicketIsNotShown(t *testing.T) {
	t.Parallel()
	article := evidence.Item{Kind: evidence.Article, Ref: "A", When: created}
	edited, undated := article, article
	edited.When, undated.When = created.Add(time.Second), time.Time{}
	r, err := of(t, past{asked: []preview.Asked{asked("1", "x")}}, 9, solved(1, ""), solved(-1, ""), evidence.Item{Kind: evidence.PastTicket}, article, edited, undated, evidence.Item{Kind: evidence.System, Ref: "S"})
	if err != nil {
		t.Fatal(err)
	}
	var refs []string
	for _, s := range r.Tickets[0].Shown {
		refs = append(refs, s.Ref)
	}
	if diff := cmp.Diff([]string{"7", "A", "S"}, refs); diff != "" || r.Late != 4 {
		t.Errorf("%d left out, shown %s", r.Late, diff)
	}
}

func TestSameWayNeedsTwoRareWordsOfTheSolution(t *testing.T) {
	t.Parallel()
	const resolution = "Stopped the print spooler on PS-ACME-01, emptied the folder of 372 jobs, restarted Kyocera."
	maybe := solved(1, "spooler emptied")
	maybe.Possibly = true
	for name, c := range map[string]struct {
		item evidence.Item
		want string
	}{
		"two rare words":                 {solved(1, "The spooler was emptied."), "spooler emptied"},
		"one rare word":                  {solved(1, "The spooler was fine."), ""},
		"a common word besides":          {solved(1, "Restarted the spooler."), ""},
		"words of the question":          {solved(1, "PRN-03 prints nothing."), ""},
		"a number":                       {solved(1, "372 spooler"), ""},
		"the parts of a name":            {solved(1, "PS-ACME-01"), ""},
		"a name and a word":              {solved(1, "Kyocera on ps-acme-01"), "kyocera ps-acme-01"},
		"an article's title":             {evidence.Item{Kind: evidence.Article, Title: "Kyocera spooler", When: created}, "kyocera spooler"},
		"a ticket's title is no advice":  {evidence.Item{Kind: evidence.PastTicket, Title: "Kyocera spooler", When: created}, ""},
		"what is only possibly related":  {maybe, ""},
		"a system is no solution either": {evidence.Item{Kind: evidence.System, Text: "Kyocera spooler"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := of(t, past{asked: []preview.Asked{asked("1", resolution)}, with: map[string]int{"restart": 5}}, 1, c.item)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Tickets[0].Shown[0].Shares, " "); got != c.want || r.Tickets[0].SameWay() != (c.want != "") {
				t.Errorf("shares %q, want %q", got, c.want)
			}
		})
	}
}

func TestCountsAddUp(t *testing.T) {
	t.Parallel()
	maybe := solved(1, "")
	maybe.Possibly = true
	article := evidence.Item{Kind: evidence.Article, When: created}
	shown := map[string][]evidence.Item{
		"both":     {solved(10, "replaced fuser"), article},
		"ticket":   {solved(30, ""), maybe},
		"article":  {article},
		"possibly": {maybe},
		"system":   {{Kind: evidence.System}},
		"nothing":  nil,
		"silent":   {solved(20, "replaced fuser")},
	}
	var p past
	for key := range shown {
		resolution := "Fuser replaced."
		if key == "silent" {
			resolution = ""
		}
		p.asked = append(p.asked, asked(key, resolution))
	}
	undated := asked("undated", "x")
	undated.Ticket.Created = time.Time{}
	p.asked = append(p.asked, undated)
	var told []string
	look := preview.Preview{Past: p, Gather: func(_ context.Context, _ tenant.Tenant, a preview.Asked) (evidence.Bundle, error) {
		return evidence.Bundle{Items: shown[a.Ticket.Key]}, nil
	}}
	r, err := look.Of(t.Context(), tenant.Tenant{ID: "acme"}, 100, func(done, total int) { told = append(told, fmt.Sprintf("%d/%d", done, total)) })
	if err != nil {
		t.Fatal(err)
	}
	want := preview.Counts{Tickets: 7, Solved: 3, Article: 2, Either: 4, Possibly: 1, Nothing: 2, Compared: 3, SameWay: 1, Age: 20 * 24 * time.Hour}
	if diff := cmp.Diff(want, r.Counts()); diff != "" || r.Undated != 1 {
		t.Errorf("%d undated; %s", r.Undated, diff)
	}
	if len(told) != 8 || told[7] != "8/8" {
		t.Errorf("progress %v", told)
	}
	if (preview.Report{}).Counts() != (preview.Counts{}) {
		t.Error("an empty report has counts")
	}
}

func TestWhereThereIsNothingToLookBackAtItSaysSo(t *testing.T) {
	t.Parallel()
	undated := asked("1", "x")
	undated.Ticket.Created = time.Time{}
	down := errors.New("down")
	for name, c := range map[string]struct {
		past past
		want error
	}{
		"none":    {past{}, preview.ErrNone},
		"undated": {past{asked: []preview.Asked{undated}}, preview.ErrUndated},
		"down":    {past{err: down}, down},
	} {
		if _, err := of(t, c.past, 5); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := past{}
	for range preview.MaxTickets + 1 {
		many.asked = append(many.asked, asked("1", ""))
	}
	if r, err := of(t, many, 100_000); err != nil || len(r.Tickets) != preview.MaxTickets {
		t.Errorf("%d tickets, %v", len(r.Tickets), err)
	}
}

func TestASourceThatDoesNotAnswerEndsIt(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for want, gather := range map[string]func() (evidence.Bundle, error){
		"ticket 1 of acme: down": func() (evidence.Bundle, error) { return evidence.Bundle{}, down },
		"history does not answer, run it again: timeout": func() (evidence.Bundle, error) {
			return evidence.Bundle{Gaps: []evidence.Gap{{Source: "history", Reason: "timeout"}}}, nil
		},
	} {
		look := preview.Preview{Past: past{asked: []preview.Asked{asked("1", "")}}, Gather: func(context.Context, tenant.Tenant, preview.Asked) (evidence.Bundle, error) { return gather() }}
		if _, err := look.Of(t.Context(), tenant.Tenant{ID: "acme"}, 5, func(int, int) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
