package host

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTheSourceIsWhatTheOutermostTrustedProxySaw(t *testing.T) {
	t.Parallel()
	const peer = "10.0.0.9:4711"
	for name, c := range map[string]struct {
		proxies int
		headers []string
		want    string
	}{
		"no proxy":                        {0, []string{"203.0.113.7"}, peer},
		"one":                             {1, []string{"203.0.113.7"}, "203.0.113.7"},
		"one, and a sender who forges":    {1, []string{"198.51.100.1, 203.0.113.7"}, "203.0.113.7"},
		"one, forged as a line of itself": {1, []string{"198.51.100.1", "203.0.113.7"}, "203.0.113.7"},
		"two":                             {2, []string{"203.0.113.7, 10.0.0.1"}, "203.0.113.7"},
		"two, in two lines":               {2, []string{"198.51.100.1,203.0.113.7", "10.0.0.1"}, "203.0.113.7"},
		"two, but it came by one":         {2, []string{"203.0.113.7"}, peer},
		"no header":                       {1, nil, peer},
		"an empty header":                 {1, []string{""}, peer},
		"nothing after the comma":         {1, []string{"203.0.113.7,"}, peer},
		"a name":                          {1, []string{"203.0.113.7, localhost"}, peer},
		"obfuscated":                      {1, []string{"unknown"}, peer},
		"a line break":                    {1, []string{"203.0.113.7\n127.0.0.1"}, peer},
		"a prefix":                        {1, []string{"203.0.113.0/24"}, peer},
		"with a port":                     {1, []string{"203.0.113.7:555"}, "203.0.113.7"},
		"IPv6":                            {1, []string{"2001:db8::1"}, "2001:db8::1"},
		"IPv6 in brackets":                {1, []string{"[2001:db8::1]"}, "2001:db8::1"},
		"IPv6 with a port":                {1, []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		"very many":                       {1, []string{strings.Repeat("198.51.100.1,", 2000) + "203.0.113.7"}, "203.0.113.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			h := behind(c.proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr, r.Header["X-Forwarded-For"] = peer, c.headers
			h.ServeHTTP(httptest.NewRecorder(), r)
			if got != c.want {
				t.Errorf("from %s, want %s", got, c.want)
			}
		})
	}
}

// FuzzForwarded finds no panic, and never an address from the left of a trusted
// proxy's.
func FuzzForwarded(f *testing.F) {
	f.Add("1.2.3.4, [::1]:80", 2)
	f.Fuzz(func(t *testing.T, sent string, n int) {
		if n < 1 || n > 10 {
			return
		}
		lines := []string{sent, "203.0.113.7" + strings.Repeat(",10.0.0.1", n-1)}
		if got, ok := forwarded(lines, n); !ok || got.String() != "203.0.113.7" {
			t.Errorf("%q: %s, %t", sent, got, ok)
		}
	})
}
