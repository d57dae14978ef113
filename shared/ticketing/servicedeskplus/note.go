package servicedeskplus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// The keys by which builds name a note in their API.
const (
	wrapNote        = "note"
	wrapRequestNote = "request_note"
)

// The bounds of a search for our own note: pages listed, and bodies fetched,
// the newest first, where the list leaves them out.
const (
	maxNotePages = 5
	maxNoteReads = 30
)

// noteInput is a note as we write it: never shown to the requester, and no
// robot's note stops the clock of the first response.
type noteInput struct {
	Description       string `json:"description"`
	ShowToRequester   bool   `json:"show_to_requester"`
	NotifyTechnician  bool   `json:"notify_technician"`
	MarkFirstResponse bool   `json:"mark_first_response"`
	AddToLinked       bool   `json:"add_to_linked_requests"`
}

// noteAnswer is a note, or a list of them, by whichever key the build has.
type noteAnswer struct {
	listed
	Note         note   `json:"note"`
	RequestNote  note   `json:"request_note"`
	Notes        []note `json:"notes"`
	RequestNotes []note `json:"request_notes"`
}

func (a noteAnswer) one() note {
	if a.Note.ID == "" {
		return a.RequestNote
	}
	return a.Note
}

// PutNote implements ticketing.Tool.
func (t *tool) PutNote(ctx context.Context, key string, n ticket.Note) (string, error) {
	var id string
	err := t.byNumber(ctx, key, func(key string) (err error) {
		id, err = t.putNote(ctx, key, n)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("servicedeskplus: put note on %s: %w", key, err)
	}
	return id, nil
}

func (t *tool) putNote(ctx context.Context, key string, n ticket.Note) (string, error) {
	if n.Marker == "" {
		return "", fmt.Errorf("%w: a note needs a marker by which it is found again", ticketing.ErrRejected)
	}
	html, err := body(n)
	if err != nil {
		return "", err
	}
	search := n.Search
	if n.ID != "" {
		stored, err := t.readNote(ctx, key, n.ID)
		if err == nil && endsWith(stored.body(), n.Marker) {
			return t.editNote(ctx, key, stored, html)
		}
		if err != nil && !errors.Is(err, ticketing.ErrNotFound) {
			return "", err
		}
		search = true // somebody deleted it or made it theirs, or it stands there by another id
	}
	if search {
		stored, err := t.findNote(ctx, key, n.Marker)
		if err != nil {
			return "", err
		}
		if stored.ID != "" {
			return t.editNote(ctx, key, stored, html)
		}
	}
	return t.addNote(ctx, key, n.Marker, html)
}

// addNote adds a note. A call that the product itself refuses is made again; one
// whose end nobody knows never is, for the product may store the note later.
func (t *tool) addNote(ctx context.Context, key, marker, html string) (string, error) {
	var written note
	err := t.retry(ctx, func() (err error) {
		written, err = t.writeNote(ctx, http.MethodPost, notesPath(key), html)
		if f, ok := errors.AsType[*failure](err); ok && f.unknown {
			return fmt.Errorf("%w: %s", ticketing.ErrIndeterminate, f.Error()) // ends the tries
		}
		return err
	})
	if errors.Is(err, ticketing.ErrIndeterminate) {
		return t.lookBack(ctx, key, marker, html, err)
	}
	if err != nil {
		return "", err
	}
	return string(written.ID), t.keepInternal(ctx, key, written)
}

// lookBack looks once, after a pause, for a note whose write ended in doubt. A
// note that is not there yet may still come: that stays in doubt, and the
// caller comes back with a search.
func (t *tool) lookBack(ctx context.Context, key, marker, html string, doubt error) (string, error) {
	if !sleep(ctx, t.pauses[0]) {
		return "", doubt
	}
	stored, err := t.findNote(ctx, key, marker)
	if err != nil {
		return "", fmt.Errorf("%w; reading it back: %s", doubt, err.Error())
	}
	if stored.ID == "" {
		return "", fmt.Errorf("%w; there is no note yet", doubt)
	}
	return t.editNote(ctx, key, stored, html)
}

// editNote makes the stored note say html, without a call where it does.
func (t *tool) editNote(ctx context.Context, key string, stored note, html string) (string, error) {
	id := string(stored.ID)
	if !stored.Public && same(stored.body(), html) {
		return id, nil
	}
	var written note
	err := t.retry(ctx, func() (err error) {
		written, err = t.writeNote(ctx, http.MethodPut, notesPath(key)+"/"+id, html)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("edit note %s: %w", id, err)
	}
	return id, t.keepInternal(ctx, key, written)
}

// same tells whether two notes read the same. The product rewrites HTML, so
// their text and links are compared.
func same(a, b string) bool { return line(plain(a)) == line(plain(b)) }

// writeNote sends a note by the key that this build is believed to want, and
// once by the other, which is then remembered.
func (t *tool) writeNote(ctx context.Context, method, path, html string) (note, error) {
	wrapper, _ := t.wrapper.Load().(string)
	send := func(wrapper string) (note, error) {
		var a noteAnswer
		err := t.call(ctx, method, path, map[string]noteInput{wrapper: {Description: html}}, &a)
		if err == nil && a.one().ID == "" {
			err = &failure{class: ticketing.ErrUnavailable, words: "the answer has no note", unknown: true}
		}
		return a.one(), err
	}
	written, err := send(wrapper)
	if !has(err, codeExtraKey) {
		return written, err
	}
	other := wrapNote
	if wrapper == wrapNote {
		other = wrapRequestNote
	}
	written, second := send(other)
	if has(second, codeExtraKey) {
		return note{}, err // it was not the key
	}
	if second == nil {
		t.wrapper.Store(other)
	}
	return written, second
}

// keepInternal deletes a note that the product shows to the requester although
// it was told not to. It does so even if the caller gives up meanwhile. Where
// that fails, the next try finds the note by its marker and hides it.
func (t *tool) keepInternal(ctx context.Context, key string, written note) error {
	if !written.Public {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err := t.read(ctx, http.MethodDelete, notesPath(key)+"/"+string(written.ID), nil, nil)
	if err != nil && !errors.Is(err, ticketing.ErrNotFound) {
		return fmt.Errorf("%w: it shows note %s to the requester, and deleting it failed: delete it by hand if it stays: %s",
			ticketing.ErrIndeterminate, written.ID, err.Error())
	}
	return fmt.Errorf("%w: it showed note %s to the requester although told not to, so the note was deleted; check the business rules for notes", ticketing.ErrRejected, written.ID)
}

// findNote gives the newest note that ends with the marker, or none.
func (t *tool) findNote(ctx context.Context, key, marker string) (note, error) {
	notes, err := t.listNotes(ctx, key)
	if err != nil {
		return note{}, err
	}
	reads := 0
	for _, n := range notes {
		if n.Description == nil {
			if reads++; reads > maxNoteReads {
				break
			}
			if n, err = t.readNote(ctx, key, string(n.ID)); errors.Is(err, ticketing.ErrNotFound) {
				continue // deleted meanwhile
			} else if err != nil {
				return note{}, err
			}
		}
		if endsWith(n.body(), marker) {
			return n, nil
		}
	}
	return note{}, nil
}

// endsWith tells whether the marker is the end of what a note shows, as it is
// of ours. A note that only quotes one of ours is somebody else's.
func endsWith(html, marker string) bool { return strings.HasSuffix(line(plain(html)), marker) }

// listNotes gives the notes of a ticket, newest first, most of them without
// their bodies on-premises. Where there are more than it lists, the newest are
// among them if the build can sort notes by time: the vendor does not document
// by which field, so a refusal is answered by a list in the build's own order.
func (t *tool) listNotes(ctx context.Context, key string) ([]note, error) {
	var notes []note
	sorted := true
	for range maxNotePages {
		a, err := t.noteRows(ctx, key, len(notes)+1, sorted)
		if len(notes) == 0 && (errors.Is(err, ticketing.ErrRejected) || has(err, codeInternal)) {
			sorted = false
			a, err = t.noteRows(ctx, key, 1, sorted)
		}
		if err != nil {
			return nil, fmt.Errorf("list notes: %w", err)
		}
		rows := slices.Concat(a.Notes, a.RequestNotes)
		notes = append(notes, rows...)
		if len(rows) == 0 || !a.more() {
			break
		}
	}
	slices.SortStableFunc(notes, func(a, b note) int {
		return cmp.Or(b.added().Compare(a.added()), cmp.Compare(b.ID.int(), a.ID.int()))
	})
	return notes, nil
}

// noteRows lists one page of notes, from row start on.
func (t *tool) noteRows(ctx context.Context, key string, start int, sorted bool) (noteAnswer, error) {
	query := page(start)
	if sorted {
		query.Info.SortField, query.Info.SortOrder = "added_time", "desc"
		if t.cloud {
			query.Info.SortField = "created_time"
		}
	}
	var a noteAnswer
	err := t.read(ctx, http.MethodGet, notesPath(key), query, &a)
	return a, err
}

func (t *tool) readNote(ctx context.Context, key, id string) (note, error) {
	if !digits(id) {
		return note{}, fmt.Errorf("note %.40q: %w", id, ticketing.ErrNotFound)
	}
	var a noteAnswer
	if err := t.read(ctx, http.MethodGet, notesPath(key)+"/"+id, nil, &a); err != nil {
		return note{}, fmt.Errorf("read note %s: %w", id, err)
	}
	n := a.one()
	if n.ID == "" {
		return note{}, fmt.Errorf("read note %s: %w: the answer has no note", id, ticketing.ErrUnavailable)
	}
	return n, nil
}

func notesPath(key string) string { return "requests/" + key + "/notes" }
