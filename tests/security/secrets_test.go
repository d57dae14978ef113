package security_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

// secrets are all that the installation has, by name, as they are and as they
// may be written.
func (w *world) secrets() map[string]string {
	w.t.Helper()
	plain := map[string]string{
		"acme's signing secret": signing("acme").Reveal(), "globex' signing secret": signing("globex").Reveal(),
		"acme's key": apiKey("acme"), "globex' key": apiKey("globex"), "the model's key": w.cfg.OpenAIKey.Reveal(), "the administrator's password": password,
		"the sealing key": w.material(),
	}
	for name, address := range map[string]secret.Text{"app_user's password": w.cfg.DatabaseURL, "queue_user's password": w.cfg.DatabaseQueueURL, "admin_user's password": w.cfg.DatabaseAdminURL} {
		u, err := url.Parse(address.Reveal())
		if err != nil {
			w.t.Fatal("a database has no URL")
		}
		plain[name], _ = u.User.Password()
	}
	all := map[string]string{}
	for name, s := range plain {
		if len(s) < 8 {
			w.t.Fatalf("%s is too short to be looked for", name)
		}
		all[name] = s
		all[name+" in base64"] = strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")
		all[name+" in hexadecimal"] = hex.EncodeToString([]byte(s))
	}
	return all
}

// material is the key itself out of the keyset.
func (w *world) material() string {
	w.t.Helper()
	var set struct {
		Key []struct {
			KeyData struct {
				Value string `json:"value"`
			} `json:"keyData"`
		} `json:"key"`
	}
	if err := json.Unmarshal([]byte(w.cfg.SealingKey.Reveal()), &set); err != nil || len(set.Key) == 0 {
		w.t.Fatal("the sealing key is no keyset")
	}
	return set.Key[0].KeyData.Value
}

// provoke makes everything fail that knows a secret, and has each failure quote
// it. It gives the answers that a caller got.
func (w *world) provoke() (answers []string) {
	w.t.Helper()
	for i, f := range []servicedeskplusfake.Fault{
		{Route: "GET requests/{id}", Status: 401, Body: echo(4022)},
		{Route: "GET requests/{id}", Status: 400, Body: echo(4012)},
		{Route: "GET requests/{id}", Status: 500, Body: "proxy: " + apiKey("acme")},
		{Route: "POST requests/{id}/notes", Status: 400, Body: echo(4012)},
		{Route: "POST requests/{id}/notes", Status: 403, Body: "<html>authtoken " + apiKey("acme")},
		{Route: "GET requests/{id}", Status: 302, Header: http.Header{"Location": {"https://evil.example/?authtoken=" + apiKey("acme")}}},
	} {
		w.desks["acme"].Fail(f)
		w.model.Next(llmtest.Status(401, "wrong key sk-model-key"))
		w.created("acme")
		w.eventually(fmt.Sprintf("a try that the tool's failure %d ends", i), func() bool {
			return w.count("SELECT count(*) FROM enhancement_history WHERE tries > 0 AND (error <> '' OR status <> 'pending')") > i
		})
		w.desks["acme"].Heal()
	}
	key, body := signing("acme").Reveal(), `{"ticket_id":"1"}`
	for _, h := range []map[string]string{
		{"X-ServiceDesk-Token": key},
		{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte("acme:"+key))},
		{"Authorization": "Bearer " + key},
		{"X-ServiceDesk-Signature": key},
		{"X-Tenant-ID": key},
		{"Cookie": "session=" + key},
		{"User-Agent": key},
		{"traceparent": key},
		{"baggage": "secret=" + key},
	} {
		_, answer := w.post("/webhook/servicedesk/acme", body, secret.Text{}, h)
		answers = append(answers, answer)
	}
	_, answer := w.post("/webhook/servicedesk/acme?token="+key, body, secret.Text{}, nil)
	answers = append(answers, answer)
	_, answer = w.post("/webhook/servicedesk/acme", `{"ticket_id":"`+key+`","tenant_id":"`+key+`"`, signing("acme"), nil)
	return append(answers, answer)
}

// echo is an error of the tool that quotes the credential.
func echo(code int) string {
	return fmt.Sprintf(`{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":%d,"type":"failed","message":"bad authtoken %s","field":%q}]}}`, code, apiKey("acme"), apiKey("acme"))
}

// created opens a ticket and sends its webhook.
func (w *world) created(id tenant.ID) (key string) {
	w.t.Helper()
	key = w.desks[id].AddTicket(ticket.Ticket{Subject: "Print jobs wait", Description: "The queue is stuck.", Status: "Open"})
	if code, answer := w.post("/webhook/servicedesk/"+string(id), fmt.Sprintf(`{"event":"request.created","request_id":%q}`, key), signing(id), nil); code != http.StatusAccepted {
		w.t.Fatalf("the webhook is answered %d %s", code, answer)
	}
	return key
}

// administer asks the admin API with and without the right password.
func (w *world) administer() (answers []string) {
	w.t.Helper()
	for _, path := range []string{"/tenants", "/tenants/acme", "/connections", "/connections/acme", "/tokens", "/tokens?password=" + password, "/openapi.json"} {
		for _, word := range []string{password, password + "x"} {
			r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"/api/v1"+path, nil)
			if err != nil {
				w.t.Fatal(err)
			}
			r.SetBasicAuth(administrator, word)
			_, answer := w.do(r)
			answers = append(answers, answer)
		}
	}
	return answers
}

// TestA02_A09_NoSecretIsInAnythingThatComesOut has all failures that know a
// secret quote it, at the most talkative log level, and then looks for every
// secret in everything that anybody can read.
func TestA02_A09_NoSecretIsInAnythingThatComesOut(t *testing.T) {
	t.Parallel()
	w := start(t)
	note := w.created("globex")
	w.eventually("a note", func() bool { return len(w.desks["globex"].Notes(note)) > 0 })
	out := map[string]string{"an answer to a webhook": strings.Join(w.provoke(), "\n"), "an answer to an administrator": strings.Join(w.administer(), "\n")}
	for name, path := range map[string]string{"the metrics": "/metrics", "the readiness": "/readyz"} {
		_, out[name] = w.get(path)
	}
	out["the log"], out["Redis"] = w.log.String(), w.redis.Dump()
	out["the notes"], out["the prompts"] = fmt.Sprint(w.desks["globex"].Notes(note)), ""
	for _, call := range w.model.Calls() {
		out["the prompts"] += fmt.Sprint(call.Body.Messages)
	}
	out["the command's output"] = w.cli("tenant", "list") + w.cli("queue", "depth") + w.cli("queue", "peek", "--dead") + w.cli("audit", "export", "--tenant", "acme", "--since", "2026-01-01")
	for _, table := range []string{"enhancement_history", "audit_events", "tenant_configs", "connections", "river.river_job"} {
		var rows string
		if err := w.owner.QueryRow(t.Context(), "SELECT coalesce(string_agg(to_jsonb(x)::text, E'\n'), '') FROM "+table+" x").Scan(&rows); err != nil {
			t.Fatal(err)
		}
		out["the table "+table] = rows
	}
	var c tally
	for where, text := range out {
		for name, s := range w.secrets() {
			c.attempts++
			if strings.Contains(text, s) {
				c.breach(t, "%s has %s", where, name)
			}
		}
	}
	c.tell(t)
}
