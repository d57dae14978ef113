package redact_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/redact"
)

// place is a placeholder, without its random part.
var place = regexp.MustCompile(`\[(email|phone)-(\d+)-[a-z]{8}\]`)

func TestAddressesGetPlaceholdersAndComeBack(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"write to bob.o'neil+it@mail.acme.example.", "write to [email-1]."},
		{"<mailto:bob@acme.example>, cc ann@acme.example; bob@acme.example", "<mailto:[email-1]>, cc [email-2]; [email-1]"},
		{"jörg@müller.example 田中@例え.テスト 'x@y.example'", "[email-1] [email-2] '[email-3]'"},
		{"?user=bob%40acme.example&x=1 bob＠acme.example", "?user=[email-1]&x=1 [email-2]"},
		{"bob@acme.example-old and (bob@acme.example)", "[email-1]-old and ([email-1])"},
		{"+49 30 1234567, +49 (0)30 / 1234-567 and +1-555-234-5678", "[phone-1], [phone-2] and [phone-3]"},
		{"0049 170 1234567 or (030) 1234-5678 or (555) 234-5678", "[phone-1] or [phone-2] or [phone-3]"},
		{"1-800-234-5678 555.234.5678 555 234 5678", "[phone-1] [phone-2] [phone-3]"},
		{"030 1234567; 0170/1234567; 020 7946 0958; 01 23 45 67 89", "[phone-1]; [phone-2]; [phone-3]; [phone-4]"},
		{"Tel. 1234567, Telefonnummer: 12345-67, call me back at 5552345678", "Tel. [phone-1], Telefonnummer: [phone-2], call me back at [phone-3]"},
		{"Tel.+49301234567\u00a0(mobil 0170 1234567)", "Tel.[phone-1]\u00a0(mobil [phone-2])"},
		{"+49 30 1234567 10.4.0.17", "[phone-1] 10.4.0.17"},
		{"bob@acme.example, password: hunter2", "[email-1], password: [redacted password]"},
	} {
		m := redact.NewMask()
		clean := m.Text(tt.in)
		if got := place.ReplaceAllString(clean, "[$1-$2]"); got != tt.want {
			t.Errorf("Text(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
		if back := m.Restore(clean); back != strings.ReplaceAll(tt.in, "hunter2", "[redacted password]") {
			t.Errorf("Restore(%q) = %q", clean, back)
		}
	}
}

func TestIdentifiersAreNoAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"10.4.0.17, 10.4.0.17:9100, 10.0.0.0/8, 192.168.178.1", "00:1A:2B:3C:4D:5E, 00-11-22-33-44-55, 001a.2b3c.4d5e, 0011.2233.4455",
		"version 10.0.19041.1, 115.4.1.0, 61.214.3.8, 102.15.1, v1.2.3-rc4, 1.2.3+20240102030405, 2024.03.02", "Phone 10.4.0.17, mobile 2024-03-02",
		"0x80070005, event 7031, 0xC000021A, KB5005565, HTTP 503, ORA-00942, AADSTS50076, error -2147024891, exit code 3221225477",
		"#1042, INC0012345, REQ-2026-000123, bug 1234567, ticket 555-123-4567-A, case 02345678, order 4500012345, asset 0012345678, PC-00123-456",
		"12345678-1234-1234-1234-123456789012, 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "2026-11-22 10:30:45, 22.11.2026, 01-02-2024 10:30, 02/03/2024, 20261122103045, 1700000000000",
		"1,234,567.89 EUR, $1 234 567, 123 456 789, 12.500,00 €, 1 000 000 rows", "00 01 02 03 04 05 06 07, ff 01 02 03 04 05, 01 02 03 04 05 06 07", "UTC+0200, GMT +0100, C++17, +12 %, +100000",
		"Product ID 00342-20727-95805-AAOEM", "0x000000011ce50333 0x117270000 + 96338739 11 XUL", "0010 - 09 52 42 f9 c9 f7",
		"root@srv-print-01, git@10.0.0.5, https://bob@files.acme.example/x, lodash@4.17.21, icon@2x.png, @everyone, user@", "IMEI 356938035643809, serial 5CD1234ABC, ISBN 978-3-16-148410-0",
		"D:\\0170\\1234567, /var/log/030/1234567, port 8080-8090, 1920x1080, 16 GB, 30000 ms, (404) not found, (see 12345678)",
	} {
		m := redact.NewMask()
		if clean := m.Text(s); clean != s {
			t.Errorf("Text(%q) gives %q", s, clean)
		}
		if clean, counts := redact.Anonymous(s); clean != s || counts != nil {
			t.Errorf("Anonymous(%q) gives %q, %v", s, clean, counts)
		}
	}
}

func TestEachMaskHasPlaceholdersOfItsOwn(t *testing.T) {
	t.Parallel()
	a, b := redact.NewMask(), redact.NewMask()
	one, two := a.Text("bob@acme.example"), b.Text("ann@globex.example")
	if one == two {
		t.Errorf("both say %s", one)
	}
	if got := b.Restore(one + " [email-1-k7f2]"); got != one+" [email-1-k7f2]" {
		t.Errorf("another mask restores %q", got)
	}
}

func TestAMaskPrintsItsCountsAlone(t *testing.T) {
	t.Parallel()
	m := redact.NewMask()
	m.Text("bob@acme.example and bob@acme.example, Tel. 1234567, password: hunter2")
	if diff := cmp.Diff(map[string]int{"email": 2, "phone": 1, "password": 1}, m.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "mask", m, "in", struct{ M *redact.Mask }{m})
	asJSON, _ := json.Marshal(m)
	printed := fmt.Sprintf("%v %+v %#v %s %q %d %v", m, m, m, m, m, m, []*redact.Mask{m}) + log.String() + string(asJSON)
	for _, value := range []string{"bob", "acme.example", "1234567", "hunter2"} {
		if strings.Contains(printed, value) {
			t.Errorf("%q is printed: %s", value, printed)
		}
	}
	if !strings.Contains(log.String(), `"email":2`) {
		t.Errorf("the log has no counts: %s", &log)
	}
}

func TestTheSameTextIsAnonymousInTheSameWay(t *testing.T) {
	t.Parallel()
	clean, counts := redact.Anonymous("bob@acme.example and ann@acme.example, Tel. 1234567, pwd=x1")
	if clean != "[email] and [email], Tel. [phone], pwd=[redacted password]" {
		t.Errorf("clean = %q", clean)
	}
	if diff := cmp.Diff(map[string]int{"email": 2, "phone": 1, "password": 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestWhatARestoredValueHoldsIsFitForJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := redact.NewMask()
		clean := m.Text(rapid.StringOf(rapid.SampledFrom([]rune("a.b@c.de\"\\\n\x00\u2028 +49301234567()-/"))).Draw(t, "text"))
		inside, _ := json.Marshal(clean)
		if back := m.Restore(string(inside)); !json.Valid([]byte(back)) {
			t.Fatalf("%s becomes %s", inside, back)
		}
	})
}

func TestHiddenCharactersGo(t *testing.T) {
	t.Parallel()
	if got := redact.Visible("p\u200ba\u202ess\u00adw\ufe0for\U000E0041d\x00:\n\tx\xff"); got != "password:\n\tx" {
		t.Errorf("Visible = %q", got)
	}
}

func TestHostileAddressesTakeLinearTime(t *testing.T) {
	t.Parallel()
	for _, piece := range []string{"a@", "a.", "a@b.", "a@b.cc.", "@", "1-", "+1", "(1", "0 ", "01 ", "+49 30 ", "tel ", "call me ", "a@b.cc ", "%40", "é", "\xff", "Tel. 1234567 "} {
		s := strings.Repeat(piece, 20_000/len(piece))
		m, start := redact.NewMask(), time.Now()
		clean := m.Text(s)
		if back := m.Restore(clean); back != s {
			t.Errorf("%q does not come back", piece)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%q: %s for %d bytes", piece, took, len(s))
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("bob@acme.example, +49 30 1234567, Tel. 1234567 password: hunter2")
	f.Add("password is +49 30 1234567! a@b.com@c.com 555-123-4567.0170 1234567 [email-1-bcdfghjk]")
	f.Add("01 23 45 67 89 01 02 (030) 123-4567%40x.yz")
	f.Fuzz(func(t *testing.T, s string) {
		m := redact.NewMask()
		clean := m.Text(s)
		if want, _ := redact.Text(s); m.Restore(clean) != want {
			t.Fatalf("%q\nbecomes  %q\nrestored %q", s, clean, m.Restore(clean))
		}
		before := m.Counts()
		if again := m.Text(clean); again != clean || !cmp.Equal(before, m.Counts()) {
			t.Fatalf("%q\n1: %q\n2: %q", s, clean, again)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	s := strings.Repeat("The printer pr-07 (10.4.0.17) prints garbage since Monday, error 0x709. Tel. 1234567, bob@acme.example\n", 100)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact.NewMask().Text(s)
	}
}
