package servicedeskplus

import (
	"errors"
	"net/http"
	"testing"

	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

func TestCheckNamesThePermissionThatIsMissing(t *testing.T) {
	t.Parallel()
	const refused = `{"response_status":{"status_code":4000,"status":"failed","messages":[{"status_code":4002,"type":"failed","message":"not authorised"}]}}`
	for _, dialect := range dialects {
		for name, c := range map[string]struct {
			route   string
			missing []string
		}{
			"nothing":   {"", nil},
			"requests":  {"GET requests", []string{viewRequests, readNotes, writeNotes}},
			"notes":     {"GET requests/{id}/notes", []string{readNotes}},
			"no writes": {"PUT requests/{id}/notes/{note}", []string{writeNotes}},
		} {
			t.Run(string(dialect)+"/"+name, func(t *testing.T) {
				t.Parallel()
				i := connect(t, fake.Options{Dialect: dialect})
				key, err := i.tool.Create(t.Context(), "a printer", "does not print")
				if err != nil {
					t.Fatal(err)
				}
				if c.route != "" {
					i.Fail(fake.Fault{Route: c.route, Times: -1, Status: http.StatusForbidden, Body: refused})
				}
				var missing []string
				for _, p := range i.tool.Check(t.Context()) {
					if p.Err != nil {
						missing = append(missing, p.Name)
					}
					if p.Err != nil && len(missing) == 1 && !errors.Is(p.Err, ticketing.ErrDenied) {
						t.Errorf("%s: %v, want ErrDenied", p.Name, p.Err)
					}
				}
				if len(missing) != len(c.missing) || len(missing) > 0 && missing[0] != c.missing[0] {
					t.Errorf("missing %q, want %q", missing, c.missing)
				}
				i.Heal()
				if notes, err := i.tool.Notes(t.Context(), key); err != nil || len(notes) > 0 {
					t.Errorf("the check left %d notes, %v", len(notes), err)
				}
			})
		}
	}
}

func TestCheckSaysThatThereIsNoRequest(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Dialect: fake.OnPrem})
	found := i.tool.Check(t.Context())
	if len(found) != 3 || found[0].Err != nil || found[1].Err == nil || found[2].Err == nil {
		t.Errorf("found %v", found)
	}
}
