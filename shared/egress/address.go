package egress

import "net/netip"

// Networks of the IANA registries for special purposes, and what they are
// called. Of IPv6 only 2000::/3 is public at all.
var special = []struct {
	network netip.Prefix
	name    string
	closed  bool // no setting opens it
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified", true},
	{netip.MustParsePrefix("10.0.0.0/8"), "private", false},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared (CGNAT)", false},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback", false},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local", true},
	{netip.MustParsePrefix("172.16.0.0/12"), "private", false},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved", false},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation", false},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved", false},
	{netip.MustParsePrefix("192.168.0.0/16"), "private", false},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking", false},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation", false},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation", false},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast", true},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved", true},
	{netip.MustParsePrefix("::/128"), "unspecified", true},
	{netip.MustParsePrefix("::1/128"), "loopback", false},
	{netip.MustParsePrefix("fc00::/7"), "private", false},
	{netip.MustParsePrefix("fe80::/10"), "link-local", true},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "translated", true}, // where in it the IPv4 address is, each network decides for itself
	{netip.MustParsePrefix("ff00::/8"), "multicast", true},
	{netip.MustParsePrefix("2001::/23"), "reserved", false}, // Teredo, ORCHID and others
	{netip.MustParsePrefix("2001:db8::/32"), "documentation", false},
	{netip.MustParsePrefix("3fff::/20"), "documentation", false},
}

// metadata are the addresses at which clouds give a machine its credentials.
// No ticketing tool lives there, so no setting opens them, however wide; nor
// any other link-local address, as a cloud may use whichever it likes.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Azure, GCP and most others
	netip.MustParseAddr("169.254.170.2"),   // AWS ECS
	netip.MustParseAddr("169.254.170.23"),  // AWS EKS
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure's host
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS EKS
	netip.MustParseAddr("fd20:ce::254"),    // GCP
}

var global = netip.MustParsePrefix("2000::/3")

// kind gives the name of the special network that holds ip, "" where ip is
// public, and whether no setting opens it.
func kind(ip netip.Addr) (name string, closed bool) {
	for _, m := range metadata {
		if ip == m {
			return "metadata", true
		}
	}
	for _, s := range special {
		if s.network.Contains(ip) {
			return s.name, s.closed
		}
	}
	if ip.Is6() && !global.Contains(ip) {
		return "reserved", false
	}
	return "", false
}

// The IPv6 networks whose addresses stand for IPv4 ones, and where in the
// address that is.
var translated = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // translated (SIIT)
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4
	{netip.MustParsePrefix("::/96"), 12},           // compatible
}

// plain gives the address that a packet to ip ends at: the IPv4 address where
// ip only stands for one, and no zone.
func plain(ip netip.Addr) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if ip.Is4() || ip == netip.IPv6Loopback() || ip == netip.IPv6Unspecified() {
		return ip
	}
	wide := ip.As16()
	for _, t := range translated {
		if t.network.Contains(ip) {
			return netip.AddrFrom4([4]byte(wide[t.at : t.at+4]))
		}
	}
	return ip
}
