package search

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// listener is an Embedder that finds all texts rather similar, and those that
// are about the same subject most.
type listener struct {
	mu    sync.Mutex
	calls [][]string
	// before sees the texts of a call first, and may fail it.
	before func(ctx context.Context, texts []string) error
}

var subjects = []string{"dark no picture black nothing", "order price delivery protector"}

func (l *listener) Embed(ctx context.Context, _ string, texts []string) ([][]float32, error) {
	l.mu.Lock()
	l.calls = append(l.calls, texts)
	l.mu.Unlock()
	if l.before != nil {
		if err := l.before(ctx, texts); err != nil {
			return nil, err
		}
	}
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = []float32{3, 0, 0}
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			for j, subject := range subjects {
				vectors[i][j+1] += float32(strings.Count(subject, word))
			}
		}
	}
	return vectors, nil
}

// texts gives what was asked for, in all calls since the last time.
func (l *listener) texts() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, texts := range l.calls {
		all = append(all, texts...)
	}
	l.calls = nil
	return all
}

// hearing is a world with embeddings, and what it logs.
type hearing struct {
	world
	model *listener
	log   *bytes.Buffer
}

func newHearing(t testing.TB) hearing {
	t.Helper()
	h := hearing{newWorld(t), &listener{}, &bytes.Buffer{}}
	h.with("first")
	return h
}

// with takes another model.
func (h *hearing) with(model string) {
	h.Embeddings = &Embeddings{Embedder: h.model, Questions: h.model, Model: model, Log: slog.New(slog.NewTextHandler(h.log, nil))}
}

func (h *hearing) learn(t testing.TB, id tenant.ID) {
	t.Helper()
	if err := h.Learn(t.Context(), id); err != nil {
		t.Fatal(err)
	}
}

// vectors counts the tenant's embeddings of a model.
func (h *hearing) vectors(t testing.TB, id tenant.ID, model string) (n int) {
	t.Helper()
	err := h.db.Owner(t).QueryRow(t.Context(), `SELECT count(*) FROM document_vectors WHERE tenant_id = $1 AND space = 'embedding/' || $2`, id, model).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var screens = []ticket.Ticket{
	solved("1", "Notebook shows nothing", "black screen and no picture in the office", "Replaced the display cable."),
	solved("2", "Notebook screen protector", "office wants a price for the order of a screen protector", "Ordered one."),
	solved("3", "VPN drops", "the tunnel closes every hour", "Raised the timeout."),
}

const dark = "the screen of my notebook in the office stays dark"

func TestOnlyEmbeddingsBringTheRightTicketUp(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	h.put(t, acme, screens...)
	articles := []ticketing.Article{{Key: "KB1", Title: "Notebook screen", Text: "office: dark or black"}, {Key: "KB2", Title: "Notebook screen", Text: "office: price of an order"}}
	if err := h.PutArticles(t.Context(), acme, "desk", articles); err != nil {
		t.Fatal(err)
	}
	if got := h.ask(t, acme, "Notebook screen", dark); refs(got) != "#2 #1" || got[0].Path != "words" {
		t.Fatalf("before: %s by %s; the test is too easy", refs(got), got[0].Path)
	}
	h.learn(t, acme)
	got := h.ask(t, acme, "Notebook screen", dark)
	if refs(got) != "#1 #2" || got[0].Path != "words, embeddings" {
		t.Errorf("after: %s by %s", refs(got), got[0].Path)
	}
	got, err := Articles{Store: h.Store, Now: func() time.Time { return today }}.Find(t.Context(), evidence.Query{
		Tenant: acme, Ticket: ticket.Ticket{Key: "new", Subject: "Notebook screen", Description: dark},
	})
	if err != nil || len(got) == 0 || got[0].Ref != "KB1" || got[0].Path != "words, embeddings" {
		t.Errorf("articles: %s, %v, %v", refs(got), got, err)
	}
	h.Embeddings = nil
	h.model.texts()
	if got := h.ask(t, acme, "Notebook screen", dark); refs(got) != "#2 #1" || got[0].Path != "words" {
		t.Errorf("without: %s by %s", refs(got), got[0].Path)
	}
	if h.learn(t, acme); len(h.model.texts()) != 0 {
		t.Error("the model was asked though there is none")
	}
}

func TestEmbeddingsStayWithTheirTenant(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	h.put(t, acme, screens...)
	foreign := solved("1", "Notebook shows nothing", "globex's own words: black screen in the office", "globex's answer")
	h.put(t, globex, foreign)
	h.learn(t, acme)
	if asked := strings.Join(h.model.texts(), "\n"); strings.Contains(asked, "globex") || !strings.Contains(asked, "Notebook shows nothing\n\nblack screen and no picture") {
		t.Errorf("for acme the model was asked %q", asked)
	}
	if n := h.vectors(t, globex, "first"); n != 0 {
		t.Errorf("globex has %d vectors", n)
	}
	h.learn(t, globex)
	if n, own := h.vectors(t, globex, "first"), h.vectors(t, acme, "first"); n != 1 || own != 3 {
		t.Errorf("globex has %d vectors, acme %d", n, own)
	}
	for id, want := range map[tenant.ID]string{acme: "#1 #2", globex: "#1"} {
		items := h.ask(t, id, "Notebook screen", dark)
		for _, it := range items {
			if (it.Text == "globex's answer") != (id == globex) {
				t.Errorf("%s sees %q", id, it.Text)
			}
		}
		if refs(items) != want {
			t.Errorf("%s finds %s, want %s", id, refs(items), want)
		}
	}
}

func TestDocumentsAreEmbeddedInTurnAndAnotherModelTakesOver(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	many := make([]ticket.Ticket, embedMost+70)
	for i := range many {
		many[i] = solved(fmt.Sprint(i), fmt.Sprintf("ticket%dx", i), "", "done")
	}
	h.put(t, acme, many...)
	unsolved := solved("open", "not solved", "", "")
	h.put(t, acme, unsolved)

	h.learn(t, acme)
	for _, texts := range h.model.calls {
		if len(texts) > embedTexts {
			t.Errorf("%d texts in a call", len(texts))
		}
	}
	if asked := h.model.texts(); len(asked) != embedMost || asked[0] == "ticket0x" {
		t.Errorf("%d texts, the first %q; want the newest %d", len(asked), asked[0], embedMost)
	}
	h.learn(t, acme)
	h.learn(t, acme)
	if asked := h.model.texts(); len(asked) != 70 || h.vectors(t, acme, "first") != len(many) {
		t.Errorf("then %d texts, and %d vectors", len(asked), h.vectors(t, acme, "first"))
	}
	h.with("second")
	h.learn(t, acme)
	if first, second := h.vectors(t, acme, "first"), h.vectors(t, acme, "second"); first != len(many) || second != embedMost {
		t.Errorf("while another model takes over: %d vectors of the first, %d of the second", first, second)
	}
	h.learn(t, acme)
	if first, second := h.vectors(t, acme, "first"), h.vectors(t, acme, "second"); first != 0 || second != len(many) {
		t.Errorf("after it: %d vectors of the first, %d of the second", first, second)
	}
	h.vectorsAreLookedUp(t)
}

// vectorsAreLookedUp explains, as app_user, what reads and removes vectors of
// single documents.
func (h *hearing) vectorsAreLookedUp(t *testing.T) {
	t.Helper()
	if _, err := h.db.Owner(t).Exec(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
	for sql, args := range map[string][]any{
		spaceVectors:  {ticketCorpus, "embedding/second", []int64{7, 8}},
		removeVectors: {ticketCorpus, []int64{7, 8}},
		removeFactors: {ticketCorpus, []int64{7, 8}},
	} {
		var plan []string
		err := h.DB.InTenant(t.Context(), acme, func(tx pgx.Tx) error {
			rows, err := tx.Query(t.Context(), "EXPLAIN "+sql, args...)
			if err == nil {
				plan, err = pgx.CollectRows(rows, pgx.RowTo[string])
			}
			return err
		})
		if text := strings.Join(plan, "\n"); err != nil || !strings.Contains(text, "document_vectors_pkey") || !strings.Contains(text, "Index Cond: ((tenant_id = $0) AND (corpus = 'ticket'::text) AND (doc = ANY") {
			t.Errorf("%v: the vectors are not looked up by document:\n%s", err, text)
		}
	}
}

func TestAModelThatDoesNotAnswerCostsOnlyItsVectors(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	many := make([]ticket.Ticket, embedTexts+1)
	for i := range many {
		many[i] = solved(fmt.Sprintf("m%d", i), fmt.Sprintf("ticket%dx", i), "", "done")
	}
	h.put(t, acme, append(many, screens...)...)
	down := fmt.Errorf("embed: %w", llm.ErrUnavailable)
	calls := 0
	h.model.before = func(context.Context, []string) error {
		if calls++; calls > 1 {
			return down
		}
		return nil
	}
	err := h.Learn(t.Context(), acme)
	if !errors.Is(err, llm.ErrUnavailable) || !strings.Contains(err.Error(), "search: embed documents of acme: ") {
		t.Errorf("error %v", err)
	}
	if n := h.vectors(t, acme, "first"); n != embedTexts {
		t.Errorf("%d vectors, want those of the first call", n)
	}
	items := h.ask(t, acme, "Notebook screen", dark)
	if refs(items) != "#2 #1" || items[0].Path != "words" {
		t.Errorf("found %s by %s", refs(items), items[0].Path)
	}
	if log := h.log.String(); strings.Count(log, "goes on without embeddings") != 1 || !strings.Contains(log, "does not answer") || strings.Contains(log, "dark") {
		t.Errorf("log: %s", log)
	}
	h.model.before = nil
	h.learn(t, acme)
	if n := h.vectors(t, acme, "first"); n != len(many)+len(screens) {
		t.Errorf("%d vectors in the end", n)
	}
}

func TestATextThatTheModelRejectsKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	h.put(t, acme, screens...)
	rejected := func(word string) func(context.Context, []string) error {
		return func(_ context.Context, texts []string) error {
			if strings.Contains(strings.Join(texts, " "), word) {
				return fmt.Errorf("too long: %w", llm.ErrRejected)
			}
			return nil
		}
	}
	h.model.before = rejected("") // whatever it is
	if err := h.Learn(t.Context(), acme); !errors.Is(err, llm.ErrRejected) || h.vectors(t, acme, "first") != 0 {
		t.Errorf("error %v with %d vectors", err, h.vectors(t, acme, "first"))
	}
	h.model.before = rejected("protector")
	h.learn(t, acme)
	h.model.texts()
	h.learn(t, acme)
	if asked := h.model.texts(); len(asked) != 0 {
		t.Errorf("asked again for %q", asked)
	}
	h.model.before = nil
	items := h.ask(t, acme, "Notebook screen", dark)
	if len(items) != 2 || strings.Contains(items[1].Path, "embeddings") {
		t.Errorf("found %+v", items)
	}
	h.model.before = func(_ context.Context, texts []string) error {
		if len(texts) == 1 {
			return llm.ErrUnavailable
		}
		return llm.ErrRejected
	}
	h.with("second")
	if err := h.Learn(t.Context(), acme); !errors.Is(err, llm.ErrUnavailable) || h.vectors(t, acme, "second") != 0 {
		t.Errorf("error %v with %d vectors", err, h.vectors(t, acme, "second"))
	}
}

func TestATextIsEmbeddedAgainOnlyWhenItChanges(t *testing.T) {
	t.Parallel()
	h := newHearing(t)
	page := ticketing.Article{Key: "KB1", Title: "Dark screens", Text: "Check the cable"}
	store := func() {
		t.Helper()
		h.put(t, acme, screens[0])
		if err := h.PutArticles(t.Context(), acme, "desk", []ticketing.Article{page}); err != nil {
			t.Fatal(err)
		}
		h.learn(t, acme)
	}
	store()
	h.model.texts()
	if _, err := h.db.Owner(t).Exec(t.Context(), `UPDATE ticket_history SET analyser = 0`); err != nil {
		t.Fatal(err)
	}
	store()
	if asked := h.model.texts(); len(asked) != 0 || h.vectors(t, acme, "first") != 2 {
		t.Errorf("the same again: asked for %q, %d vectors", asked, h.vectors(t, acme, "first"))
	}
	page.Text = "Check the cable, then the lamp"
	store()
	if asked := strings.Join(h.model.texts(), "|"); asked != "Dark screens\n\nCheck the cable, then the lamp" {
		t.Errorf("another text: asked for %q", asked)
	}
	if _, err := h.DropTickets(t.Context(), acme, "desk", []string{"1"}); err != nil || h.vectors(t, acme, "first") != 1 {
		t.Errorf("removed: %d vectors, %v", h.vectors(t, acme, "first"), err)
	}
	// What changes while the model is asked waits for the next time.
	h.put(t, acme, screens[0])
	once := sync.OnceFunc(func() {
		changed := screens[0]
		changed.Description = "now it flickers"
		h.put(t, acme, changed)
	})
	h.model.before = func(context.Context, []string) error { once(); return nil }
	h.learn(t, acme)
	if n := h.vectors(t, acme, "first"); n != 1 {
		t.Errorf("%d vectors, one of a text that is gone", n)
	}
	h.learn(t, acme)
	if asked := h.model.texts(); h.vectors(t, acme, "first") != 2 || !strings.Contains(asked[len(asked)-1], "flickers") {
		t.Errorf("asked for %q", asked)
	}
}

func TestSourcesShareTheVectorOfAQuestionAndDoNotWaitForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		model := &listener{before: func(context.Context, []string) error { time.Sleep(time.Second); return nil }}
		e := &Embeddings{Questions: model, Model: "m", Log: slog.New(slog.NewTextHandler(&log, nil))}
		both := func() (vectors [2][]float32) {
			var wg sync.WaitGroup
			for i := range vectors {
				wg.Go(func() { vectors[i] = e.question(t.Context(), acme, "Screen", dark) })
			}
			wg.Wait()
			return vectors
		}
		if v := both(); len(v[0]) != 3 || len(v[1]) != 3 || len(model.texts()) != 1 || log.Len() > 0 {
			t.Errorf("vectors %v, log %s", v, &log)
		}
		model.before = func(ctx context.Context, _ []string) error { <-ctx.Done(); return ctx.Err() }
		start := time.Now()
		if v := both(); v[0] != nil || v[1] != nil || time.Since(start) != questionLimit || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("after %s: vectors %v, log %s", time.Since(start), v, &log)
		}
		model.texts()
		if v := e.question(t.Context(), acme, " ", "\n"); v != nil || len(model.texts()) != 0 {
			t.Errorf("no text: vector %v", v)
		}
	})
}

func TestAnEndpointThatSaysNothingIsNotWaitedForEachTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		model := &listener{before: func(ctx context.Context, _ []string) error { <-ctx.Done(); return ctx.Err() }}
		e := &Embeddings{Questions: &llm.EmbeddingBreaker{Embedder: model}, Model: "m", Log: slog.New(slog.NewTextHandler(&log, nil))}
		took := func() time.Duration {
			t.Helper()
			start := time.Now()
			if v := e.question(t.Context(), acme, "Screen", dark); v != nil {
				t.Fatalf("vector %v", v)
			}
			return time.Since(start)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 3 { // of searches that end themselves: they say nothing
			e.question(ctx, acme, "Screen", dark)
		}
		for i := range 3 {
			if d := took(); d != questionLimit {
				t.Errorf("question %d waited for %s", i, d)
			}
		}
		if d := took(); d != 0 || !strings.Contains(log.String(), "left alone") {
			t.Errorf("the fourth question waited for %s, log %s", d, &log)
		}
		time.Sleep(15 * time.Second)
		model.before = nil
		if v := e.question(t.Context(), acme, "Screen", dark); len(v) != 3 {
			t.Errorf("after the pause: vector %v", v)
		}
	})
}

// TestALongQuestionIsNotCut leaves that to who hides its secrets first.
func TestALongQuestionIsNotCut(t *testing.T) {
	t.Parallel()
	model, long := &listener{}, strings.Repeat("dark ", 20_000)
	e := &Embeddings{Questions: model, Model: "m", Log: slog.New(slog.DiscardHandler)}
	e.question(t.Context(), acme, "Screen", long)
	if asked := model.texts(); len(asked) != 1 || asked[0] != "Screen\n\n"+strings.TrimSpace(long) {
		t.Errorf("asked for %d texts", len(asked))
	}
}
