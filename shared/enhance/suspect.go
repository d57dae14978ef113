package enhance

import (
	"context"
	"regexp"
	"strings"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/redact"
	"github.com/deskhand/deskhand/shared/suspicion"
	"github.com/deskhand/deskhand/shared/ticket"
)

// suspect gives the rule by which the ticket has text that is addressed to AI or
// to operators, "" for none. The model is not asked about such a ticket: its
// note has the evidence and a warning, and nothing that the text could have
// demanded.
func (e *Enhancer) suspect(ctx context.Context, t ticket.Ticket) string {
	rule := suspicion.Rule(t.Subject, t.Body(), t.Site, t.Priority)
	if rule != "" {
		e.Log.WarnContext(ctx, "the ticket has text that is addressed to AI or operators", "operation", "enhance", "rule", rule)
	}
	return rule
}

// withhold takes out the evidence whose text is addressed to AI or to
// operators. A past resolution is shown word for word, and a technician follows
// it: such a one is named, and neither shown nor sent.
func (e *Enhancer) withhold(ctx context.Context, b evidence.Bundle) evidence.Bundle {
	items := make([]evidence.Item, 0, len(b.Items))
	for _, it := range b.Items {
		rule := suspicion.Rule(it.Ref, it.Title, it.Text, it.Why)
		if rule == "" {
			items = append(items, it)
			continue
		}
		e.Log.WarnContext(ctx, "evidence is withheld: it has text that is addressed to AI or operators",
			"operation", "gather", "source", it.Source, "kind", string(it.Kind), "rule", rule)
		named := evidence.Item{ID: it.ID, Kind: it.Kind, Source: it.Source, Ref: it.Ref, URL: it.URL}
		if !plainRef.MatchString(it.Ref) {
			named.Ref, named.URL = it.ID, ""
		}
		b.Withheld = append(b.Withheld, named)
	}
	b.Items = items
	return b
}

// plainRef is a number or a name, in which nobody can say much.
var plainRef = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

// vouching is the ticket as far as a claim may rest on its words: single names,
// numbers and codes. What somebody can be lured to (a link, an address, a
// telephone number, a command of several words) needs evidence of the tenant's
// own, as whoever wrote the ticket may be a stranger.
func vouching(t ticket.Ticket) ticket.Ticket {
	only := func(s string) string {
		s, _ = redact.Anonymous(redact.Visible(links.ReplaceAllString(s, " ")))
		return strings.Join(names.FindAllString(s, -1), " | ")
	}
	t.Subject, t.Description, t.Requester, t.Replies = only(t.Subject), only(t.Body()), only(t.Requester), nil
	return t
}

// strange is the ticket as whoever wrote it may want it repeated: also across the
// end of its subject, where a word may be split.
func strange(t ticket.Ticket) string {
	body := t.Body()
	return t.Subject + body[:min(len(body), 500)] + "\n" + t.Text()
}

var (
	links = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]{1,20}://\S+|\bwww\.\S+|\\\\\S+|\bdh-[0-9a-f]{16}\b`) // and markers of notes
	// names have a digit, or parts: "pr-07", "srv.acme.local", "0x709".
	names = regexp.MustCompile(`[\p{L}\p{N}#]*(?:[\p{N}]|[._:\\-][\p{L}\p{N}])[\p{L}\p{N}._:\\%-]*`)
)
