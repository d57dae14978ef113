package retrieval

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAddressesReadsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":               "",
		"10.0.0.7":       "10.0.0.7/32",
		"ping 10.0.0.7.": "10.0.0.7/32",
		"(10.0.0.7:443), ip=10.0.0.8; IP:10.0.0.9": "10.0.0.7/32 10.0.0.8/32 10.0.0.9/32",
		"10.0.0.7-10.0.0.9":                        "10.0.0.7/32 10.0.0.9/32",
		"net 10.1.0.0/16 and 10.1.2.3/24":          "10.1.0.0/16 10.1.2.3/24",
		"http://10.0.0.7/24h/index":                "10.0.0.7/32",
		"http://10.0.0.7/2024":                     "10.0.0.7/32",
		"サーバー10.0.0.7は":                            "10.0.0.7/32",
		"10.0.0.7 then 10.0.0.7":                   "10.0.0.7/32",
		"[2001:db8::1]:443":                        "2001:db8::1/128",
		"2001:db8::/64.":                           "2001:db8::/64",
		"fe80::1%eth0.":                            "fe80::1/128",
		"fe80::1%eth0/64":                          "fe80::1/64",
		"ipv6:fe80::1, address: fe80::2:":          "fe80::1/128 fe80::2/128",
		"::1":                                      "::1/128",
		"::ffff:10.0.0.7":                          "10.0.0.7/32",
		"1.2.3.4.5":                                "",
		"1.2.3":                                    "",
		"256.1.1.1 010.1.1.1":                      "",
		"v1.2.3.4 and 1.2.3.4beta":                 "",
		"12:30:45 to 2026-11-20T12:30:45Z":         "",
		"00:11:22:33:44:55":                        "",
		"std::string a::zoo Foo::Bar":              "",
		"0.0.0.0 :: 0.0.0.0/0":                     "",
		": :: ::: a: :b":                           "",
	} {
		var got []string
		for _, p := range Addresses(text) {
			got = append(got, p.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: found %q, want %q", text, s, want)
		}
	}
}

func TestAddressesAreCapped(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "10.0.%d.%d fe80::%x ", i/200, i%200, i)
	}
	if got := len(Addresses(b.String())); got != MaxAddresses {
		t.Errorf("%d addresses, want %d", got, MaxAddresses)
	}
}

func TestAnyAddressInASentenceIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var addr netip.Addr
		if rapid.Bool().Draw(t, "v6") {
			var b [16]byte
			for i := range b { // zeros, for they are what is abbreviated
				b[i] = rapid.SampledFrom([]byte{0, 0, 0, 1, 0xfe, 0x80, 0xab}).Draw(t, "byte")
			}
			addr = netip.AddrFrom16(b).Unmap()
		} else {
			addr = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "bytes")))
		}
		if addr.IsUnspecified() {
			return
		}
		want := netip.PrefixFrom(addr, addr.BitLen())
		format := "%s"
		switch rapid.IntRange(0, 3).Draw(t, "form") {
		case 1:
			want = netip.PrefixFrom(addr, rapid.IntRange(1, addr.BitLen()).Draw(t, "bits"))
			format = fmt.Sprintf("%%s/%d", want.Bits())
		case 2:
			if format = "%s:8443"; addr.Is6() {
				format = "[%s]:8443"
			}
		case 3:
			if addr.Is6() && !addr.Is4In6() {
				format = "%s%%eth0"
			}
		}
		written := fmt.Sprintf(strings.ReplaceAll(format, "%%eth0", "%%%%eth0"), addr)
		before := rapid.SampledFrom([]string{"", "Cannot reach ", "(", "\"", "ip=", "10:30: ", "→", "障害", "at 12:30:45 "}).Draw(t, "before")
		after := rapid.SampledFrom([]string{"", ".", ", since Monday", ")", "\"", " 10:30", "!", "が", "\n"}).Draw(t, "after")
		text := before + written + after
		for _, p := range Addresses(text) {
			if p == want {
				return
			}
		}
		t.Fatalf("%q: found %v, want %v", text, Addresses(text), want)
	})
}
