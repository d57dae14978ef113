package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// TenantHeader names the tenant of a webhook whose URL names no connection.
const TenantHeader = "X-Tenant-ID"

// maxName is longer than any name of a tenant or connection may be. Of what is
// longer still only the beginning is looked at, which is nobody's name either:
// an error or a count that has it stays small.
const maxName = 80

func cut(name string) string { return name[:min(len(name), maxName)] }

// find gives the connection that the delivery is for, and the tenant that it
// claims to be of, "" for none. Nothing of that is proved yet. Where there is
// no such connection it gives one without id or secrets, which goes the same
// way as any other and fails at its signature, so that nobody learns which
// tenants exist.
func (d *delivery) find(dir tenant.Directory, tool string, h http.Header) (conn tenant.Connection, claimed string, err error) {
	claimed = cut(single(h, TenantHeader))
	d.named = cut(d.connection)
	if d.named != "" {
		if !slices.Contains(ticket.Announced, ticket.Kind(d.named)) {
			conn, _ = dir.Connection(tool, d.named)
		}
		d.found = conn.ID
		return conn, claimed, nil
	}
	if claimed == "" {
		names := claims(d.form, d.body)
		if len(names) == 0 {
			return conn, "", bad("tenant", "name it in the header "+TenantHeader+
				", as tenant_id in the body, or send to /webhook/{tool}/{connection}")
		}
		claimed = cut(strings.Join(names, ",")) // several are none: no tenant has a comma in its name
	}
	d.named = claimed
	conn, _ = dir.ForTenant(tool, tenant.ID(claimed))
	d.found = conn.ID
	return conn, claimed, nil
}

// route gives the tenant that the ticket belongs to. The tool's own account
// decides where it is told; whoever else names a tenant has to agree.
func route(dir tenant.Directory, conn tenant.Connection, claimed string, said ticketing.Announcement) (tenant.ID, error) {
	if claimed != "" && said.Tenant != "" && claimed != said.Tenant {
		return "", bad("tenant", "header and body name different tenants")
	}
	named := tenant.ID(cmp.Or(claimed, said.Tenant))
	if named != "" && !conn.Serves(named) {
		return "", bad("tenant", "this connection does not serve the tenant that is named")
	}
	owner := presumed(conn, said.Tenant)
	if said.Account != "" {
		owner, _ = conn.Route(said.Account)
	}
	switch {
	case owner == "" && said.Account != "":
		return "", bad("account", "no tenant has this account: add it to the connection's routes")
	case owner == "":
		return "", bad("tenant", "this connection serves several tenants: name one in the body, as no signature covers the header")
	case named != "" && named != owner:
		return "", bad("tenant", "the account belongs to another tenant than the one that is named")
	}
	if _, err := dir.Tenant(owner); err != nil {
		return "", unauthorised("disabled tenant")
	}
	return owner, nil
}

// noteUnmapped has the account of a genuine webhook counted that no tenant has,
// so that an operator sees who gets no notes. The webhook is refused anyway. Of
// a flood only the beginning of each minute is counted.
func (rc *Receiver) noteUnmapped(ctx context.Context, conn tenant.Connection, account string) {
	if rc.Unmapped == nil {
		return
	}
	if count, _ := rc.unmapped.more(conn.ID, rc.Now()); count > maxUnmapped {
		return
	}
	if err := rc.Unmapped(ctx, conn.ID, account); err != nil {
		rc.Log.WarnContext(ctx, "an unmapped account is not listed", "operation", "note_unmapped", "connection", conn.ID, "error", err.Error())
	}
}

// presumed gives the tenant of a genuine delivery as far as it is known before
// the delivery is read: the one it claims, if the connection serves that, or
// the only one that the connection serves. "" where there is no telling.
func presumed(conn tenant.Connection, claimed string) tenant.ID {
	if id := tenant.ID(claimed); conn.Serves(id) {
		return id
	}
	if claimed != "" {
		return ""
	}
	var only tenant.ID
	for _, id := range conn.Routes {
		if only != "" && only != id {
			return ""
		}
		only = id
	}
	return only
}

// wholes are the fields of a form that may hold the whole webhook as JSON.
var wholes = []string{"payload", "input_data"}

// claims scans a body that nobody vouches for yet for the tenants that it
// names: as tenant_id or tenant, in a form or at the top of a JSON object, or
// in the JSON of a form's field payload or input_data. It gives each name
// once, at most two, as two are one too many, and reads JSON only as far as it
// is sound.
func claims(form bool, body []byte) []string {
	var names []string
	add := func(name string) (more bool) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
		return len(names) < 2
	}
	if form {
		scanForm(body, add)
	} else {
		scan(body, add)
	}
	return names
}

// scanForm calls found with the tenants in the first fields of a form, until
// that returns false.
func scanForm(body []byte, found func(name string) (more bool)) {
	fields, _ := url.ParseQuery(string(head(body))) // what cannot be parsed is left out
	for _, key := range []string{"tenant_id", "tenant"} {
		for _, name := range fields[key] {
			if !found(name) {
				return
			}
		}
	}
	for _, key := range wholes {
		for _, text := range fields[key] {
			if !scan([]byte(text), found) {
				return
			}
		}
	}
}

// head gives the first maxKeys fields of a form.
func head(form []byte) []byte {
	end := 0
	for range maxKeys {
		i := bytes.IndexByte(form[end:], '&')
		if i < 0 {
			return form
		}
		end += i + 1
	}
	return form[:end-1]
}

// scan calls found with the tenants at the top of a JSON object, until that
// returns false, which it then returns, too.
func scan(object []byte, found func(name string) (more bool)) (more bool) {
	return members(object, func(key string, value []byte) bool {
		var name string
		return (key != "tenant_id" && key != "tenant") || json.Unmarshal(value, &name) != nil || found(name)
	})
}

// single gives the value of a header that may stand only once. Several values
// give what no valid value looks like: all of them, with commas.
func single(h http.Header, name string) string {
	return strings.Join(h.Values(name), ",")
}
