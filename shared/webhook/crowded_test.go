package webhook

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzCrowded holds the count, which looks at bytes alone, to what a decoder
// sees in the same JSON.
func FuzzCrowded(f *testing.F) {
	for _, body := range []string{
		`{"a":[1,{"b":"\\\"[[["}],"c":null}`, strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("[", 64) + strings.Repeat("]", 64),
		`"\u0022[`, `{`, "\xff", "",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got := crowded(body)
		if !json.Valid(body) {
			if got {
				t.Errorf("%.100q is no JSON", body)
			}
			return
		}
		depth, deepest, elements := 0, 0, 0
		dec := json.NewDecoder(strings.NewReader(string(body)))
		for {
			token, err := dec.Token()
			if err != nil {
				break
			}
			switch token {
			case json.Delim('{'), json.Delim('['):
				depth++
				deepest = max(deepest, depth)
			case json.Delim('}'), json.Delim(']'):
				depth--
			default:
				elements++ // keys, too
			}
		}
		if deepest > maxDepth && !got || deepest <= maxDepth && elements < maxValues/2 && strings.Count(string(body), "[")+strings.Count(string(body), "{") < maxValues/2 && got {
			t.Errorf("%.100q: crowded is %v, with a depth of %d and %d elements", body, got, deepest, elements)
		}
	})
}

func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	var f minute[failure]
	now := time.Unix(1767225600, 0)
	who := func(i int) failure {
		return failure{sourceOf(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()), "acme"}
	}
	for i := range 2 * maxSources {
		f.more(who(i), now)
	}
	if n := len(f.seen); n > maxSources+1 {
		t.Errorf("%d sources are remembered", n)
	}
	if n, _ := f.more(who(1), now); n != 2 {
		t.Errorf("one that is remembered has failed %d times, want 2", n)
	}
	if n, _ := f.more(who(3*maxSources), now); n <= maxSources {
		t.Errorf("one that is not has failed %d times: they share a count", n)
	}
	if n, after := f.more(who(1), now.Add(time.Minute)); n != 1 || after != time.Minute || len(f.seen) != 1 {
		t.Errorf("in the next minute: %d, %s, %d sources", n, after, len(f.seen))
	}
	if n, _ := f.more(who(1), now.Add(-time.Hour)); n != 1 {
		t.Errorf("after the clock was set back: %d", n)
	}
	for _, remote := range []string{"", "x", "[::1%eth0]:1", ":80", strings.Repeat("1", 1000)} {
		_ = fmt.Sprint(sourceOf(remote))
	}
}
