package ticketingtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func noteIsInternal(t *testing.T, h Harness) {
	for _, format := range []string{"html", "markdown"} {
		key := h.AddTicket(sample())
		id := put(t, h, key, ticket.Note{Marker: marker, Format: format, Markdown: "### Similar tickets\n\n- [SUP-17](https://example.test/17): lower the **MTU**"})
		got := only(t, h, key) // and not public
		if got.ID != id {
			t.Errorf("%s: id is %q, stored %q", format, id, got.ID)
		}
		for _, text := range []string{marker, "Similar tickets", "SUP-17", "https://example.test/17", "MTU"} {
			if !strings.Contains(got.Body, text) {
				t.Errorf("%s: the note lacks %q: %s", format, text, got.Body)
			}
		}
	}
}

func noteTwice(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	n := noteOf("### Similar tickets\n\n1. first & second\n2. `third`")
	first := put(t, h, key, n)
	stored := only(t, h, key).Body
	n.ID = first
	if again := put(t, h, key, n); again != first {
		t.Errorf("by id: note %s became %s", first, again)
	}
	n.ID, n.Search = "", true
	if again := put(t, h, key, n); again != first {
		t.Errorf("by marker: note %s became %s", first, again)
	}
	if now := only(t, h, key).Body; now != stored {
		t.Errorf("the note changed from %q to %q", stored, now)
	}
}

func noteEdited(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	n := noteOf("from the evidence alone")
	n.ID = put(t, h, key, n)
	n.Markdown = "with the model"
	id, err := h.Tool.PutNote(t.Context(), key, n)
	if errors.Is(err, ticketing.ErrImmutable) {
		return // a tool that cannot edit says so
	}
	if err != nil || id != n.ID {
		t.Fatalf("edit note %s: %q, %v", n.ID, id, err)
	}
	got := only(t, h, key)
	if !strings.Contains(got.Body, "with the model") || strings.Contains(got.Body, "evidence alone") {
		t.Errorf("after the edit the note says %q", got.Body)
	}
}

func noteFound(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	other := noteOf("another note, of somebody else, who quotes " + marker + " of ours")
	other.Marker = "DH-fedcba9876543210"
	first := put(t, h, key, noteOf("ours"))
	put(t, h, key, other)

	again := noteOf("ours")
	again.Search = true
	if id := put(t, h, key, again); id != first {
		t.Errorf("the marker is on note %s, found %s", first, id)
	}
	if notes := h.Notes(key); len(notes) != 2 {
		t.Errorf("%d notes, want ours and the other: %+v", len(notes), notes)
	}
}

func noteDeleted(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	n := noteOf("ours")
	n.ID = put(t, h, key, n)
	h.DeleteNote(key, n.ID)
	if id := put(t, h, key, n); id == n.ID {
		t.Errorf("note %s was deleted, and is said to be there", id)
	}
	only(t, h, key)
}

func concurrentNotes(t *testing.T, h Harness) {
	var wg sync.WaitGroup
	for i := range 8 {
		key := h.AddTicket(sample())
		wg.Go(func() {
			n := noteOf(fmt.Sprintf("for ticket number %d only", i))
			n.Marker = fmt.Sprintf("DH-%016d", i)
			if _, err := h.Tool.PutNote(t.Context(), key, n); err != nil {
				t.Errorf("ticket %s: %v", key, err)
				return
			}
			if notes := h.Notes(key); len(notes) != 1 || !strings.Contains(notes[0].Body, n.Marker) {
				t.Errorf("ticket %s has %+v", key, notes)
			}
		})
	}
	wg.Wait()
}

// eventually puts a note as the queue would: a try that may have written is
// followed by one that looks first.
func eventually(t *testing.T, h Harness, key string) {
	t.Helper()
	n := noteOf("ours")
	for range 5 {
		id, err := h.Tool.PutNote(t.Context(), key, n)
		if err == nil {
			if got := only(t, h, key); got.ID != id {
				t.Errorf("id is %q, stored %q", id, got.ID)
			}
			return
		}
		if !errors.Is(err, ticketing.ErrIndeterminate) && !errors.Is(err, ticketing.ErrUnavailable) {
			t.Fatalf("PutNote: error is %v, want a transient one", err)
		}
		n.Search = true
	}
	t.Fatal("five tries did not put the note")
}

func lostAnswer(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(LostAnswer)
	eventually(t, h, key)
}

func lateAnswer(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(LateAnswer)
	_, err := h.Tool.PutNote(t.Context(), key, noteOf("ours"))
	if err != nil {
		want(t, "PutNote", err, ticketing.ErrIndeterminate)
	}
	lateNote(t, h, key)
}

func lateStore(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(LateStore)
	_, err := h.Tool.PutNote(t.Context(), key, noteOf("ours"))
	want(t, "PutNote", err, ticketing.ErrIndeterminate) // half a second is longer than its pauses
	lateNote(t, h, key)
}

// lateNote waits for the note that is stored late, and puts it once more.
func lateNote(t *testing.T, h Harness, key string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for len(h.Notes(key)) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("the late note never came")
		}
		time.Sleep(20 * time.Millisecond)
	}
	eventuallySearching(t, h, key)
}

func eventuallySearching(t *testing.T, h Harness, key string) {
	t.Helper()
	n := noteOf("ours")
	n.Search = true
	put(t, h, key, n)
	only(t, h, key)
}

func lostCall(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(LostCall)
	eventually(t, h, key)
}

func leak(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(Leak)
	_, err := h.Tool.PutNote(t.Context(), key, noteOf("ours"))
	for _, n := range h.Notes(key) {
		if n.Public {
			t.Errorf("note %s stays visible to the requester", n.ID)
		}
	}
	if len(h.Notes(key)) == 0 {
		want(t, "PutNote", err, ticketing.ErrRejected)
	}
}

func troubles(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	for trouble, target := range map[Trouble]error{Down: ticketing.ErrUnavailable, LoginPage: ticketing.ErrUnavailable} {
		h.Trouble(trouble)
		_, err := h.Tool.Ticket(t.Context(), key)
		want(t, "Ticket while "+string(trouble), err, target)
		_, err = h.Tool.PutNote(t.Context(), key, noteOf("ours"))
		if !errors.Is(err, ticketing.ErrUnavailable) && !errors.Is(err, ticketing.ErrIndeterminate) {
			t.Errorf("PutNote while %s: error is %v, want a transient one", trouble, err)
		}
		h.Heal()
	}
	h.Trouble(Limited)
	_, err := h.Tool.Ticket(t.Context(), key)
	limited, ok := errors.AsType[*ticketing.LimitedError](err)
	if !ok || limited.After < 25*time.Second || limited.After > 10*time.Minute {
		t.Errorf("Ticket while limited: error is %v, want *LimitedError of about 30 s", err)
	}
	_, err = h.Tool.PutNote(t.Context(), key, noteOf("ours"))
	if _, ok := errors.AsType[*ticketing.LimitedError](err); !ok {
		t.Errorf("PutNote while limited: error is %v, want *LimitedError", err)
	}
	h.Heal()
	eventually(t, h, key)
}

func cancelled(t *testing.T, h Harness) {
	key := h.AddTicket(sample())
	h.Trouble(Silent)
	for name, call := range map[string]func(context.Context) error{
		"Ticket": func(ctx context.Context) error {
			_, err := h.Tool.Ticket(ctx, key)
			return err
		},
		"PutNote": func(ctx context.Context) error {
			_, err := h.Tool.PutNote(ctx, key, noteOf("ours"))
			return err
		},
	} {
		start := time.Now()
		err := call(soon(t, 50*time.Millisecond))
		if took := time.Since(start); err == nil || took > time.Second {
			t.Errorf("%s: %v after %s, want an error soon after the context's end", name, err, took)
		}
	}
}
