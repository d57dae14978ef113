package egress_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/egress"
)

// sink listens on every address of this machine, and counts who connects. Its
// resolver knows every name: each one is the address that answer gives.
type sink struct {
	port     string
	connects atomic.Int32
	resolver *net.Resolver
	answer   atomic.Pointer[func() netip.Addr]
}

func newSink(t testing.TB) *sink {
	t.Helper()
	s := &sink{}
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connects.Add(1)
			conn.Close()
		}
	}()
	s.port = fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	s.answers(func() netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	s.resolver = s.resolve(t)
	return s
}

func (s *sink) answers(f func() netip.Addr) { s.answer.Store(&f) }

// resolve runs a name server.
func (s *sink) resolve(t testing.TB) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		query := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(s.reply(query[:n]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// reply answers a query for A or AAAA (RFC 1035) with one address that lives no
// time at all.
func (s *sink) reply(query []byte) []byte {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root, type and class
	if end > len(query) {
		return nil
	}
	question, ip := query[12:end], (*s.answer.Load())()
	wanted := binary.BigEndian.Uint16(question[len(question)-4:])
	fits := (wanted == 1 && ip.Is4()) || (wanted == 28 && ip.Is6())
	b := slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question)
	if !fits {
		return b
	}
	b[7] = 1                                          // answers
	b = append(b, 0xc0, 12)                           // the question's name
	b = append(b, question[len(question)-4:]...)      // type and class
	b = append(b, 0, 0, 0, 0, 0, byte(ip.BitLen()/8)) // no time to live
	return append(b, ip.AsSlice()...)
}

// local tells whether a connection to ip would end on this machine.
func local(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsLoopback() || ip.IsUnspecified()
}

// What stops a call, as its error says: the guard, which sees the address (or
// that it is none), or what comes before it, which sees no name, URL or host.
const (
	refused   = "which is refused"
	noAddress = "is no address"
	noName    = "no such host" // Go takes a number for none; where something else does not, the guard sees an address
	noURL     = "parse "
	noScheme  = "unsupported protocol scheme"
	noHost    = "no Host in request URL"
)

// tricks are the ways to write an IPv4 address as the host of a URL, by what
// stops a call there.
func tricks(dotted string) map[string][]string {
	ip := netip.MustParseAddr(dotted).As4()
	a, b, c, d := ip[0], ip[1], ip[2], ip[3]
	n := binary.BigEndian.Uint32(ip[:])
	return map[string][]string{
		refused: {
			dotted,
			fmt.Sprintf("0x%x", n), fmt.Sprintf("0x%x.0x%x.0x%x.0x%x", a, b, c, d), fmt.Sprintf("0x%x.%d", a, n&0xffffff), // names, to Go
			fmt.Sprintf("[::ffff:%s]", dotted), fmt.Sprintf("[::ffff:%02x%02x:%02x%02x]", a, b, c, d),
			fmt.Sprintf("[0:0:0:0:0:ffff:%02x%02x:%02x%02x]", a, b, c, d), fmt.Sprintf("[::ffff:0:%s]", dotted),
			fmt.Sprintf("[::%s]", dotted), fmt.Sprintf("[64:ff9b::%s]", dotted), fmt.Sprintf("[64:ff9b:1::%s]", dotted),
			fmt.Sprintf("[2002:%02x%02x:%02x%02x::1]", a, b, c, d),
			"user:password@" + dotted, "tool.example.com@" + dotted, "tool.example.com%2f@" + dotted, "tool.example.com:443@" + dotted,
			strings.ReplaceAll(dotted, ".", "。"), strings.ReplaceAll(dotted, ".", "．"), strings.ReplaceAll(dotted, ".", "｡"),
			fullwidth(dotted), dotted + ".nip.io", dotted + ".example.com", "tool.example.com.",
		},
		noAddress: {fmt.Sprintf("[::ffff:%s%%25eth0]", dotted)},
		noName: {
			dotted + ".", fmt.Sprint(n), fmt.Sprintf("0%o", n), // as one number
			fmt.Sprintf("0%o.0%o.0%o.0%o", a, b, c, d), fmt.Sprintf("%04d.%04d.%04d.%04d", a, b, c, d),
			fmt.Sprintf("%d.%d", a, n&0xffffff), fmt.Sprintf("%d.%d.%d", a, b, n&0xffff), fmt.Sprintf("%d.%d.%d.%d", int(a)+256, b, c, d), // past the end
		},
		noURL: {dotted + "%00", dotted + "%09", dotted + "%2e", strings.ReplaceAll(dotted, ".", "%2e")},
	}
}

// fullwidth gives the digits that a browser would fold to ASCII.
func fullwidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, s)
}

// hostile are URLs of every special network in every spelling, with the port of
// the sink, by what stops them.
func hostile(port string) map[string][]string {
	hosts, urls := map[string][]string{}, map[string][]string{}
	for _, ip := range []string{
		"127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1",
		"169.254.169.254", "169.254.170.2", "169.254.1.1", "100.64.0.1", "100.127.255.254", "100.100.100.200", "192.0.0.192", "192.0.2.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
	} {
		for stop, spelled := range tricks(ip) {
			hosts[stop] = append(hosts[stop], spelled...)
		}
	}
	hosts[refused] = append(
		hosts[refused],
		"localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost", "foo.localhost", "metadata.google.internal", "metadata",
		"[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::1%25lo]", "[fe80::1]", "[fe80::1%25eth0]", "[febf::1]", "[fec0::1]",
		"[fc00::1]", "[fd00:ec2::254]", "[fd00:ec2::23]", "[fd20:ce::254]", "[fdff::1]", "[ff02::1]", "[ff0e::1]", "[2001:db8::1]", "[3fff::1]",
		"[2001::1]", "[2001:0:7f00:1::1]", "[2001:10::1]", "[100::1]", "[5f00::1]", "[4000::1]", "[64:ff9b:1:7f00:0:100::]", "[::2]",
	)
	for stop, spelled := range hosts {
		for _, host := range spelled {
			urls[stop] = append(urls[stop], "http://"+host+":"+port+"/api/v3/requests")
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "0x7f000001", "[::ffff:7f00:1]"} {
		at := host + ":" + port
		for stop, more := range map[string][]string{
			refused: {
				"https://" + at + "/", "HTTP://" + at, "http://" + at + "#@tool.example.com", "http://" + at + "?@tool.example.com",
				"http://tool.example.com#@" + at, "http://a:b@c:d@" + at,
			},
			noURL:    {"http://\t" + at, "http:// " + at, `http://tool.example.com\@` + at, "http://" + at + "\\.example.com", "http://" + at + ":80"},
			noScheme: {"//" + at, "ftp://" + at, "file://" + at + "/etc/passwd", "gopher://" + at + "/_x", "unix://" + at, "http+unix://" + at},
			noHost:   {"http:///" + at, "http:" + at},
		} {
			urls[stop] = append(urls[stop], more...)
		}
	}
	return urls
}

// TestNoHostileURLReachesThisMachine counts at the sink. The resolver is the
// worst that there is: to it, every name is this machine. Each URL is stopped
// where it has to be: one that fails before would not have tried the guard.
func TestNoHostileURLReachesThisMachine(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	guarded := egress.Client(egress.NewGuard(s.resolver))
	follows := &http.Client{Transport: egress.NewGuard(s.resolver), Timeout: egress.Timeout} // as a caller would who forgot
	attempts := map[string]int{}
	for stop, urls := range hostile(s.port) {
		for _, address := range urls {
			for _, c := range []*http.Client{guarded, follows} {
				attempts[stop]++
				_, _, err := get(t, c, address)
				_, byGuard := errors.AsType[*egress.RefusedError](err)
				if err == nil || !strings.Contains(err.Error(), stop) || byGuard != (stop == refused) {
					t.Errorf("%s: %v, want %q", address, err, stop)
				}
			}
		}
	}
	// 25 IPv4 addresses, 34 others and names, and five hosts in odd URLs.
	want := map[string]int{refused: 2 * (25*23 + 34 + 5*6), noAddress: 2 * 25, noName: 2 * 25 * 8, noURL: 2 * (25*4 + 5*5), noScheme: 2 * 5 * 6, noHost: 2 * 5 * 2}
	if diff := cmp.Diff(want, attempts); diff != "" {
		t.Errorf("attempts by what stops them (-want +got):\n%s", diff)
	}
	all := 0
	for _, n := range attempts {
		all += n
	}
	if n := s.connects.Load(); n != 0 {
		t.Errorf("%d of %d calls of hostile URLs reached the sink", n, all)
	}
	t.Logf("attempts %d, connects %d (%d refused by address, %d before that)", all, s.connects.Load(), attempts[refused], all-attempts[refused])
}

// TestTheSinkWouldCount shows that the same URLs do connect without the guard.
func TestTheSinkWouldCount(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	open := egress.Client(egress.NewGuard(s.resolver, networks("127.0.0.0/8", "::1/128")))
	for _, address := range hostile(s.port)[refused] {
		if !strings.Contains(address, "[") { // a translated one would wait for a gateway
			_, _, _ = get(t, open, address)
		}
	}
	if n := s.connects.Load(); n < 100 {
		t.Errorf("only %d connects: the sink, or its resolver, does not work", n)
	}
}

// TestANameThatChangesItsAddressIsCheckedEachTime has an honest server at
// 127.0.0.2, the one address that the tenant may reach, and the sink at
// 127.0.0.1 on the same port.
func TestANameThatChangesItsAddressIsCheckedEachTime(t *testing.T) {
	t.Parallel()
	honest, evil := netip.MustParseAddr("127.0.0.2"), []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("169.254.169.254"),
		netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("64:ff9b::7f00:1"), netip.MustParseAddr("fd00:ec2::254"),
	}
	s := newSink(t)
	port := honestServer(t)
	guard := egress.NewGuard(s.resolver, networks("127.0.0.2/32"))
	for _, c := range []*http.Client{egress.Client(guard), {Transport: guard, Timeout: egress.Timeout}} {
		for _, rebound := range evil {
			s.answers(func() netip.Addr { return honest })
			if status, _, err := get(t, c, "http://tool.example.com:"+port+"/"); err != nil || status != http.StatusOK {
				t.Fatalf("the honest server: %d, %v", status, err)
			}
			s.answers(func() netip.Addr { return rebound })
			if _, _, err := get(t, c, "http://tool.example.com:"+s.port+"/"); err == nil {
				t.Errorf("%s was called after the name was rebound", rebound)
			}
			for _, path := range []string{"/to?url=", "/chain?url="} {
				s.answers(func() netip.Addr { return honest })
				_, _, _ = get(t, c, "http://tool.example.com:"+port+path+"http://127.0.0.1:"+s.port)
			}
		}
	}
	if n := s.connects.Load(); n != 0 {
		t.Errorf("%d connects", n)
	}
}

// honestServer listens at 127.0.0.2, and redirects whoever asks it to.
func honestServer(t *testing.T) (port string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that each call dials
		switch r.URL.Path {
		case "/to":
			http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusTemporaryRedirect)
		case "/chain":
			http.Redirect(w, r, "/to?url="+r.URL.Query().Get("url"), http.StatusFound)
		}
	}))
	server.Listener.Close()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}
