package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/deskhand/deskhand/shared/redact"
)

// identifiers are what a note needs, each by a pattern that has nothing in
// common with those of package redact.
var identifiers = []struct {
	name    string
	pattern *regexp.Regexp
}{
	{"IP addresses", regexp.MustCompile(`\b(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}\b`)},
	{"versions", regexp.MustCompile(`\b\d{1,5}(?:\.\d{1,5}){1,4}\b`)},
	{"host names and URLs", regexp.MustCompile(`(?i)\bhttps?://[^\s<>"')\]]+|\b(?:[a-z0-9-]+\.){2,}[a-z]{2,6}\b`)},
	{"hardware addresses", regexp.MustCompile(`(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b`)},
	{"GUIDs", regexp.MustCompile(`(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b`)},
	{"error codes", regexp.MustCompile(`(?i)\b0x[0-9a-f]{2,16}\b|\b[A-Z]{2,8}-?\d{3,}\b`)},
	{"product ids", regexp.MustCompile(`\b\d{5}-\d{5}-\d{5}-[A-Z]{5}\b`)},
	{"offsets in a stack", regexp.MustCompile(`\b0x[0-9a-f]+ \+ \d+(?: \d+)?`)},
	{"dates", regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b`)},
	{"ticket and bug numbers", regexp.MustCompile(`(?i)(?:#|\b(?:bug|ticket|case|issue|question|questions/|id=)[ /]?#?)\d{3,}\b`)},
	{"prices and amounts", regexp.MustCompile(`[$€£] ?\d[\d.,]*|\b\d[\d.,]* ?(?:€|EUR|USD|GB|MB|KB|ms|%)`)},
}

// address is where an identifier is part of an e-mail address, which is rightly
// taken out.
var address = regexp.MustCompile(`\S+@\S+|\S+%40\S+`)

// maxMasked is how many of 10,000 identifiers may be taken for addresses.
const maxMasked = 5

// masking prints how many identifiers were taken out, and whether that is few
// enough and every text comes back.
func masking(out, detail io.Writer, texts []text) bool {
	all, taken, lost := map[string]int{}, map[string]int{}, 0
	counts, size, start := map[string]int{}, 0, time.Now()
	took := time.Duration(0)
	for _, t := range texts {
		m := redact.NewMask()
		began := time.Now()
		clean := m.Text(t.body)
		took += time.Since(began)
		size += len(t.body)
		secretless, _ := redact.Text(t.body)
		if m.Restore(clean) != secretless {
			lost++
		}
		for name, n := range m.Counts() {
			counts[name] += n
		}
		if m.Counts()[redact.Phone] > 0 {
			for _, place := range regexp.MustCompile(`\[phone-\d+-[a-z]{8}\]`).FindAllString(clean, 3) {
				i := strings.Index(clean, place)
				fmt.Fprintf(detail, "phone: %q in %q\n", m.Restore(place), m.Restore(clean[max(i-40, 0):min(i+60, len(clean))]))
			}
		}
		without := address.ReplaceAllString(secretless, " ")
		for _, id := range identifiers {
			for _, s := range id.pattern.FindAllString(without, -1) {
				all[id.name]++
				if !strings.Contains(clean, s) {
					taken[id.name]++
					fmt.Fprintf(detail, "%s: %q\n", id.name, s)
				}
			}
		}
	}
	sum, wrong := 0, 0
	for _, id := range identifiers {
		fmt.Fprintf(out, "  %-26s %8d, taken for addresses %d\n", id.name, all[id.name], taken[id.name])
		sum, wrong = sum+all[id.name], wrong+taken[id.name]
	}
	fmt.Fprintf(out, "masking: %d texts, %d MB in %s of %s; e-mail addresses %d, telephone numbers %d\n",
		len(texts), size>>20, took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), counts[redact.Email], counts[redact.Phone])
	fmt.Fprintf(out, "masking: identifiers wrongly masked: %d of %d; texts that do not come back: %d\n", wrong, sum, lost)
	return lost == 0 && sum > 0 && wrong*10_000 <= maxMasked*sum
}
