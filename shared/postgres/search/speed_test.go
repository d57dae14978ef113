package search

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/retrieval"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
)

// prose makes text whose words are as unevenly common as those of a language.
func prose(r *rand.Rand, words int) string {
	list := make([]string, words)
	for i := range list {
		list[i] = fmt.Sprintf("w%dx", int(math.Exp(r.Float64()*math.Log(30_000))))
	}
	return strings.Join(list, " ")
}

// size is how many tickets the tenant has: story 2.5 has 10,000. For the figures
// of docs/retrieval.md: go test ./shared/postgres/search -run Thousand -v -timeout 2h -args -tickets=400000
var size = flag.Int("tickets", 10_000, "tickets to search in")

// Story 2.5: a search in 10,000 tickets takes less than 2 seconds.
func TestTenThousandTicketsAreSearchedInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := rand.New(rand.NewPCG(1, 2))
	tickets := make([]ticket.Ticket, *size)
	for i := range tickets {
		tickets[i] = solved(fmt.Sprint(i), prose(r, 5), prose(r, 30), fmt.Sprintf("done as in #%d", 1000+r.IntN(9000)))
		tickets[i].Resolved = today.AddDate(0, 0, -i%900)
	}
	start := time.Now()
	w.put(t, acme, tickets...)
	w.put(t, globex, tickets[:1000]...)
	t.Logf("%d tickets stored in %s", *size+1000, time.Since(start).Round(time.Millisecond))
	start = time.Now()
	w.learn(t, acme)
	t.Logf("their factors learnt in %s", time.Since(start).Round(time.Millisecond))
	w.plansUseIndexes(t) // after an import nothing is analysed yet
	w.analyse(t)

	questions := make([]ticket.Ticket, 50)
	for i := range questions {
		words := strings.Fields(tickets[r.IntN(len(tickets))].Description)
		questions[i] = ticket.Ticket{Key: "new", Subject: prose(r, 5), Description: strings.Join(words[:20], " ") + " " + prose(r, 40)}
	}
	naive := w.naive(t, questions[:3])
	took := make([]time.Duration, len(questions))
	agree := 0.0
	for i, q := range questions {
		start := time.Now()
		items := w.ask(t, acme, q.Subject, q.Description)
		took[i] = time.Since(start)
		if len(items) == 0 {
			t.Error("found nothing")
		}
		agree += w.recall(t, q) / float64(len(questions))
	}
	slices.Sort(took)
	t.Logf("50 searches in %d tickets as app_user: p50 %s, p95 %s, slowest %s; naive ts_rank_cd in the same run: %s, %.0f times p50",
		*size, took[25], took[47], took[49], naive, float64(naive)/float64(took[25]))
	t.Logf("recall@5 of the exhaustive ranking: %.3f", agree)
	if took[49] > 2*time.Second {
		t.Errorf("the slowest search took %s, want less than 2s", took[49])
	}
	if agree < .99 {
		t.Errorf("recall@5 %.3f of the exhaustive ranking, want .99", agree)
	}
	w.plansUseIndexes(t)
}

func (w world) analyse(t *testing.T) {
	t.Helper()
	if _, err := w.db.Owner(t).Exec(t.Context(), "VACUUM ANALYZE"); err != nil {
		t.Fatal(err)
	}
}

// recall is the share of the five best of the exhaustive ranking that a search finds.
func (w world) recall(t *testing.T, q ticket.Ticket) float64 {
	t.Helper()
	best := func(exhaustive bool) (docs []int64) {
		err := w.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
			c, err := retrieval.Search{
				Index: index{tx: tx, corpus: ticketCorpus}, Meanings: []retrieval.Meaning{latent{tx, ticketCorpus}},
				Weight: retrieval.TicketMeaning, HalfLife: tenant.Settings{}.HalfLife(), Now: today, Exhaustive: exhaustive,
			}.Candidates(t.Context(), retrieval.Terms(q.Subject, q.Description, ""))
			for _, h := range c.Best(5) {
				docs = append(docs, h.Doc)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return docs
	}
	found, want := best(false), best(true)
	both := 0
	for _, doc := range want {
		if slices.Contains(found, doc) {
			both++
		}
	}
	return float64(both) / float64(max(len(want), 1))
}

// naive is how long the query takes at the median that one writes first: any of
// the words, ranked by ts_rank_cd, over a GIN index that row-level security
// keeps from being used.
func (w world) naive(t *testing.T, questions []ticket.Ticket) time.Duration {
	t.Helper()
	for _, sql := range []string{
		"ALTER TABLE ticket_history ADD COLUMN tsv tsvector GENERATED ALWAYS AS (to_tsvector('english', subject || ' ' || description)) STORED",
		"CREATE INDEX ON ticket_history USING gin (tsv)", "ANALYZE ticket_history",
	} {
		if _, err := w.db.Owner(t).Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var took []time.Duration
	for _, q := range questions {
		words := strings.Join(strings.Fields(q.Description)[:10], " | ")
		start := time.Now()
		w.number(t, acme, `SELECT count(*) FROM (SELECT id FROM ticket_history, to_tsquery('english', $1) q
			WHERE tsv @@ q ORDER BY ts_rank_cd(tsv, q) DESC LIMIT 5) found`, words)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// plansUseIndexes explains the statements of a search as app_user: what is
// not leakproof would read every row of the tenant under row-level security.
func (w world) plansUseIndexes(t *testing.T) {
	terms := []string{"w7x", "w400x", "w29000x"}
	for _, tt := range []struct {
		sql  string
		args []any
		want []string
	}{
		{corpusSQL, []any{ticketCorpus, terms}, []string{"corpora_pkey|Seq Scan on corpora", "corpus_terms_pkey"}},
		{postingsSQL, []any{ticketCorpus, terms, nil, today, "desk", "7"}, []string{"postings_pkey", "ticket_history_tenant_id_connection_id_ticket_id_key"}},
		{onlySQL, []any{ticketCorpus, terms, []int64{7, 8}}, []string{"postings_pkey|postings_doc"}},
		{findTickets, []any{[]int64{7, 8}, comparedSize, today, "desk", "7"}, []string{"ticket_history_pkey|ticket_history_analyser"}},
		{findArticles, []any{[]int64{7, 8}}, []string{"articles_pkey|articles_analyser|Seq Scan on articles"}},
		{citedTickets, []any{[]int64{7, 8}, today}, []string{"ticket_references_pkey|ticket_references_ticket"}},
		{citedArticles, []any{[]int64{7, 8}, today}, []string{"ticket_references_"}},
		{activeTerms, []any{terms}, []string{"term_vectors_pkey"}},
		{activeVectors, []any{ticketCorpus, []int64{7, 8}}, []string{"document_vectors_pkey"}},
		{systemsNamed, []any{terms}, []string{"systems_name|Seq Scan on systems"}},
		{removePostings, []any{"acme", ticketCorpus, []int64{7, 8}}, []string{"postings_doc"}},
	} {
		var plan []string
		err := w.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "EXPLAIN "+tt.sql, tt.args...)
			if err == nil {
				plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(plan, "\n")
		for _, index := range tt.want {
			if !slices.ContainsFunc(strings.Split(index, "|"), func(s string) bool { return strings.Contains(text, s) }) {
				t.Errorf("the plan does not use %s:\n%s", index, text)
			}
		}
	}
}
