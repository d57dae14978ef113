// Package ticketingtest holds every ticketing tool to the promises of the
// port: what the caller of ticketing.Tool relies on, in tests that know nothing
// of the tool behind it.
package ticketingtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Trouble is something that the tool behind the adapter can be made to do.
type Trouble string

// The troubles. Each lasts until the end of the test, but for those of one
// call that say so.
const (
	Down       Trouble = "down"        // every call is answered 503
	LoginPage  Trouble = "login page"  // every call is answered 200 with HTML
	Limited    Trouble = "limited"     // every call is refused for a rate limit that ends in 30 s
	Silent     Trouble = "silent"      // no call is answered in less than 3 s
	LostAnswer Trouble = "lost answer" // the next new note is stored, and its connection dropped
	LateAnswer Trouble = "late answer" // the next new note is stored after the adapter's client gave up
	LateStore  Trouble = "late store"  // the next new note fails at once in a proxy, and is stored half a second later
	LostCall   Trouble = "lost call"   // the connection of the next new note is dropped, and nothing stored
	Leak       Trouble = "leak"        // every note is shown to the requester, whatever the call says
)

// Harness is a tool under test and the means to arrange what is behind it.
// Its HTTP client gives up after about a second, and its pauses between tries
// are short.
type Harness struct {
	Tool   ticketing.Tool
	Denied ticketing.Tool // the same instance, opened with a wrong credential
	// AddTicket puts a ticket into the tool and gives its key.
	AddTicket func(ticket.Ticket) string
	// Notes gives the notes of a ticket as the tool stores them.
	Notes func(key string) []ticketing.PostedNote
	// DeleteNote deletes a note, as a technician would.
	DeleteNote func(key, noteID string)
	// Trouble starts a trouble.
	Trouble func(Trouble)
	// Heal ends every trouble.
	Heal func()
	// Created gives the delivery by which the tool announces a new ticket.
	Created func(key string) ticketing.Delivery
	// MissingKey is a well-formed key that no ticket has.
	MissingKey string
}

// Run runs the suite. Every test opens a harness of its own.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Harness){
		"ticket is read":                           ticketIsRead,
		"work on a ticket is seen":                 workIsSeen,
		"hostile text survives as text":            hostileText,
		"missing ticket is not found":              missingTicket,
		"strange key is not found":                 strangeKey,
		"wrong credential is denied":               denied,
		"note is internal and carries its marker":  noteIsInternal,
		"same note again changes nothing":          noteTwice,
		"note is edited by its id":                 noteEdited,
		"note is found by its marker":              noteFound,
		"deleted note is written anew":             noteDeleted,
		"concurrent notes keep to their tickets":   concurrentNotes,
		"lost answer leaves one note":              lostAnswer,
		"late answer leaves one note":              lateAnswer,
		"late store leaves one note":               lateStore,
		"lost call is tried again":                 lostCall,
		"leaked note is taken back":                leak,
		"trouble comes as the right error":         troubles,
		"cancelled call returns soon":              cancelled,
		"resolved tickets are listed once":         listing,
		"delivery names its ticket":                delivery,
		"broken delivery is invalid, with reasons": brokenDelivery,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// sample is an ordinary ticket.
func sample() ticket.Ticket {
	return ticket.Ticket{
		Subject:     "VPN drops every hour",
		Description: "Since this morning.\nGateway 10.20.0.5 & <b>both</b> sites.",
		Priority:    "High",
		Status:      "Open",
		Requester:   "Ana Ruiz",
		Created:     time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC),
	}
}

const marker = "DH-0123456789abcdef"

func noteOf(markdown string) ticket.Note {
	return ticket.Note{Marker: marker, Markdown: markdown, Format: "html"}
}

// put puts a note and fails the test where that fails.
func put(t *testing.T, h Harness, key string, n ticket.Note) string {
	t.Helper()
	id, err := h.Tool.PutNote(t.Context(), key, n)
	if err != nil {
		t.Fatalf("PutNote on %s: %v", key, err)
	}
	if id == "" {
		t.Fatalf("PutNote on %s gave no id", key)
	}
	return id
}

// only gives the one note of the ticket.
func only(t *testing.T, h Harness, key string) ticketing.PostedNote {
	t.Helper()
	notes := h.Notes(key)
	if len(notes) != 1 {
		t.Fatalf("ticket %s has %d notes, want 1: %+v", key, len(notes), notes)
	}
	if notes[0].Public {
		t.Errorf("note %s of ticket %s is shown to the requester", notes[0].ID, key)
	}
	return notes[0]
}

// want fails the test unless err is target.
func want(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error is %v, want %v", what, err, target)
	}
}

// soon gives a context for a call that has to come back quickly.
func soon(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// folded is text with white space folded.
func folded(s string) string { return strings.Join(strings.Fields(s), " ") }
