package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/secret"
)

func TestATextIsHiddenWhateverPrintsIt(t *testing.T) {
	t.Parallel()
	text := secret.New("hunter2")
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("x", "key", text, "inside", struct{ K secret.Text }{text})
	asJSON, err := json.Marshal(map[string]any{"key": text, "list": []secret.Text{text}})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(asJSON), text.String()}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, text), fmt.Sprintf(verb, &text), fmt.Sprintf(verb, []any{struct{ K secret.Text }{text}}), fmt.Sprintf(verb, struct{ k secret.Text }{text}))
	}
	for _, p := range printed {
		if strings.Contains(p, "hunter2") || strings.Contains(p, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("printed %q", p)
		}
	}
	if text.Reveal() != "hunter2" || text.Empty() || !(secret.Text{}).Empty() {
		t.Error("Reveal or Empty is wrong")
	}
}

func TestATextIsReadFromTheEnvironment(t *testing.T) {
	t.Parallel()
	var text secret.Text
	if err := text.UnmarshalText([]byte("hunter2")); err != nil || text.Reveal() != "hunter2" {
		t.Errorf("%q, %v", text.Reveal(), err)
	}
}
