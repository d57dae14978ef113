package llm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Price is what the models of a pattern cost, in US dollars for a million tokens.
type Price struct {
	Pattern string // as tenant.Match has it: "anthropic/claude*"
	In, Out float64
}

// Prices is what models cost, for endpoints that do not tell (Usage.CostUSD),
// and for what is to be known before a call.
type Prices struct {
	Default string  // the model of requests that name none
	List    []Price // of those that match a model, the first counts
}

// ParsePrices reads "openai/gpt-4o-mini=0.15/0.60,anthropic/claude*=3/15".
func ParsePrices(text string) ([]Price, error) {
	var list []Price
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		// The last =, for a model's name may have one.
		at := max(strings.LastIndex(entry, "="), 0)
		in, out, _ := strings.Cut(strings.TrimPrefix(entry[at:], "="), "/")
		p := Price{Pattern: strings.TrimSpace(entry[:at])}
		var errIn, errOut error
		p.In, errIn = dollars(in)
		p.Out, errOut = dollars(out)
		if p.Pattern == "" || errIn != nil || errOut != nil {
			return nil, fmt.Errorf("%.60q: want model=in/out, in US dollars for a million tokens, such as openai/gpt-4o-mini=0.15/0.60", entry)
		}
		list = append(list, p)
	}
	return list, nil
}

// maxPrice is far more than any model costs, and little enough to reckon with.
const maxPrice = 1_000_000

func dollars(text string) (float64, error) {
	usd, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err == nil && (math.IsNaN(usd) || usd < 0 || usd > maxPrice) {
		err = errors.New("out of range")
	}
	return usd, err
}

// Of gives the price of a model, "" for the default; false where nobody knows it.
func (p Prices) Of(model string) (Price, bool) {
	if model == "" {
		model = p.Default
	}
	for _, price := range p.List {
		if tenant.Match(price.Pattern, model) {
			return price, true
		}
	}
	return Price{}, false
}

// Cost is what a call of the model cost: as the endpoint told it, else by the
// list; false where nobody knows.
func (p Prices) Cost(model string, u Usage) (usd float64, known bool) {
	if u.CostUSD > 0 {
		return u.CostUSD, true
	}
	price, known := p.Of(model)
	return (float64(u.PromptTokens)*price.In + float64(u.OutputTokens)*price.Out) / 1e6, known
}

// label names a model in metrics. Tenants name models as they like, and each name
// is a series of its own: it is the default or a pattern of the list, else "other".
func (p Prices) label(model string) string {
	if model == "" || model == p.Default {
		return p.Default
	}
	if price, known := p.Of(model); known {
		return price.Pattern
	}
	return "other"
}

// Metered is a Model whose calls are timed, and priced where the endpoint does
// not tell what they cost.
type Metered struct {
	Model  Model
	Prices Prices
}

// Complete implements Model.
func (m Metered) Complete(ctx context.Context, r Request) (Reply, error) {
	start := time.Now()
	reply, err := m.Model.Complete(ctx, r)
	status := "success"
	if err != nil {
		status = "failure"
	}
	metric.ModelDuration.Record(ctx, time.Since(start).Seconds(), metric.With(metric.Model(m.Prices.label(r.Model)), metric.Status(status)))
	reply.Usage.CostUSD, _ = m.Prices.Cost(r.Model, reply.Usage)
	return reply, err
}
