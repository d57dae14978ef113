// Package tenant has the nouns of multi-tenancy: the client (Tenant), the
// ticketing-tool instance that serves one or more clients (Connection), and
// the Directory in which a process looks both up.
package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/integration"
	"github.com/deskhand/deskhand/shared/secret"
)

// ID names a tenant: 1 to 63 characters, a-z, 0-9 and inner hyphens. It is a
// parameter of everything that touches tenant data, never hidden in a context.
type ID string

// ErrUnknown says that no active tenant or connection has the given name.
var ErrUnknown = errors.New("unknown tenant or connection")

var idPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ParseID checks s and returns it as an ID.
func ParseID(s string) (ID, error) {
	if !idPattern.MatchString(s) {
		return "", fmt.Errorf("tenant id %.70q: want 1 to 63 characters of a-z, 0-9 and inner hyphens", s)
	}
	return ID(s), nil
}

// Tenant is one client of the managed service provider.
type Tenant struct {
	ID       ID
	Name     string
	Settings Settings
	Disabled bool
}

// Settings is what an operator may choose for a tenant. Zero values mean the
// defaults that the doc tags name; those are the table in docs/configuration.md
// and the texts of the admin API. Check says what is allowed.
type Settings struct {
	NoteFormat        string   `json:"note_format,omitempty" doc:"Format of the notes: html (the default) or markdown."`
	Model             string   `json:"model,omitempty" doc:"Model that is asked; empty: OPENAI_MODEL of the installation."`
	SourcesOff        []string `json:"sources_off,omitempty" doc:"Names of evidence sources that are not asked."`
	ShadowMode        bool     `json:"shadow_mode,omitempty" doc:"Run, but write nothing to the ticketing tool."`
	AppReferer        string   `json:"app_referer,omitempty" doc:"HTTP-Referer that is sent to the model endpoint."`
	AppTitle          string   `json:"app_title,omitempty" doc:"X-Title that is sent to the model endpoint."`
	HistoryDays       int      `json:"history_days,omitempty" doc:"Age limit of similar tickets in days; 0: none."`
	RecencyDays       int      `json:"recency_days,omitempty" doc:"Days after which it counts half as much that a similar ticket was solved lately; 0: 60, -1: age does not matter."`
	WebhooksPerMinute int      `json:"webhooks_per_minute,omitempty" doc:"How many genuine webhooks a minute are taken; 0: WEBHOOKS_PER_MINUTE of the installation. Only an administrator of all tenants may change it."`
	Language          string   `json:"language,omitempty" doc:"Language of the note, as a BCP 47 tag such as de or pt-BR; empty: that of the ticket. Headings and fixed sentences are in Czech, Dutch, English, French, German, Italian, Polish, Portuguese or Spanish, for another language in English."`
	ClosedStatuses    []string `json:"closed_statuses,omitempty" doc:"Names by which the tenant's tool calls a ticket solved, in any case of letters; none: those of the connection. Import, catalogue, search and notes go by them."`
	Skip              []string `json:"skip,omitempty" doc:"Tickets that get no note: rules like subject:Out of office* or requester:mailer-daemon@*. The field is subject, requester (name or address), status, priority or site; the pattern is the whole field in any case of letters, where * is any text and ? one character. At most 50."`
	ModelRules        []string `json:"model_rules,omitempty" doc:"Other models for some tickets: priority:High=openai/gpt-4o, patterns as for skip; evidence:thin=openai/gpt-4o, where nothing was found that is surely about the same. The first that matches decides; none: model. At most 50."`
	DailyTokens       int      `json:"daily_tokens,omitempty" doc:"Tokens of the model a day (UTC) after which notes are written from the evidence alone, and say so; 0: no limit. A call that could pass it is not made: at most 13,000 tokens are reserved for one, and what it did not use is given back."`
	DailyUSD          float64  `json:"daily_usd,omitempty" doc:"US dollars that the model may cost a day (UTC); a call that could pass it is not made, and the note is written from the evidence alone and says so. Every model that is asked needs a price: MODEL_PRICES. 0: no limit."`
	MonthlyUSD        float64  `json:"monthly_usd,omitempty" doc:"The same for a calendar month (UTC)."`
	Fallbacks         []string `json:"fallback_models,omitempty" doc:"Models that are asked in turn where the one before does not answer. At most 3."`
	KeepNoise         bool     `json:"keep_noise,omitempty" doc:"Also write notes on automatic replies, bounces and empty tickets, which are left out otherwise."`
	QuietWhenAssigned bool     `json:"quiet_when_assigned,omitempty" doc:"Write nothing where a technician already has the ticket in work: it is assigned, and somebody has answered or changed its status."`
	NoFeedback        bool     `json:"no_feedback,omitempty" doc:"Leave out the links at the foot of a note by which technicians vote."`
	AllowedNetworks   []string `json:"allowed_networks,omitempty" doc:"Networks (10.1.0.0/16) besides public addresses where the tenant's tools may be; none: public addresses only. Only an administrator of all tenants may change it."`
}

// Networks gives the AllowedNetworks, or an error that names those that are
// none, together with the others.
func (s Settings) Networks() (networks []netip.Prefix, err error) {
	var bad []string
	for _, text := range s.AllowedNetworks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%.50q", text))
			continue
		}
		networks = append(networks, network)
	}
	if len(bad) > 0 {
		err = fmt.Errorf("allowed_networks: want networks such as 10.1.0.0/16, not %s", strings.Join(bad, ", "))
	}
	return networks, err
}

// HalfLife is RecencyDays as a duration; 0 where age does not matter.
func (s Settings) HalfLife() time.Duration {
	days := cmp.Or(s.RecencyDays, defaultRecencyDays)
	return time.Duration(max(days, 0)) * 24 * time.Hour
}

// Off tells whether the tenant does not want this evidence source asked.
func (s Settings) Off(source string) bool { return slices.Contains(s.SourcesOff, source) }

// Solved tells whether a past ticket with this status counts as solved: where
// the tenant names no statuses, and where the ticket's is not known, it does.
func (s Settings) Solved(status string) bool {
	return len(s.ClosedStatuses) == 0 || status == "" ||
		slices.ContainsFunc(s.ClosedStatuses, func(name string) bool { return strings.EqualFold(name, status) })
}

// Connection is an instance of a ticketing tool: its kind, how to reach it,
// and which tenants its tickets belong to.
type Connection struct {
	ID     string // in URLs and logs; unique in the installation
	Tool   string // name of the integration.Kind, "servicedesk_plus"
	Values integration.Values
	// Signing are the accepted webhook secrets, newest first: two while one
	// is being rotated.
	Signing []secret.Text
	// Verify is how webhooks prove that they are genuine.
	Verify   Verify
	Disabled bool
	// Routes maps the tool's own account (organisation, project) to a tenant.
	// The key "" takes every ticket, and stands alone: a connection of a
	// single client.
	Routes map[string]ID
}

// ClosedStatus is the value of a connection that has the names of the statuses
// that end a ticket, with commas between them, in every tool that has such
// names.
const ClosedStatus = "closed_status"

// For gives the connection as a tenant with these settings uses it: the
// tenant's ClosedStatuses take the place of the connection's own.
func (c Connection) For(s Settings) Connection {
	if len(s.ClosedStatuses) > 0 {
		values := integration.Values{}
		maps.Copy(values, c.Values)
		values[ClosedStatus] = strings.Join(s.ClosedStatuses, ",")
		c.Values = values
	}
	return c
}

// Route gives the tenant that owns tickets of the tool's account. An account
// that nobody mapped belongs to nobody.
func (c Connection) Route(account string) (ID, bool) {
	if c.OneClient() {
		return c.Routes[""], true
	}
	if account == "" {
		return "", false
	}
	id, ok := c.Routes[account]
	return id, ok
}

// OneClient tells whether every ticket of the connection belongs to the same
// tenant, whatever its account.
func (c Connection) OneClient() bool {
	_, all := c.Routes[""]
	return all && len(c.Routes) == 1
}

// CheckRoutes says what is wrong with the routes: none, or one that takes
// every ticket beside others.
func (c Connection) CheckRoutes() error {
	if len(c.Routes) == 0 {
		return errors.New("it has no route: say which tenant its tickets belong to")
	}
	if _, ok := c.Routes[""]; ok && len(c.Routes) > 1 {
		return errors.New("one tenant gets every ticket, so others cannot share it: give each tenant's account in the tool (--account)")
	}
	return nil
}

// Serves tells whether any ticket of the connection may belong to id.
func (c Connection) Serves(id ID) bool {
	for _, t := range c.Routes {
		if t == id {
			return true
		}
	}
	return false
}

// Directory is an immutable snapshot of every tenant and connection. Loaded is
// when it was read; a zero Loaded means that nothing was read yet, which is
// not the same as an empty installation. Make it with NewDirectory: one without
// its index has no connection ForTenant.
type Directory struct {
	Tenants     map[ID]Tenant
	Connections map[string]Connection
	Loaded      time.Time

	first map[served]string // the id of the connection that ForTenant gives
}

// served is a tool and an active tenant that one of its connections serves.
type served struct {
	tool string
	id   ID
}

// NewDirectory makes the snapshot of what was read at that time. It keeps both
// maps, which must not change any more.
func NewDirectory(tenants map[ID]Tenant, connections map[string]Connection, loaded time.Time) Directory {
	d := Directory{tenants, connections, loaded, map[served]string{}}
	for _, c := range connections {
		if c.Disabled {
			continue
		}
		for _, id := range c.Routes {
			if t, ok := tenants[id]; !ok || t.Disabled {
				continue
			}
			by := served{c.Tool, id}
			if first, ok := d.first[by]; !ok || c.ID < first {
				d.first[by] = c.ID
			}
		}
	}
	return d
}

// clocks is how far the clocks of two processes may differ.
const clocks = 2 * time.Second

// After tells whether the directory was read after an event of that time, by
// another process's clock. What it lacks then is gone; before, another process
// may only know a newer one.
func (d Directory) After(event time.Time) bool { return d.Loaded.After(event.Add(clocks)) }

// Tenant gives an active tenant, or ErrUnknown.
func (d Directory) Tenant(id ID) (Tenant, error) {
	t, ok := d.Tenants[id]
	if !ok || t.Disabled {
		return Tenant{}, fmt.Errorf("tenant %s: %w", id, ErrUnknown)
	}
	return t, nil
}

// Connection gives the active connection with this id and tool, or ErrUnknown.
func (d Directory) Connection(tool, id string) (Connection, error) {
	c, ok := d.Connections[id]
	if !ok || c.Disabled || c.Tool != tool {
		return Connection{}, fmt.Errorf("connection %s/%s: %w", tool, id, ErrUnknown)
	}
	return c, nil
}

// ForTenant gives the active connection of this tool that serves the active
// tenant id, or ErrUnknown. Where several do, the one with the lowest id is
// taken, so that the answer does not change between calls. It takes as long
// whoever is asked for, and however many there are: else its time would tell
// strangers which tenants exist.
func (d Directory) ForTenant(tool string, id ID) (Connection, error) {
	c, ok := d.Connections[d.first[served{tool, id}]]
	if !ok {
		return Connection{}, fmt.Errorf("%s connection of tenant %s: %w", tool, id, ErrUnknown)
	}
	return c, nil
}
