package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// The limits of one delivery. The vendors' own webhooks stay far below them.
const (
	maxBody = 1 << 20
	// maxHeaders and maxHeaderBytes are for all headers together.
	maxHeaders     = 100
	maxHeaderBytes = 16 << 10
	// maxKeys is how many keys at the top of a JSON object, and how many fields
	// of a form, are looked at before the body is known to be genuine; a form
	// has no more.
	maxKeys = 256
	// maxDepth is how deep a JSON body may be nested, and maxValues how many
	// values it may have, in lists and objects together.
	maxDepth  = 64
	maxValues = 10_000
)

// headersTooLarge counts what the headers of a request take.
func headersTooLarge(h http.Header) bool {
	lines, size := 0, 0
	for name, values := range h {
		for _, v := range values {
			lines++
			size += len(name) + len(": \r\n") + len(v)
		}
	}
	return lines > maxHeaders || size > maxHeaderBytes
}

// misnamed tells whether a body that is called a form is JSON. Read as a form,
// the text of a ticket in it could name another ticket; and the name of the
// content is not signed.
func misnamed(form bool, body []byte) bool {
	body = bytes.TrimLeft(body, " \t\r\n")
	return form && len(body) > 0 && (body[0] == '{' || body[0] == '[')
}

// tooComplex tells whether there is too much in a body of permitted size.
func tooComplex(form bool, body []byte) bool {
	if !form {
		return crowded(body)
	}
	if bytes.Count(body, []byte("&")) >= maxKeys {
		return true
	}
	fields, _ := url.ParseQuery(string(body)) // what cannot be parsed is left out
	for _, key := range wholes {
		for _, text := range fields[key] {
			if crowded([]byte(text)) {
				return true
			}
		}
	}
	return false
}

// crowded tells whether JSON is nested too deep or has too many values. JSON
// that is broken is not: no decoder gets as far as making something of it.
func crowded(object []byte) bool {
	depth, values, quoted := 0, 0, false
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			values++
		case c == '}' || c == ']':
			depth--
		case c == ',':
			values++
		}
		if depth > maxDepth || values > maxValues {
			return json.Valid(object)
		}
	}
	return false
}

const (
	// maxFailures is how many webhooks a minute of one source, for one tenant or
	// connection, are told that they are not genuine; more are told to wait. Of
	// one source, whatever it names, as many refusals have a line in the log.
	maxFailures = 30
	// maxSources bounds what is remembered of a minute.
	maxSources = 10_000
	// maxUnmapped is how many webhooks a minute of accounts that no tenant has
	// are counted in the database, for one connection.
	maxUnmapped = 30
)

// minute counts what happened in the last minute, by whose it is. Each process
// counts for itself.
type minute[Who comparable] struct {
	mu    sync.Mutex
	since time.Time
	seen  map[Who]int
}

// failure is who sent a webhook that was refused before it was known to be
// genuine, and for what tenant or connection, as it was named: nothing depends
// on whether there is one. They are counted apart from those of tenants and only
// after they have failed: a flood makes neither the log long nor a genuine
// sender wait, even one behind the same proxy.
type failure struct {
	source netip.Prefix
	named  string
}

// more counts one more and tells which of its minute it is, and when the next
// minute begins. Where there are too many to be told apart, the new ones share
// one count.
func (m *minute[Who]) more(who Who, now time.Time) (count int, after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if age := now.Sub(m.since); age >= time.Minute || age < 0 {
		m.since, m.seen = now, map[Who]int{}
	}
	if _, known := m.seen[who]; !known && len(m.seen) >= maxSources {
		who = *new(Who)
	}
	m.seen[who]++
	return m.seen[who], time.Minute - now.Sub(m.since)
}

// sourceOf gives the address of a sender as far as one sender has one: a
// network of 64 bits where it is IPv6. Behind a proxy it is the proxy's.
func sourceOf(remote string) netip.Prefix {
	addr, err := netip.ParseAddr(remote) // Lambda tells no port
	if port, e := netip.ParseAddrPort(remote); e == nil {
		addr, err = port.Addr(), nil
	}
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	network, _ := addr.Prefix(min(addr.BitLen(), 64))
	return network
}

// flooded gives the answer to a delivery that is refused before it is known to
// be genuine, or because its tenant is disabled. Where its source fails too often
// in one name, that is to wait; where it is refused too often in all, it has one
// more line in the log and then none. The log counts apart, so that nobody who invents names fills up what is
// remembered of other sources. Every other error it gives back.
func (rc *Receiver) flooded(r *http.Request, d *delivery, err error) error {
	refused, ok := errors.AsType[*refusal](err)
	unauthorised := ok && refused.status == http.StatusUnauthorized
	if !ok || (d.genuine && !unauthorised) || refused.status >= http.StatusInternalServerError {
		return err
	}
	said, source, now := *refused, sourceOf(r.RemoteAddr), rc.Now()
	if unauthorised {
		named := strings.Clone(d.named) // a part of the body, all of which the map would keep in memory
		if count, after := rc.failures.more(failure{source, named}, now); count > maxFailures {
			said = refusal{status: http.StatusTooManyRequests, text: "too many webhooks that are not authenticated", after: after, event: "webhook_flood"}
		}
	}
	if lines, _ := rc.lines.more(source, now); lines > maxFailures {
		said.event, said.quiet = "webhook_flood", lines > maxFailures+1
	}
	return &said
}
