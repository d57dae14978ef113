package host

import (
	"net/http"
	"net/netip"
	"strings"
)

// behind gives requests the RemoteAddr of their sender, where proxies stand
// before this process. Each of them appends to X-Forwarded-For the address that
// it was called from; so what the outermost one saw stands as many entries from
// the right as there are proxies, and whatever a sender wrote there itself
// stands further left. A request with fewer entries, or with another thing than
// an address in that place, did not come that way: it keeps its RemoteAddr.
func behind(proxies int, next http.Handler) http.Handler {
	if proxies < 1 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from, ok := forwarded(r.Header.Values("X-Forwarded-For"), proxies); ok {
			r.RemoteAddr = from.String()
		}
		next.ServeHTTP(w, r)
	})
}

// forwarded gives the address that is the nth from the right.
func forwarded(lines []string, n int) (netip.Addr, bool) {
	entries := strings.Split(strings.Join(lines, ","), ",")
	if n > len(entries) {
		return netip.Addr{}, false
	}
	entry := strings.TrimSpace(entries[len(entries)-n])
	if withPort, err := netip.ParseAddrPort(entry); err == nil { // some proxies write the port, too
		return withPort.Addr(), true
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"))
	return addr, err == nil
}
