// Package egress makes outgoing HTTP calls safe to make at addresses that
// somebody else chose. A tenant configures the URL of its tool, so that URL may
// name this machine, the cloud's metadata service or the neighbour's database.
// Guard looks at the address of every connection at the moment it is made,
// after the name was resolved, so that neither clever spelling nor a name that
// changes its address gets past it.
package egress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// The limits of one call.
const (
	Timeout    = 30 * time.Second // for all of it, the body included
	MaxHeader  = 64 << 10         // bytes of the answer's header
	MaxBody    = 16 << 20         // bytes of the answer's body, unpacked
	dialLimit  = 10 * time.Second
	shakeLimit = 10 * time.Second
)

// ErrTooLarge says that an answer has more than MaxBody bytes.
var ErrTooLarge = errors.New("the answer is too large")

// RefusedError says that a call was not made, because of where it went.
type RefusedError struct {
	Host    string // as the URL has it, where that is known
	Address netip.Addr
	Kind    string // "loopback", "private", "metadata"
	Closed  bool   // no setting opens it
}

// Error implements error, for the operator.
func (e *RefusedError) Error() string {
	what := fmt.Sprintf("egress: %s has the %s address %s, which is refused", e.Host, e.Kind, e.Address)
	if e.Closed {
		return what + " whatever the settings say: correct the connection's URL"
	}
	return fmt.Sprintf(`%s: if the tool is there, add its network to the setting allowed_networks of each tenant of the connection, such as "%s/%d"`,
		what, e.Address, e.Address.BitLen())
}

// Client gives a client with Timeout that follows no redirect: a 3xx is the
// answer. The address of a redirect would get our credentials.
func Client(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout: Timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Guard is an http.RoundTripper that reaches public addresses, and others only
// where they are allowed. It knows no proxy: one would resolve names itself.
// Make it with NewGuard, one for each connection: the calls of two would
// otherwise share what one of them may reach.
type Guard struct {
	allowed   [][]netip.Prefix
	transport *http.Transport
}

// NewGuard makes a Guard. Each argument is what one of those concerned allows;
// an address that is not public must be allowed by all of them, and by one at
// least. The resolver may be nil.
func NewGuard(resolver *net.Resolver, allowed ...[]netip.Prefix) *Guard {
	g := &Guard{allowed: allowed}
	g.transport = &http.Transport{
		Proxy:                  nil,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    shakeLimit,
		ResponseHeaderTimeout:  Timeout,
		IdleConnTimeout:        time.Minute,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: MaxHeader,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				host = address
			}
			d := net.Dialer{Timeout: dialLimit, Resolver: resolver, Control: func(network, resolved string, _ syscall.RawConn) error {
				return g.check(host, network, resolved)
			}}
			return d.DialContext(ctx, network, address)
		},
	}
	return g
}

// check is asked before each connection is made, with its address.
func (g *Guard) check(host, network, resolved string) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("egress: %s: no calls over %s", host, network)
	}
	to, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("egress: %s: %q is no address", host, resolved)
	}
	ip := plain(to.Addr())
	name, closed := kind(ip)
	if name == "" || (!closed && g.allows(ip)) {
		return nil
	}
	return &RefusedError{Host: host, Address: ip, Kind: name, Closed: closed}
}

// allows tells whether all concerned allow ip.
func (g *Guard) allows(ip netip.Addr) bool {
	for _, networks := range g.allowed {
		if !contains(networks, ip) {
			return false
		}
	}
	return len(g.allowed) > 0
}

func contains(networks []netip.Prefix, ip netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// RoundTrip implements http.RoundTripper. A body of more than MaxBody bytes
// ends with ErrTooLarge.
func (g *Guard) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > MaxBody {
		_ = resp.Body.Close()
		return nil, tooLarge(r)
	}
	if _, upgraded := resp.Body.(io.Writer); upgraded { // 101: no longer HTTP, so without limits
		_ = resp.Body.Close()
		return nil, fmt.Errorf("egress: %s changes the protocol", r.URL.Hostname())
	}
	resp.Body = &bounded{body: resp.Body, left: MaxBody, request: r}
	return resp, nil
}

// CloseIdleConnections implements what http.Client asks for. Call it when the
// Guard is replaced.
func (g *Guard) CloseIdleConnections() { g.transport.CloseIdleConnections() }

func tooLarge(r *http.Request) error {
	return fmt.Errorf("egress: %s: %w: more than %d bytes", r.URL.Hostname(), ErrTooLarge, MaxBody)
}

// bounded is a body that ends with an error where it is too long.
type bounded struct {
	body    io.ReadCloser
	left    int64
	request *http.Request
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge(b.request)
	}
	if int64(len(p)) > b.left+1 { // one more tells "too long" from "just full"
		p = p[:b.left+1]
	}
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return n - 1, tooLarge(b.request)
	}
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error { return b.body.Close() }
