package enhance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/tenant"
)

// purse is a budget that a test decides, and what became of it.
type purse struct {
	refuse  string
	err     error
	most    Amount
	limits  Limits
	settled []Amount
}

func (p *purse) reserve(_ context.Context, _ tenant.ID, most Amount, limits Limits) (func(context.Context, Amount) error, string, error) {
	p.most, p.limits = most, limits
	return func(_ context.Context, used Amount) error {
		p.settled = append(p.settled, used)
		return p.err
	}, p.refuse, p.err
}

// spender is an enhancer with the purse, and its log.
func spender(p *purse) (*Enhancer, *bytes.Buffer) {
	var log bytes.Buffer
	return &Enhancer{
		Reserve: p.reserve, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Prices: llm.Prices{Default: "mini", List: []llm.Price{{Pattern: "mini", In: 1, Out: 10}}},
	}, &log
}

func with(s tenant.Settings) client { return client{tenant: tenant.Tenant{ID: "acme", Settings: s}} }

var request = llm.Request{System: strings.Repeat("s", 1000), User: strings.Repeat("u", 3000), MaxTokens: 500}

func TestTheWorstOfACallIsReservedAndWhatItTookIsSettled(t *testing.T) {
	t.Parallel()
	worst := Amount{2500, (2000*1 + 500*10) / 1e6}
	for name, c := range map[string]struct {
		usage  llm.Usage
		failed error
		want   Amount
	}{
		"told, cost and all":         {llm.Usage{PromptTokens: 900, OutputTokens: 100, CostUSD: 0.5}, nil, Amount{1000, 0.5}},
		"priced here":                {llm.Usage{PromptTokens: 900, OutputTokens: 100}, nil, Amount{1000, 0.0019}},
		"not told":                   {llm.Usage{}, nil, worst},
		"failed":                     {llm.Usage{}, llm.ErrUnavailable, Amount{}},
		"not ended in time":          {llm.Usage{}, fmt.Errorf("openai: %w", llm.ErrUnfinished), worst},
		"given up":                   {llm.Usage{}, context.DeadlineExceeded, worst},
		"without text, but paid for": {llm.Usage{PromptTokens: 900}, llm.ErrEmpty, Amount{900, 0.0009}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &purse{}
			e, _ := spender(p)
			settle, ok, err := e.reserve(t.Context(), with(tenant.Settings{DailyTokens: 7, DailyUSD: 8, MonthlyUSD: 9}), request)
			if !ok || err != nil || p.most != worst || p.limits != (Limits{7, 8, 9}) {
				t.Fatalf("ok %v, %v; reserved %+v within %+v", ok, err, p.most, p.limits)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel() // the job's time is over: it is settled all the same
			settle(ended, c.usage, c.failed)
			if len(p.settled) != 1 || p.settled[0] != c.want {
				t.Errorf("settled %+v, want %+v", p.settled, c.want)
			}
		})
	}
}

func TestACallThatTheBudgetDoesNotAllowIsNotMade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings tenant.Settings
		model    string
		refuse   string
		want     string // in the log; "" where it is made
	}{
		"no limits":                 {tenant.Settings{}, "unknown", "daily_usd", ""},
		"used up":                   {tenant.Settings{DailyUSD: 1}, "mini", "daily_usd", "reason=daily_usd"},
		"without a price, dollars":  {tenant.Settings{MonthlyUSD: 1}, "unknown", "", "reason=no_price model=unknown"},
		"without a price, tokens":   {tenant.Settings{DailyTokens: 1}, "unknown", "", ""},
		"the default has its price": {tenant.Settings{DailyUSD: 1}, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &purse{refuse: c.refuse}
			e, log := spender(p)
			r := request
			r.Model = c.model
			settle, ok, err := e.reserve(t.Context(), with(c.settings), r)
			if ok != (c.want == "") || err != nil || !strings.Contains(log.String(), c.want) {
				t.Errorf("ok %v, %v; log %s", ok, err, log.String())
			}
			if ok {
				settle(t.Context(), llm.Usage{PromptTokens: 1}, nil)
			}
		})
	}
}

func TestABudgetThatCannotBeAskedIsAnError(t *testing.T) {
	t.Parallel()
	p := &purse{err: errors.New("the database is down")}
	e, log := spender(p)
	limited := with(tenant.Settings{DailyTokens: 1})
	if _, ok, err := e.reserve(t.Context(), limited, request); ok || !errors.Is(err, p.err) {
		t.Errorf("ok %v, %v", ok, err)
	}
	down := p.err
	p.err = nil
	settle, _, err := e.reserve(t.Context(), limited, request)
	if err != nil {
		t.Fatal(err)
	}
	p.err = down
	settle(t.Context(), llm.Usage{PromptTokens: 1}, nil)
	if !strings.Contains(log.String(), "is not counted") {
		t.Errorf("log: %s", log.String())
	}
}
