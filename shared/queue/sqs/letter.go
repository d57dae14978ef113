package sqs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
)

// letter is a message as SQS keeps it. The body is never changed: a copy is
// the same body with other attributes.
type letter struct {
	body       string // base64 of what queue.Seal made
	attributes map[string]string
	delay      time.Duration
}

// The message attributes. SQS takes no empty ones, and ten at most.
const (
	attrID       = "id"
	attrTenant   = "tenant"
	attrKind     = "kind"
	attrPriority = "priority" // "low", or none
	attrSent     = "sent"
	attrErrors   = "errors" // none for no errors
	attrDue      = "due"    // of a message that is put off for longer than SQS can
	attrReason   = "reason" // of a dead letter, sealed
	attrDied     = "died"   // of a dead letter
)

const (
	// maxDelay is the longest that SQS holds a message back.
	maxDelay = 15 * time.Minute

	// maxReason keeps what an upstream said from filling the queue.
	maxReason = 2000

	// maxAttribute has room for a sealed reason.
	maxAttribute = 4000
)

var errNotOurs = errors.New("not a message of this product: attributes are missing or malformed")

func (q *Queue) seal(m queue.Message) (letter, error) {
	sealed, err := queue.Seal(q.Box, q.Name, m)
	if err != nil {
		return letter{}, err
	}
	if m.Sent.IsZero() {
		m.Sent = q.Now()
	}
	l := letter{body: base64.StdEncoding.EncodeToString(sealed), attributes: map[string]string{
		attrID: m.ID, attrTenant: string(m.Tenant), attrKind: m.Kind, attrSent: stamp(m.Sent),
	}}
	if m.Priority == queue.Low {
		l.attributes[attrPriority] = "low"
	}
	return l.after(m.Delay, q.Now()), nil
}

// open is the message of l. Where it cannot be opened, the error says why, and
// the message is what there is of it.
func (q *Queue) open(l letter) (queue.Message, error) {
	a := l.attributes
	m := queue.Message{ID: a[attrID], Tenant: tenant.ID(a[attrTenant]), Kind: a[attrKind]}
	if a[attrPriority] == "low" {
		m.Priority = queue.Low
	}
	var err error
	if m.Sent, err = time.Parse(time.RFC3339Nano, a[attrSent]); err != nil || m.ID == "" {
		return m, fmt.Errorf("sqs: message %.100q of queue %s: %w", m.ID, q.Name, errNotOurs)
	}
	if n := a[attrErrors]; n != "" {
		if m.Errors, err = strconv.Atoi(n); err != nil || m.Errors < 0 {
			return m, fmt.Errorf("sqs: message %.100q of queue %s: %w", m.ID, q.Name, errNotOurs)
		}
	}
	sealed, err := base64.StdEncoding.DecodeString(l.body)
	if err != nil {
		return m, fmt.Errorf("sqs: message %.100q of queue %s: %w", m.ID, q.Name, errNotOurs)
	}
	err = queue.Open(q.Box, q.Name, &m, sealed)
	return m, err
}

// sealReason seals why a message died, cut to what is worth keeping: it quotes
// what tools and models said, and they may quote a ticket.
func (q *Queue) sealReason(id, reason string) (string, error) {
	if len(reason) > maxReason {
		reason = reason[:maxReason] + "..."
	}
	sealed, err := q.Box.Seal([]byte(strings.ToValidUTF8(reason, "")), q.reasonOf(id))
	return base64.StdEncoding.EncodeToString(sealed), err
}

// openReason opens what sealReason sealed. Where SQS alone knows why, there is
// nothing to open.
func (q *Queue) openReason(id, sealed string) string {
	if sealed == "" {
		return "SQS gave up: the workers that received it died, or could not settle it"
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return errNotOurs.Error()
	}
	reason, err := q.Box.Open(raw, q.reasonOf(id))
	if err != nil {
		return err.Error()
	}
	return string(reason)
}

func (q *Queue) reasonOf(id string) string { return "queue/" + q.Name + "/" + id + "/reason" }

// with is a copy of l with some attributes changed: "" removes one. What is
// not ours does not travel.
func (l letter) with(changes map[string]string) letter {
	c := letter{body: l.body, attributes: map[string]string{}}
	maps.Copy(c.attributes, l.attributes)
	maps.Copy(c.attributes, changes)
	known := []string{attrID, attrTenant, attrKind, attrPriority, attrSent, attrErrors, attrDue, attrReason, attrDied}
	ours := make(map[string]string, len(known))
	for _, name := range known {
		if v := storable(c.attributes[name]); v != "" {
			ours[name] = v
		}
	}
	c.attributes = ours
	return c
}

// after is a copy of l that comes in d from now. SQS holds it for 15 minutes
// at most; due makes the receiver send it on until then.
func (l letter) after(d time.Duration, now time.Time) letter {
	due := "" // for none
	if d > maxDelay {
		due, d = stamp(now.Add(d)), maxDelay
	}
	c := l.with(map[string]string{attrDue: due})
	c.delay = d
	return c
}

// early is how long l must still wait.
func (l letter) early(now time.Time) time.Duration {
	due, err := time.Parse(time.RFC3339Nano, l.attributes[attrDue])
	if err != nil {
		return 0
	}
	return due.Sub(now)
}

// seconds is d as SQS counts, rounded up.
func seconds(d time.Duration) int32 {
	const most = 12 * time.Hour // that SQS hides a message
	return int32((min(max(d, 0), most) + time.Second - 1) / time.Second)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// storable cuts s to what an attribute takes: what XML allows.
func storable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD, r >= 0x10000:
			return r
		}
		return -1
	}, strings.ToValidUTF8(s[:min(len(s), maxAttribute)], ""))
}
