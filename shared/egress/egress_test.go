package egress_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/idna"

	"github.com/deskhand/deskhand/shared/egress"
)

// get makes one call and gives status, body and error.
func get(t *testing.T, c *http.Client, address string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

func networks(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func TestWhatAllTenantsAllowIsReached(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "tickets") }))
	t.Cleanup(s.Close)
	loopback := networks("127.0.0.0/8", "::1/128")
	for name, c := range map[string]struct {
		allowed [][]netip.Prefix
		want    bool
	}{
		"nobody is asked":        {nil, false},
		"one, who allows none":   {[][]netip.Prefix{nil}, false},
		"one, who allows it":     {[][]netip.Prefix{loopback}, true},
		"one, another network":   {[][]netip.Prefix{networks("10.0.0.0/8")}, false},
		"one, that address only": {[][]netip.Prefix{networks("127.0.0.1/32")}, true},
		"both":                   {[][]netip.Prefix{loopback, networks("0.0.0.0/0")}, true},
		"one of two":             {[][]netip.Prefix{loopback, nil}, false},
		"two, different ones":    {[][]netip.Prefix{loopback, networks("10.0.0.0/8")}, false},
	} {
		_, body, err := get(t, egress.Client(egress.NewGuard(nil, c.allowed...)), s.URL)
		if got := err == nil && body == "tickets"; got != c.want {
			t.Errorf("%s: reached %v, want %v (%v)", name, got, c.want, err)
		}
	}
}

func TestTheErrorNamesHostAndSetting(t *testing.T) {
	t.Parallel()
	c := egress.Client(egress.NewGuard(nil))
	for address, want := range map[string][]string{
		"http://localhost:1/":              {"localhost", "loopback", "allowed_networks"},
		"http://10.1.2.3/":                 {"10.1.2.3", "private", `"10.1.2.3/32"`},
		"http://[::ffff:10.1.2.3]/":        {"::ffff:10.1.2.3", "private", `"10.1.2.3/32"`},
		"http://[fd12::7]/":                {"fd12::7", "private", `"fd12::7/128"`},
		"http://169.254.169.254/latest":    {"metadata", "whatever the settings say"},
		"http://[64:ff9b::a9fe:a9fe]:8080": {"169.254.169.254", "metadata"},
	} {
		_, _, err := get(t, c, address)
		stopped, ok := errors.AsType[*egress.RefusedError](err)
		if !ok {
			t.Errorf("%s: %v", address, err)
			continue
		}
		for _, text := range want {
			if !strings.Contains(stopped.Error(), text) {
				t.Errorf("%s: %q does not say %q", address, stopped, text)
			}
		}
	}
}

// TestNoSettingOpensTheMetadata holds for the widest setting that there is.
func TestNoSettingOpensTheMetadata(t *testing.T) {
	t.Parallel()
	c := egress.Client(egress.NewGuard(nil, networks("0.0.0.0/0", "::/0")))
	for _, host := range []string{
		"169.254.169.254", "169.254.170.2", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::169.254.169.254]",
		"[2002:a9fe:a9fe::]", "169.254.0.23", "169.254.170.23", "169.254.1.1", "169.254.255.255", "[fe80::a9fe:a9fe]", "[fe80::1]", "[febf::ffff]",
		"[64:ff9b:1::a9fe:a9fe]", "[64:ff9b:1:a9fe:a9:fe00::]", "[64:ff9b:1:ffff:ffff:ffff:7f00:1]", "[::ffff:169.254.0.23]", "100.100.100.200", "168.63.129.16", "0.0.0.0", "[::]", "224.0.0.1", "255.255.255.255", "[ff02::1]",
	} {
		_, _, err := get(t, c, "http://"+host+"/")
		if stopped, ok := errors.AsType[*egress.RefusedError](err); !ok || !stopped.Closed {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestRedirectsAreAnswersAndNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/next", http.StatusFound) })
	mux.HandleFunc("/next", func(http.ResponseWriter, *http.Request) { followed.Add(1) })
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	status, _, err := get(t, egress.Client(egress.NewGuard(nil, networks("127.0.0.0/8"))), s.URL)
	if status != http.StatusFound || err != nil || followed.Load() != 0 {
		t.Errorf("status %d, %v, followed %d times", status, err, followed.Load())
	}
}

// TestNoProxyStandsBetween: a proxy would resolve the name itself.
func TestNoProxyStandsBetween(t *testing.T) { //nolint:paralleltest // it sets the environment
	var proxied atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { proxied.Add(1) }))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	_, _, err := get(t, egress.Client(egress.NewGuard(nil, networks("127.0.0.0/8"))), "http://10.1.2.3/")
	if _, ok := errors.AsType[*egress.RefusedError](err); !ok || proxied.Load() != 0 {
		t.Errorf("%v, %d calls of the proxy", err, proxied.Load())
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	full := bytes.Repeat([]byte("x"), egress.MaxBody)
	mux := http.NewServeMux()
	mux.HandleFunc("/full", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(full) })
	mux.HandleFunc("/told", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "999999999999") })
	mux.HandleFunc("/streamed", func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(full[:1<<20]); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", string(full[:2*egress.MaxHeader]))
	})
	mux.HandleFunc("/upgrade", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Upgrade", "smtp")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c := egress.Client(egress.NewGuard(nil, networks("127.0.0.0/8")))
	if _, body, err := get(t, c, s.URL+"/full"); err != nil || len(body) != egress.MaxBody {
		t.Errorf("a body that just fits: %d bytes, %v", len(body), err)
	}
	for path, want := range map[string]string{
		"/told": "too large", "/streamed": "too large", "/header": "header", "/upgrade": "changes the protocol",
	} {
		_, body, err := get(t, c, s.URL+path)
		if err == nil || !strings.Contains(err.Error(), want) || len(body) > egress.MaxBody {
			t.Errorf("%s: %d bytes, %v; want an error with %q", path, len(body), err, want)
		}
		if errors.Is(err, egress.ErrTooLarge) != (want == "too large") {
			t.Errorf("%s: %v is no ErrTooLarge", path, err)
		}
	}
}

func TestAClientDoesNotWaitForever(t *testing.T) {
	t.Parallel()
	if c := egress.Client(nil); c.Timeout != egress.Timeout || egress.Timeout <= 0 {
		t.Errorf("timeout %s", c.Timeout)
	}
}

// FuzzHostsNeverReachThisMachine tries whatever parses as a URL.
func FuzzHostsNeverReachThisMachine(f *testing.F) {
	sink := newSink(f)
	for _, hosts := range tricks("127.0.0.1") {
		for _, host := range hosts {
			f.Add(host)
		}
	}
	f.Add("1。0。0。0") // an address once net/http has spelled it: a stranger's
	c := egress.Client(egress.NewGuard(sink.resolver))
	f.Fuzz(func(t *testing.T, host string) {
		u, err := url.Parse("http://" + host + "/")
		if err != nil || u.Host == "" {
			return
		}
		if elsewhere(u.Hostname()) {
			return // somebody else's machine: not for a test to call
		}
		_, _, err = get(t, c, u.String())
		if err == nil || sink.connects.Load() != 0 {
			t.Errorf("%q: %v, %d connects", host, err, sink.connects.Load())
		}
	})
}

// elsewhere tells whether host is an address of another machine, read as
// net/http reads it: first spelled in ASCII where it can be. Names are not
// elsewhere: the sink's resolver knows them all.
func elsewhere(host string) bool {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		host = ascii
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && !local(ip)
}
