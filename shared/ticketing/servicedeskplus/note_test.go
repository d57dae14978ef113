package servicedeskplus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
	fake "github.com/deskhand/deskhand/shared/ticketing/servicedeskplus/servicedeskplusfake"
)

const mark = "DH-0123456789abcdef"

func ours(markdown string) ticket.Note { return ticket.Note{Marker: mark, Markdown: markdown} }

// lastInput gives the input_data of the last call of a route.
func (i instance) lastInput(t *testing.T, route string) map[string]any {
	t.Helper()
	var input map[string]any
	for _, c := range i.Calls() {
		if c.Route == route {
			input = nil
			if err := json.Unmarshal([]byte(c.Input), &input); err != nil {
				t.Fatal(err)
			}
		}
	}
	return input
}

func TestNoteIsSentWithEveryFlagThatKeepsItInternal(t *testing.T) {
	t.Parallel()
	for dialect, wrapper := range map[fake.Dialect]string{fake.OnPrem: "note", fake.Cloud: "request_note"} {
		i := connect(t, fake.Options{Dialect: dialect})
		key := i.AddTicket(ticket.Ticket{})
		if _, err := i.PutNote(t.Context(), key, ours("hello")); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{wrapper: map[string]any{
			"description": "<p>hello</p>\n<p>Ref: " + mark + "</p>", "show_to_requester": false,
			"notify_technician": false, "mark_first_response": false, "add_to_linked_requests": false,
		}}
		if diff := cmp.Diff(want, i.lastInput(t, postNote)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", dialect, diff)
		}
	}
}

func TestOtherNoteKeyIsTriedOnceAndRemembered(t *testing.T) {
	t.Parallel()
	for dialect, wrapper := range map[fake.Dialect]string{fake.OnPrem: fake.WrapRequestNote, fake.Cloud: fake.WrapNote} {
		i := connect(t, fake.Options{Dialect: dialect, Wrapper: wrapper})
		key := i.AddTicket(ticket.Ticket{})
		for n := range 2 {
			note := ours("hello")
			note.Marker = fmt.Sprint("DH-", n)
			if _, err := i.PutNote(t.Context(), key, note); err != nil {
				t.Fatal(err)
			}
		}
		if calls := i.Count(postNote); calls != 3 || len(i.Server.Notes(key)) != 2 {
			t.Errorf("%s: %d calls and %d notes, want 3 and 2", dialect, calls, len(i.Server.Notes(key)))
		}
	}
}

func TestConfiguredNoteKeyIsUsed(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{Wrapper: fake.WrapBoth})
	i.tool = openTool(t, with(values(i.url, fake.OnPrem), "note_wrapper", "request_note"))
	if _, err := i.PutNote(t.Context(), i.AddTicket(ticket.Ticket{}), ours("hello")); err != nil {
		t.Fatal(err)
	}
	if _, ok := i.lastInput(t, postNote)["request_note"]; !ok {
		t.Errorf("sent %v", i.lastInput(t, postNote))
	}
}

func TestRefusalOfBothNoteKeysIsTheFirstOne(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	i.Fail(fake.Fault{Route: postNote, Status: 400, Body: envelope("4001", "description is not usable")})
	i.Fail(fake.Fault{Route: postNote, Status: 400, Body: envelope("4001", "Extra key found in JSON")})
	_, err := i.PutNote(t.Context(), i.AddTicket(ticket.Ticket{}), ours("hello"))
	if !errors.Is(err, ticketing.ErrRejected) || !strings.Contains(err.Error(), "not usable") {
		t.Errorf("error is %v", err)
	}
	if i.wrapper.Load() != wrapNote {
		t.Errorf("remembers %v", i.wrapper.Load())
	}
}

func TestNoteWithoutMarkerIsRefused(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	_, err := i.PutNote(t.Context(), i.AddTicket(ticket.Ticket{}), ticket.Note{Markdown: "x", Search: true})
	if !errors.Is(err, ticketing.ErrRejected) {
		t.Errorf("error is %v", err)
	}
}

func TestUnchangedNoteIsNotWritten(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect})
		key := i.AddTicket(ticket.Ticket{})
		// The product may store our HTML in its own way.
		id, err := i.AddNote(key, "<div><p>see\n <a href=\"https://e.test/1\" rel=\"nofollow\">this</a></p><p>Ref: "+mark+"</p></div>", false)
		if err != nil {
			t.Fatal(err)
		}
		same, other := ours("see [this](https://e.test/1)"), ours("see [this](https://e.test/2)")
		same.Search, other.ID = true, id
		if got, err := i.PutNote(t.Context(), key, same); err != nil || got != id || i.Count("PUT requests/{id}/notes/{note}") != 0 {
			t.Errorf("%s: same text: note %s and %v", dialect, got, err)
		}
		if got, err := i.PutNote(t.Context(), key, other); err != nil || got != id || i.Count("PUT requests/{id}/notes/{note}") != 1 {
			t.Errorf("%s: another link: note %s and %v", dialect, got, err)
		}
	}
}

func TestOurPublicNoteIsMadeInternal(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	id, err := i.AddNote(key, "<p>hello</p><p>Ref: "+mark+"</p>", true)
	if err != nil {
		t.Fatal(err)
	}
	n := ours("hello")
	n.ID = id
	if _, err := i.PutNote(t.Context(), key, n); err != nil || i.Server.Notes(key)[0].Public {
		t.Errorf("%v, stored %+v", err, i.Server.Notes(key))
	}
}

func TestSearchReadsNewestNotesFirstAndHasAnEnd(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	for n := range 250 {
		text := fmt.Sprintf("<p>note %d</p>", n)
		if n == 247 {
			text += "<p>Ref: " + mark + "</p>"
		}
		if _, err := i.AddNote(key, text, false); err != nil {
			t.Fatal(err)
		}
	}
	n := ours("note 247")
	n.Search = true
	id, err := i.PutNote(t.Context(), key, n)
	if err != nil || id != i.Server.Notes(key)[247].ID {
		t.Errorf("found note %s and %v", id, err)
	}
	if lists, reads := i.Count("GET requests/{id}/notes"), i.Count("GET requests/{id}/notes/{note}"); lists != 3 || reads != 3 {
		t.Errorf("%d lists and %d reads, want 3 and 3", lists, reads)
	}
	n.Marker = "DH-another"
	if _, err := i.PutNote(t.Context(), key, n); err != nil || i.Count("GET requests/{id}/notes/{note}") != 3+maxNoteReads {
		t.Errorf("%v after %d reads, want %d", err, i.Count("GET requests/{id}/notes/{note}"), 3+maxNoteReads)
	}
}

func TestNewestOfManyNotesAreListedFirst(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		var seconds atomic.Int64
		i := connect(t, fake.Options{Dialect: dialect, Now: func() time.Time { return time.Unix(1767225600+seconds.Add(1), 0) }})
		key := i.AddTicket(ticket.Ticket{})
		newest := ""
		for range maxNotePages*pageRows + 10 {
			id, err := i.AddNote(key, "<p>Ref: "+mark+"</p>", false)
			if err != nil {
				t.Fatal(err)
			}
			newest = id
		}
		for name, faults := range map[string][]fake.Fault{
			"sorted":            {},
			"sorting refused":   {{Status: 400, Body: envelope("4001", "sort_field")}},
			"sorting not built": {{Times: 3, Status: 500, Body: envelope("4004", "x")}},
		} {
			for _, f := range faults {
				f.Route = "GET requests/{id}/notes"
				i.Fail(f)
			}
			notes, err := i.listNotes(t.Context(), key)
			if err != nil || len(notes) != maxNotePages*pageRows || (string(notes[0].ID) == newest) != (len(faults) == 0) {
				t.Errorf("%s, %s: %d notes and %v, want the newest first where they can be sorted", dialect, name, len(notes), err)
			}
		}
	}
}

func TestNoteOfUnknownIDIsLookedForBeforeItIsAdded(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	stored, err := i.AddNote(key, "<p>Ref: "+mark+"</p>", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"999", "not-an-id"} {
		n := ours("new text")
		n.ID = id
		if got, err := i.PutNote(t.Context(), key, n); err != nil || got != stored || len(i.Server.Notes(key)) != 1 {
			t.Errorf("id %s: note %s and %v, %d notes", id, got, err, len(i.Server.Notes(key)))
		}
	}
}

func TestDoubtfulWriteIsReadBackAndNeverRepeated(t *testing.T) {
	t.Parallel()
	const list = "GET requests/{id}/notes"
	const later = time.Hour // the server's Close is sooner
	maintenance := http.Header{"Retry-After": {"1"}}
	for name, test := range map[string]struct {
		faults []fake.Fault
		want   error
		posts  int
	}{
		"stored, no answer":             {[]fake.Fault{{Route: postNote, DropAfter: true}}, nil, 1},
		"stored, empty answer":          {[]fake.Fault{{Route: postNote, Empty: true}}, nil, 1},
		"stored, answer cut":            {[]fake.Fault{{Route: postNote, Truncate: true}}, nil, 1},
		"stored later, 502":             {[]fake.Fault{{Route: postNote, Status: 502, Later: later}}, ticketing.ErrIndeterminate, 1},
		"stored later, 503":             {[]fake.Fault{{Route: postNote, Status: 503, Body: `{"error":"down"}`, Later: later}}, ticketing.ErrIndeterminate, 1},
		"stored later, 503 with a wait": {[]fake.Fault{{Route: postNote, Status: 503, Header: maintenance, Later: later}}, ticketing.ErrIndeterminate, 1},
		"stored later, 504":             {[]fake.Fault{{Route: postNote, Status: 504, Later: later}}, ticketing.ErrIndeterminate, 1},
		"stored later, dropped":         {[]fake.Fault{{Route: postNote, Drop: true, Later: later}}, ticketing.ErrIndeterminate, 1},
		"stored later, login page":      {[]fake.Fault{{Route: postNote, HTML: true, Later: later}}, ticketing.ErrIndeterminate, 1},
		"not stored, bad gateway":       {[]fake.Fault{{Route: postNote, Status: 502}}, ticketing.ErrIndeterminate, 1},
		"not stored, no note":           {[]fake.Fault{{Route: postNote, Status: 200, Body: "{}"}}, ticketing.ErrIndeterminate, 1},
		"nothing can be read":           {[]fake.Fault{{Route: postNote, DropAfter: true}, {Route: list, Times: -1, Status: 500}}, ticketing.ErrIndeterminate, 1},
		"the product failed":            {[]fake.Fault{{Route: postNote, Times: 2, Status: 500, Body: envelope("4004", "x")}}, nil, 3},
		"the product failed for good":   {[]fake.Fault{{Route: postNote, Times: -1, Status: 500, Body: envelope("4004", "x")}}, ticketing.ErrUnavailable, 3},
		"failed, then no answer":        {[]fake.Fault{{Route: postNote, Status: 500, Body: envelope("4004", "x")}, {Route: postNote, DropAfter: true}}, nil, 2},
		"limited for a moment":          {[]fake.Fault{{Route: postNote, Status: 429, Header: http.Header{"Retry-After": {"1"}}}}, nil, 2},
		"refused":                       {[]fake.Fault{{Route: postNote, Status: 400, Body: envelope("4012", "x")}}, ticketing.ErrRejected, 1},
	} {
		i := connect(t, fake.Options{})
		key := i.AddTicket(ticket.Ticket{})
		for _, f := range test.faults {
			i.Fail(f)
		}
		n := ours("hello")
		id, err := i.PutNote(t.Context(), key, n)
		if !errors.Is(err, test.want) || i.Count(postNote) != test.posts {
			t.Errorf("%s: %v after %d posts, want %v after %d", name, err, i.Count(postNote), test.want, test.posts)
		}
		if errors.Is(err, ticketing.ErrIndeterminate) {
			i.Server.Close() // what is stored later is stored now
			i.Heal()
			n.Search = true
			if id, err = i.PutNote(t.Context(), key, n); err != nil {
				t.Errorf("%s, then a search: %v", name, err)
			}
		}
		if notes := i.Server.Notes(key); err == nil && (len(notes) != 1 || notes[0].ID != id) {
			t.Errorf("%s: note %s, stored %+v", name, id, notes)
		}
	}
}

func TestFoundNoteThatCannotBeEditedIsNotAddedAgain(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	if _, err := i.AddNote(key, "<p>old text</p><p>Ref: "+mark+"</p>", false); err != nil {
		t.Fatal(err)
	}
	i.Fail(fake.Fault{Route: postNote, Drop: true})
	i.Fail(fake.Fault{Route: "PUT requests/{id}/notes/{note}", Times: -1, Status: 503})
	_, err := i.PutNote(t.Context(), key, ours("new text"))
	if !errors.Is(err, ticketing.ErrUnavailable) || i.Count(postNote) != 1 {
		t.Errorf("%v after %d posts, want one", err, i.Count(postNote))
	}
}

func TestNoteThatOnlyQuotesOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect})
		key := i.AddTicket(ticket.Ticket{})
		theirs, err := i.AddNote(key, "<blockquote>hello<br>Ref: "+mark+"</blockquote><p>I tried this, no luck.</p>", false)
		if err != nil {
			t.Fatal(err)
		}
		id := ""
		for name, n := range map[string]ticket.Note{
			"found":   {Marker: mark, Markdown: "ours", Search: true},
			"by id":   {Marker: mark, Markdown: "ours", ID: theirs},
			"unclear": {Marker: mark, Markdown: "ours " + mark + " in the middle", ID: theirs},
		} {
			got, err := i.PutNote(t.Context(), key, n)
			notes := i.Server.Notes(key)
			if err != nil || got == theirs || len(notes) != 2 || !strings.Contains(notes[0].Body, "no luck") || (id != "" && got != id) {
				t.Errorf("%s, %s: note %s and %v, stored %+v", dialect, name, got, err, notes)
			}
			id = got
		}
	}
}

func TestEveryNoteEndsWithItsMarker(t *testing.T) {
	t.Parallel()
	for _, markdown := range []string{
		"", "text", "a " + mark + " in the middle", "foot. Ref: " + mark + "\n", "```\nopen", "- " + mark + "\n- b",
		"[x]: " + mark, "[" + mark + "](https://e.test/" + mark + ")", "**Ref: " + mark + "**", "<!-- " + mark, "a\\",
	} {
		for _, format := range []string{"html", "markdown"} {
			got, err := body(ticket.Note{Marker: mark, Markdown: markdown, Format: format})
			if err != nil || !endsWith(got, mark) {
				t.Errorf("%s %q: %q, %v", format, markdown, got, err)
			}
		}
	}
	foot := "Deskhand: evidence found: 3. Ref: " + mark
	if got, err := body(ticket.Note{Marker: mark, Markdown: foot}); err != nil || got != "<p>"+foot+"</p>" {
		t.Errorf("a foot with the marker became %q, %v", got, err)
	}
}

func TestDoubtfulWriteIsNotTakenForAnOlderNote(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	old, err := i.AddNote(key, "<p>old text</p><p>Ref: "+mark+"</p>", false)
	if err != nil {
		t.Fatal(err)
	}
	i.Fail(fake.Fault{Route: postNote, Drop: true})
	id, err := i.PutNote(t.Context(), key, ours("new text"))
	notes := i.Server.Notes(key)
	if err != nil || id != old || len(notes) != 1 || !strings.Contains(notes[0].Body, "new text") {
		t.Errorf("note %s and %v, stored %+v", id, err, notes)
	}
}

func TestWriteThatTheContextEndsIsIndeterminate(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	i.Fail(fake.Fault{Route: postNote, Delay: 300 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := i.PutNote(ctx, key, ours("hello")); !errors.Is(err, ticketing.ErrIndeterminate) {
		t.Errorf("error is %v", err)
	}
}

const deletion = "DELETE requests/{id}/notes/{note}"

func TestLeakedNoteIsDeletedOrHiddenByTheNextTry(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	n := ours("first")
	id, err := i.PutNote(t.Context(), key, n)
	if err != nil {
		t.Fatal(err)
	}
	i.LeakNotes(true)
	n.ID, n.Markdown = id, "second"
	if _, err := i.PutNote(t.Context(), key, n); !errors.Is(err, ticketing.ErrRejected) || len(i.Server.Notes(key)) != 0 {
		t.Errorf("edited: %v, stored %+v", err, i.Server.Notes(key))
	}
	i.Fail(fake.Fault{Route: deletion, Times: -1, Status: http.StatusForbidden, Body: envelope("4002", "no")})
	n = ours("third")
	_, err = i.PutNote(t.Context(), key, n)
	if !errors.Is(err, ticketing.ErrIndeterminate) || errors.Is(err, ticketing.ErrRejected) || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("not deleted: %v", err)
	}
	i.LeakNotes(false)
	n.Search = true
	if _, err := i.PutNote(t.Context(), key, n); err != nil || len(i.Server.Notes(key)) != 1 || i.Server.Notes(key)[0].Public {
		t.Errorf("next try: %v, stored %+v", err, i.Server.Notes(key))
	}
}

func TestDeletionWithoutAnAnswerOfItsOwnIsSuccess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault fake.Fault
		want  error
		calls int
	}{
		"no content":     {fake.Fault{Status: 204}, ticketing.ErrRejected, 1},
		"empty":          {fake.Fault{Status: 200}, ticketing.ErrRejected, 1},
		"gone":           {fake.Fault{Status: 404, Body: envelope("4007", "x")}, ticketing.ErrRejected, 1},
		"gone, in JSON":  {fake.Fault{Status: 404, Body: `{}`}, ticketing.ErrRejected, 1},
		"done, no word":  {fake.Fault{DropAfter: true}, ticketing.ErrRejected, 2},
		"login page":     {fake.Fault{Times: -1, HTML: true}, ticketing.ErrIndeterminate, 3},
		"empty with 500": {fake.Fault{Times: -1, Status: 500}, ticketing.ErrIndeterminate, 3},
	} {
		i := connect(t, fake.Options{})
		i.LeakNotes(true)
		test.fault.Route = deletion
		i.Fail(test.fault)
		_, err := i.PutNote(t.Context(), i.AddTicket(ticket.Ticket{}), ours("hello"))
		if !errors.Is(err, test.want) || i.Count(deletion) != test.calls {
			t.Errorf("%s: %v after %d calls, want %v after %d", name, err, i.Count(deletion), test.want, test.calls)
		}
	}
}

func TestLeakedNoteIsDeletedThoughTheCallerIsGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	i := connect(t, fake.Options{})
	key := i.AddTicket(ticket.Ticket{})
	id, err := i.AddNote(key, "x", true)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := i.keepInternal(ctx, key, note{ID: text(id), Public: true}); !errors.Is(err, ticketing.ErrRejected) {
		t.Errorf("error is %v", err)
	}
	if notes := i.Server.Notes(key); len(notes) != 0 {
		t.Errorf("stored %+v", notes)
	}
}

func TestRehearsalCreatesAndReadsNotes(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		i := connect(t, fake.Options{Dialect: dialect})
		key, err := i.Create(t.Context(), "smoke\ntest", "line one\nline <two>")
		if err != nil {
			t.Fatalf("%s: %v", dialect, err)
		}
		got, err := i.Ticket(t.Context(), key)
		if err != nil || got.Subject != "smoke test" || got.Description != "line one\nline <two>" {
			t.Errorf("%s: %+v, %v", dialect, got, err)
		}
		if _, err := i.PutNote(t.Context(), key, ours("hello")); err != nil {
			t.Fatal(err)
		}
		notes, err := i.tool.Notes(t.Context(), key)
		if diff := cmp.Diff(i.Server.Notes(key), notes); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", dialect, err, diff)
		}
	}
}

func TestRehearsalTellsWhatFailed(t *testing.T) {
	t.Parallel()
	i := connect(t, fake.Options{})
	if _, err := i.Create(t.Context(), " ", "x"); !errors.Is(err, ticketing.ErrRejected) {
		t.Errorf("without a subject: %v", err)
	}
	i.Fail(fake.Fault{Route: "POST requests", DropAfter: true})
	if _, err := i.Create(t.Context(), "a", "x"); !errors.Is(err, ticketing.ErrIndeterminate) || len(i.Tickets()) != 1 {
		t.Errorf("without an answer: %v and %d tickets", err, len(i.Tickets()))
	}
	i.Fail(fake.Fault{Route: "POST requests", Status: 200, Body: "{}"})
	if _, err := i.Create(t.Context(), "a", "x"); !errors.Is(err, ticketing.ErrIndeterminate) {
		t.Errorf("without a request in the answer: %v", err)
	}
	if _, err := i.tool.Notes(t.Context(), "424242"); !errors.Is(err, ticketing.ErrNotFound) {
		t.Errorf("notes of no ticket: %v", err)
	}
}
