// Command cost reckons what an installation on AWS costs, from inputs.json, the
// stage's sizes in infra/cdk.context.json and the product's schedules, and
// prints docs/cost.md. Every price and every assumption is an input: change it
// there, then make generate.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/deskhand/deskhand/shared/catalogue"
)

// Inputs is inputs.json.
type Inputs struct {
	Prices struct {
		Region string           `json:"region"`
		Read   string           `json:"read"` // the day
		List   map[string]Price `json:"list"`
	} `json:"prices"`
	Stage    string   `json:"stage"`
	Measured Measured `json:"measured"`
	Assumed  Assumed  `json:"assumed"`
	Stack    Stack    `json:"stack"`
}

// Price is what a unit costs, and the page that says so, with its own date.
// Without a page it is an assumption.
type Price struct {
	USD  float64 `json:"usd"`
	Per  string  `json:"per"`
	Page string  `json:"page"`
	Says string  `json:"says"`
}

// Measured is what one ticket takes, as tests/e2e measures it.
type Measured struct {
	PromptTokens float64 `json:"prompt_tokens"`
	OutputTokens float64 `json:"output_tokens"`
	LogBytes     float64 `json:"log_bytes"`
}

// Assumed is what nobody has measured yet.
type Assumed struct {
	Tenants         float64 `json:"tenants"`
	Webhooks        float64 `json:"webhooks"` // of one ticket
	WebhookSeconds  float64 `json:"webhook_seconds"`
	EnhanceSeconds  float64 `json:"enhance_seconds"` // most of it waits for the model
	SlowestOfFive   float64 `json:"slowest_of_five"` // as multiple of the mean
	ResolvedSeconds float64 `json:"resolved_seconds"`
	TickSeconds     float64 `json:"tick_seconds"`
	NATBytes        float64 `json:"nat_bytes"`      // of one ticket: tool and model, both ways
	MoreLogBytes    float64 `json:"more_log_bytes"` // of one ticket: metrics in the log, Lambda's own lines, access log, the resolved webhook
	SeriesOfTenant  float64 `json:"series_of_tenant"`
	SeriesOfService float64 `json:"series_of_service"`
}

// Stack is what infra makes of everything. Its tests hold these figures to the
// template.
type Stack struct {
	Endpoints  float64 `json:"endpoints"` // one for each service and zone
	WAFRules   float64 `json:"waf_rules"`
	Keys       float64 `json:"keys"`
	Secrets    float64 `json:"secrets"`
	Alarms     float64 `json:"alarms"` // metrics of alarms
	Dashboards float64 `json:"dashboards"`
	MemoryGB   struct {
		Webhook   float64 `json:"webhook"`
		Enhance   float64 `json:"enhance"`
		Catalogue float64 `json:"catalogue"`
	} `json:"memory_gb"`
}

// Stage is what the costs depend on of a stage.
type Stage struct {
	NATGateways float64 `json:"nat_gateways"`
	Database    struct {
		Class      string  `json:"class"`
		StorageGiB float64 `json:"storage_gib"`
	} `json:"database"`
	CacheNode string `json:"cache_node"`
}

func main() {
	if err := run(os.Stdout, "tests/cost/inputs.json", "infra/cdk.context.json"); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, inputs, context string) error {
	var in Inputs
	if err := read(inputs, true, &in); err != nil {
		return err
	}
	var stages struct {
		Stages map[string]Stage `json:"stages"`
	}
	if err := read(context, false, &stages); err != nil {
		return err
	}
	stage, ok := stages.Stages[in.Stage]
	if !ok {
		return fmt.Errorf("stage %q is not in %s", in.Stage, context)
	}
	bill := &Bill{Inputs: in, Size: stage}
	page := bill.page()
	if len(bill.missing) > 0 {
		return fmt.Errorf("%s has no price for %v", inputs, bill.missing)
	}
	_, err := io.WriteString(w, page)
	return err
}

func read(name string, strict bool, into any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%w (run this in the root of the repository)", err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Bill reckons.
type Bill struct {
	Inputs
	Size Stage

	missing []string
}

// Line is one line of a bill, in dollars a month.
type Line struct {
	What string
	USD  float64
}

const (
	hours   = 730 // of a month
	million = 1e6
	giga    = 1e9
)

func (b *Bill) price(name string) float64 {
	p, ok := b.Prices.List[name]
	if !ok {
		b.missing = append(b.missing, name)
	}
	return p.USD
}

// fixed is what a month costs without a single ticket.
func (b *Bill) fixed() []Line {
	s, a, k := b.Size, b.Assumed, b.Stack
	ticks := b.ticks()
	return []Line{
		{"Postgres, two instances (db." + s.Database.Class + ")", hours * b.price("db."+s.Database.Class)},
		{fmt.Sprintf("its storage, %.0f GB", s.Database.StorageGiB), s.Database.StorageGiB * b.price("rds_gb")},
		{"Valkey, two nodes (" + s.CacheNode + ")", 2 * hours * b.price(s.CacheNode)},
		{fmt.Sprintf("NAT gateways with addresses, %.0f", s.NATGateways), s.NATGateways * hours * (b.price("nat_hour") + b.price("ipv4_hour"))},
		{fmt.Sprintf("endpoints of AWS' services in the VPC, %.0f", k.Endpoints), k.Endpoints * hours * b.price("endpoint_hour")},
		{"firewall", b.price("waf_acl") + k.WAFRules*b.price("waf_rule")},
		{"keys and secrets", k.Keys*b.price("kms_key") + k.Secrets*b.price("secret")},
		{fmt.Sprintf("metrics of %.0f tenants and of the service", a.Tenants), (a.Tenants*a.SeriesOfTenant + a.SeriesOfService) * b.price("series")},
		{"alarms and dashboards", k.Alarms*b.price("alarm") + k.Dashboards*b.price("dashboard")},
		{
			fmt.Sprintf("schedules of %.0f tenants, %.1f million messages", a.Tenants, ticks/million),
			ticks * (b.invocation(a.TickSeconds, k.MemoryGB.Catalogue) + b.message(1)),
		},
	}
}

// ticks is how many messages the schedules send in a month.
func (b *Bill) ticks() (n float64) {
	for _, s := range catalogue.Schedules() {
		n += b.Assumed.Tenants * hours / s.Every.Hours()
	}
	return n
}

// invocation is one invocation of a function.
func (b *Bill) invocation(seconds, memory float64) float64 {
	return b.price("lambda_requests")/million + seconds*memory*b.price("lambda_seconds")
}

// message is the way of one message through SQS, in batches of a size: sent and
// deleted by itself; received, hidden and deleted by Lambda with its batch.
func (b *Bill) message(batch float64) float64 {
	return (2 + 3/batch) * b.price("sqs_requests") / million
}

// variable is what so many tickets cost besides, in batches of 1 or 5.
func (b *Bill) variable(tickets, batch float64) []Line {
	a, m, memory := b.Assumed, b.Measured, b.Stack.MemoryGB
	busy := a.EnhanceSeconds
	if batch > 1 {
		busy *= a.SlowestOfFive // the invocation lasts as long as its slowest ticket
	}
	each := []Line{
		{"model", m.PromptTokens*b.price("model_input")/million + m.OutputTokens*b.price("model_output")/million},
		{"API Gateway and firewall", a.Webhooks * (b.price("api_requests") + b.price("waf_requests")) / million},
		{"function webhook", a.Webhooks * b.invocation(a.WebhookSeconds, memory.Webhook)},
		{"function enhance", b.invocation(busy, memory.Enhance) / batch},
		{"function catalogue", b.invocation(a.ResolvedSeconds, memory.Catalogue)},
		{"SQS", b.message(batch) + b.message(1)},
		{"NAT and traffic out", a.NATBytes / giga * (b.price("nat_gb") + b.price("out_gb"))},
		{"logs", (m.LogBytes + a.MoreLogBytes) / giga * b.price("log_gb")},
	}
	for i := range each {
		each[i].USD *= tickets
	}
	return each
}

func sum(lines []Line) (usd float64) {
	for _, l := range lines {
		usd += l.USD
	}
	return usd
}
