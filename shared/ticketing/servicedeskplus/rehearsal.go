package servicedeskplus

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// Create implements ticketing.Rehearsal. It is not tried again: a rehearsal
// that leaves two tickets behind is worse than one that failed.
func (t *tool) Create(ctx context.Context, subject, description string) (string, error) {
	input := map[string]map[string]string{"request": {
		"subject":     cut(line(subject), 250),
		"description": strings.ReplaceAll(html.EscapeString(clean(description)), "\n", "<br />"),
	}}
	var a struct {
		Request request `json:"request"`
	}
	err := t.call(ctx, http.MethodPost, "requests", input, &a)
	if f, ok := errors.AsType[*failure](err); ok && f.unknown {
		err = fmt.Errorf("%w: %w", ticketing.ErrIndeterminate, err)
	}
	if err == nil && a.Request.ID == "" {
		err = fmt.Errorf("%w: the answer has no request", ticketing.ErrIndeterminate)
	}
	if err != nil {
		return "", fmt.Errorf("servicedeskplus: create request: %w", err)
	}
	return string(a.Request.ID), nil
}

// Notes implements ticketing.Rehearsal: the notes of a ticket, newest first,
// with their bodies.
func (t *tool) Notes(ctx context.Context, key string) ([]ticketing.PostedNote, error) {
	var posted []ticketing.PostedNote
	err := t.byNumber(ctx, key, func(key string) error {
		notes, err := t.listNotes(ctx, key)
		for _, n := range notes {
			if n.Description == nil {
				if n, err = t.readNote(ctx, key, string(n.ID)); err != nil {
					return err
				}
			}
			posted = append(posted, ticketing.PostedNote{ID: string(n.ID), Body: n.body(), Public: n.Public})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("servicedeskplus: notes of request %s: %w", key, err)
	}
	return posted, nil
}
