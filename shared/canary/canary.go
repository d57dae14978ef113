// Package canary makes and finds leak canaries: words that stand in decoys
// among a tenant's data and nowhere else. A canary in a text of another tenant
// says that data of its owner leaked, wherever on the way that was. It is
// pure: who owns a canary is for the database to say.
package canary

import (
	"crypto/rand"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// pattern is a canary. It is one word of small letters, so that escaping,
// cutting to whole words and redaction leave it as it is; and it begins with
// fixed letters, so that looking for it is one quick pass.
var pattern = regexp.MustCompile(`dhcanary[a-p]{32}`)

// New makes a canary of 128 random bits: nobody guesses one.
func New() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	token := []byte("dhcanary")
	for _, b := range random {
		token = append(token, 'a'+b>>4, 'a'+b&15)
	}
	return string(token)
}

// Find gives every word of the texts that looks like a canary, each once, in
// any case of letters. Whether it is one, and whose, only the database knows.
func Find(texts ...string) []string {
	var found []string
	for _, text := range texts {
		found = append(found, pattern.FindAllString(strings.ToLower(text), -1)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Connection is the connection that decoys are stored under. No connection has
// a name like this.
const Connection = "_canary"

// Decoys gives a tenant's decoys: a past ticket, an article and a system that
// carry its canary where a note would show it. Ticket and article share words
// with the decoys of all tenants and with nothing else, so that a probe finds
// every decoy that it can see, and the ranking of real texts stays as it is.
// The system has addresses that many tickets name.
func Decoys(token string, solved time.Time) (ticket.Ticket, ticketing.Article, ticketing.System) {
	return ticket.Ticket{
			Key: "decoy", Number: token, Subject: baitTitle, Description: baitText + own(token), Resolution: token + " is a decoy.",
			Closed: true, Created: solved, Resolved: solved,
		},
		ticketing.Article{Key: "decoy", Title: baitTitle + " " + token, Text: token + " " + baitText},
		ticketing.System{Key: "decoy", Hostname: token, Role: "decoy", Addresses: []string{baitAddress, "192.168.0.1", "192.168.1.1", "192.168.178.1"}}
}

// own are words of the token, which keep two tenants' decoys from being near
// copies of each other: a search would show but one of them.
func own(token string) (words string) {
	for part := range slices.Chunk([]byte(token), 5) {
		words += " " + string(part)
	}
	return words
}

// The words that only decoys have.
const (
	baitTitle   = "dhdecoy dhbait dhlure"
	baitText    = "dhfeather dhnest dhperch dhseed dhmirror dhbell"
	baitAddress = "10.0.0.1"
)

// Bait is a ticket that is like every decoy. Who searches for it finds the
// decoys that it can see: its own, or others where isolation fails.
func Bait() ticket.Ticket {
	return ticket.Ticket{Key: "bait", Subject: baitTitle, Description: baitText + " " + baitAddress}
}
