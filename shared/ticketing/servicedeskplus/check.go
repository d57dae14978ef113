package servicedeskplus

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// noNote is the id of a note that no instance has: ids begin at 1.
const noNote = "0"

// The permissions, by the product's own names (contracts 4.1).
const (
	viewRequests = "View requests"
	readNotes    = "View notes of requests"
	writeNotes   = "Add and edit notes of requests"
)

// Check implements ticketing.Checker. Whether notes may be written is asked by
// the edit of a note that is not there: who may gets "not found", who may not
// is refused, and nothing is written either way. The product may look for the
// note before it looks at the permission, so a "not found" proves less than a
// refusal does.
func (t *tool) Check(ctx context.Context) []ticketing.Permission {
	newest, err := t.newest(ctx)
	found := []ticketing.Permission{{Name: viewRequests, Err: err}}
	if err == nil && newest == "" {
		none := errors.New("there is no request to ask with: make one, and test again")
		return append(found, ticketing.Permission{Name: readNotes, Err: none}, ticketing.Permission{Name: writeNotes, Err: none})
	}
	if err != nil {
		unasked := fmt.Errorf("not asked, without %q", viewRequests)
		return append(found, ticketing.Permission{Name: readNotes, Err: unasked}, ticketing.Permission{Name: writeNotes, Err: unasked})
	}
	_, err = t.noteRows(ctx, newest, 1, false)
	found = append(found, ticketing.Permission{Name: readNotes, Err: err})
	_, err = t.writeNote(ctx, http.MethodPut, notesPath(newest)+"/"+noNote, "Deskhand asks for a permission.")
	if errors.Is(err, ticketing.ErrNotFound) || errors.Is(err, ticketing.ErrRejected) {
		err = nil
	}
	return append(found, ticketing.Permission{Name: writeNotes, Err: err})
}

// newest gives the id of a request, "" where the credential sees none.
func (t *tool) newest(ctx context.Context) (string, error) {
	var a struct {
		Requests []request `json:"requests"`
	}
	query := page(1)
	query.Info.RowCount = 1
	if err := t.read(ctx, http.MethodGet, "requests", query, &a); err != nil {
		return "", err
	}
	for _, r := range a.Requests {
		if id := string(r.ID); digits(id) {
			return id, nil
		}
	}
	return "", nil
}
