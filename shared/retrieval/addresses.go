package retrieval

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// MaxAddresses is how many different addresses Addresses gives at most.
const MaxAddresses = 50

// The candidates are generous; net/netip decides.
var (
	ipv4Pattern = regexp.MustCompile(`[0-9]+(?:\.[0-9]+){3,}(?:/[0-9]+)?`)
	ipv6Pattern = regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:.]*[0-9A-Fa-f:](?:%[0-9A-Za-z._-]+)?(?:/[0-9]+)?`)
)

// Addresses gives the IP addresses and networks that a text names: bare, in
// brackets, with a port, with a zone (which is dropped), or in CIDR notation.
// A single address has the full prefix length; of a network the address is
// kept as written. IPv4 comes first, then IPv6, each in the order of the text,
// without repetition, at most MaxAddresses. Times, MAC addresses, versions
// with other than four parts and the unspecified addresses are none.
func Addresses(text string) []netip.Prefix {
	found := prefixes(nil, ipv4Pattern, text)
	if strings.Count(text, ":") >= 2 {
		found = prefixes(found, ipv6Pattern, text)
	}
	return found
}

// prefixes adds what the pattern finds in the text, up to MaxAddresses.
func prefixes(found []netip.Prefix, pattern *regexp.Regexp, text string) []netip.Prefix {
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		if len(found) == MaxAddresses {
			break
		}
		p, ok := address(text[at[0]:at[1]], joinsWord(text, at[0]-1), joinsWord(text, at[1]))
		if ok && !p.Addr().IsUnspecified() && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found
}

// address reads a candidate; before and after say that a word goes on there.
func address(s string, before, after bool) (netip.Prefix, bool) {
	host, bits, slash := strings.Cut(s, "/")
	if slash && after { // a path of a URL
		slash, after = false, false
	}
	host, _, zoned := strings.Cut(host, "%")
	if after && !zoned {
		return netip.Prefix{}, false
	}
	if before || strings.HasPrefix(host, ":") && !strings.HasPrefix(host, "::") {
		_, rest, ok := strings.Cut(host, ":") // "ipv6:fe80::1"
		if !ok {
			return netip.Prefix{}, false
		}
		host = rest
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		if addr, err = netip.ParseAddr(strings.TrimSuffix(host, ":")); err != nil {
			return netip.Prefix{}, false
		}
	}
	addr = addr.Unmap()
	if slash {
		if p, err := netip.ParsePrefix(addr.String() + "/" + bits); err == nil {
			return p, true
		}
	}
	return netip.PrefixFrom(addr, addr.BitLen()), true
}

// joinsWord tells whether the byte at i continues a word. Only ASCII does:
// many languages put no space before or after an address.
func joinsWord(text string, i int) bool {
	if i < 0 || i >= len(text) {
		return false
	}
	c := text[i]
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
