package sqs

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestABatchHoldsAMegabyteAtMost(t *testing.T) {
	t.Parallel()
	l := letter{body: strings.Repeat("x", 300_000), attributes: map[string]string{attrID: "job"}}
	b := batch{}
	for b.fits(l) {
		b.letters, b.size = append(b.letters, l), b.size+l.size()
	}
	if len(b.letters) != 3 || b.size < 900_000 || b.size > 1<<20 {
		t.Errorf("a batch holds %d letters and %d bytes, want 3 in less than a megabyte", len(b.letters), b.size)
	}
}

func TestSecondsAreNeverFewer(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]int32{
		-time.Hour: 0, 0: 0, 1: 1, time.Second: 1, time.Second + 1: 2, 15 * time.Minute: 900, 1000 * time.Hour: 43_200, 1<<63 - 1: 43_200,
	} {
		if got := seconds(d); got != want {
			t.Errorf("%s are %d seconds, want %d", d, got, want)
		}
	}
}

func TestALetterWaitsQuartersOfAnHour(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l := letter{attributes: map[string]string{attrID: "job"}}.after(40*time.Minute, now)
	for _, want := range []time.Duration{15 * time.Minute, 15 * time.Minute, 10 * time.Minute, 0} {
		if l.delay != want {
			t.Errorf("at %s the delay is %s, want %s", now, l.delay, want)
		}
		now = now.Add(l.delay)
		l = l.after(max(l.early(now), 0), now)
	}
	if l.attributes[attrDue] != "" || l.attributes[attrID] != "job" {
		t.Errorf("attributes %v, want the id and nothing due", l.attributes)
	}
}

func FuzzAnAttributeIsStorable(f *testing.F) {
	f.Add("upstream said \x00\xff \ufffe\x1f\t")
	f.Add(strings.Repeat("é", 2500))
	f.Fuzz(func(t *testing.T, s string) {
		got := storable(s)
		if len(got) > maxAttribute || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\x01\x1f\ufffe\uffff") {
			t.Errorf("%q is stored as %q", s, got)
		}
	})
}
