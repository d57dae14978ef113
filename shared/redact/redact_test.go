package redact_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/deskhand/deskhand/shared/redact"
)

const (
	hex32  = "9f86d081884c7d659a2feaa0c55ad015"
	base40 = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKY"
	mixed  = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY2zA4bC6d"
	pem    = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" +
		"MIIEowIBAAKCAQEA7yn3bRHQ5FHMQkQbUq1Jd0XfFQ\nMIIEowIBAAKCAQEA7yn3bRHQ5FHMQkQbUq1Jd0XfFQ\nSHORTend==\n-----END RSA PRIVATE KEY-----"
)

func TestSecretsGo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"password: hunter2", "password: [redacted password]"},
		{"Password:hunter2, user bob", "Password:[redacted password], user bob"},
		{"pwd=s3cret;", "pwd=[redacted password];"},
		{"Passwort: Sommer!24 danke", "Passwort: [redacted password] danke"},
		{"Das Kennwort lautet Sommer2024.", "Das Kennwort lautet [redacted password]."},
		{"Contraseña: hola1", "Contraseña: [redacted password]"},
		{"CONTRASEÑA : hola1", "CONTRASEÑA : [redacted password]"},
		{"Mot de passe\u00a0: été", "Mot de passe\u00a0: [redacted password]"},
		{"密码：abc123", "密码：[redacted password]"},
		{"my password is hunter2!", "my password is [redacted password]"},
		{"Password for the VPN: hunter2", "Password for the VPN: [redacted password]"},
		{"Passwort für Benutzer meier (neu): geheim", "Passwort für Benutzer meier (neu): [redacted password]"},
		{`{"user":"bob","password": "two words","x":1}`, `{"user":"bob","password": [redacted password],"x":1}`},
		{"<dbPassword>hunter2</dbPassword>", "<dbPassword>[redacted password]</dbPassword>"},
		{"MYSQL_PASS=hunter2", "MYSQL_PASS=[redacted password]"},
		{"mysql --password hunter2 -u root", "mysql --password [redacted password] -u root"},
		{"https://bob:hunter2@files.acme.example/x", "https://bob:[redacted password]@files.acme.example/x"},
		{"postgres://app:p:w@10.0.0.5:5432/db", "postgres://app:[redacted password]@10.0.0.5:5432/db"},
		{"AKIAIOSFODNN7EXAMPLE", "[redacted key]"},
		{"AKIAIOSFODNN7EXAMPLE, " + base40, "[redacted key]"},
		{"aws_secret_access_key = " + base40, "aws_secret_access_key = [redacted key]"},
		{"ghp_" + mixed, "[redacted key]"},
		{"use github_pat_" + mixed + " please", "use [redacted key] please"},
		{"xoxb-123456789012-abcdefABCDEF", "[redacted key]"},
		{"(sk-proj-" + mixed + "_-x)", "([redacted key])"},
		{"sk-" + mixed, "[redacted key]"},
		{"AIzaSyA1234567890abcdefghijklmnopqrstuv", "[redacted key]"},
		{"sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[redacted key]"},
		{"rk_test_4eC39HqLyjWDarjtT1zdp7dc", "[redacted key]"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P", "[redacted key]"},
		{"a\n" + pem + "\nb", "a\n[redacted key]\nb"},
		{"a " + strings.ReplaceAll(pem, "\n", `\n`) + " b", "a [redacted key] b"},
		{"a\n-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA7yn3bRHQ5FHM\ncut off", "a\n[redacted key]\ncut off"},
		{"Authorization: Bearer abcdefgh", "Authorization: Bearer [redacted key]"},
		{"Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic [redacted key]"},
		{"with bearer " + hex32, "with bearer [redacted key]"},
		{"api key: " + hex32, "api key: [redacted key]"},
		{"client_secret=" + mixed, "client_secret=[redacted key]"},
		{"The token is x7k2m9p4q8w1e5r3t6", "The token is [redacted key]"},
		{`"api_key": "3f2504e0-4f89-11d3-9a0c-0305e82c3301"`, `"api_key": "[redacted key]"`},
		{"Schlüssel: VK7JG-NPHTM-C97JM-9MPGT-3V66T", "Schlüssel: [redacted key]"},
		{"AccountKey=" + mixed + "==;EndpointSuffix=x", "AccountKey=[redacted key];EndpointSuffix=x"},
		{"card 4111 1111 1111 1111 exp 12/26", "card [redacted card] exp 12/26"},
		{"5555-5555-5555-4444", "[redacted card]"},
		{"378282246310005 and 3782 822463 10005", "[redacted card] and [redacted card]"},
		{"4222222222222.", "[redacted card]."},
		{"qty 2 4111 1111 1111 1111 737", "qty 2 [redacted card] 737"},
		{"4111111111111111\n6011111111111117", "[redacted card]\n[redacted card]"},
	} {
		clean, counts := redact.Text(tt.in)
		if clean != tt.want {
			t.Errorf("Text(%q)\n got %q\nwant %q", tt.in, clean, tt.want)
		}
		if n := counts[redact.Password] + counts[redact.Key] + counts[redact.Card]; n != strings.Count(tt.want, "[redacted ") {
			t.Errorf("Text(%q) counts %v", tt.in, counts)
		}
	}
}

func TestWhatANoteNeedsStays(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"10.4.0.17, 10.4.0.17:9100, 10.0.0.0/8, fe80::1%eth0, 2001:db8::7", "MAC 00:1A:2B:3C:4D:5E or 001a.2b3c.4d5e", "key: 00-1A-2B-3C-4D-5E",
		"srv-print-01.acme.local, DC01, sk-bratislava-printserver-01, SRV-PRINT-BERLIN-01", "SSH key for host: srv-print-berlin-01", "token: srv-print-berlin-01.acme.local",
		"Error 0x80070005, event 7031, 0xC000021A, KB5005565, HTTP 503", "ticket #1042, INC0012345, REQ-2026-000123, RITM0012345",
		"version 10.0.19041.1, driver 61.214.3.8, v1.2.3-rc4", "call +49 30 123456789012, 0049 170 1234567, (030) 1234-5678, +4915112345678901",
		"on 2026-11-22 10:30:45 or 22.11.2026, 1700000000000 ms, 20261122103045", "IMEI 356938035643809, serial 5CD1234ABC, 0.4111111111111111, x4111111111111111, 4111111111111111x",
		"4111 1111 1111 1112", "4111-1111 1111-1111", "1234 5678 9012 3456",
		"The password is expired.", "password reset for srv-print-01", "His password is wrong; passwords are case sensitive", "Passwort vergessen", "password expires 2026-03-02",
		"Registry key: EnableLinkedConnections", `Key: HKLM\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate`, "key: NoAutoRebootWithLoggedOnUsers", "Press any key: nothing happens",
		"basic troubleshooting and bearer of news", "bypass: on, compass: north", "Authorization: required for everyone", "http://srv01:8080/path?x=1@y", "the token expired, secret santa: yes",
		"see https://kb.acme.example/12?id=3", "Begin certificate -----BEGIN CERTIFICATE-----", "password:", "Password: ...", "secret: 1234567890123456789",
	} {
		if clean, counts := redact.Text(s); clean != s || counts != nil {
			t.Errorf("Text(%q) gives %q, %v", s, clean, counts)
		}
	}
}

func TestCountsSayHowManyOfEach(t *testing.T) {
	t.Parallel()
	_, got := redact.Text("password: a\npwd=b ghp_" + mixed + " 4111111111111111")
	if diff := cmp.Diff(map[string]int{"password": 2, "key": 1, "card": 1}, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// secrets draws secrets in the forms in which they stand in tickets.
func secrets(t *rapid.T) (secret, text string) {
	from := func(alphabet string, least, most int) string {
		return rapid.StringOfN(rapid.RuneFrom([]rune(alphabet)), least, most, -1).Draw(t, "secret")
	}
	const (
		lower = "abcdefghijklmnopqrstuvwxyz"
		num   = "0123456789"
		upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	switch rapid.IntRange(0, 6).Draw(t, "form") {
	case 0:
		secret = "x" + from(lower+num+upper+"@#$%&*!?-_+=/äß", 5, 30) + "z"
		return secret, rapid.SampledFrom([]string{"password: ", "Passwort=", "pwd: ", "mot de passe : ", "contraseña: ", `"password":`, "user pass: "}).Draw(t, "word") + secret
	case 1:
		secret = "x" + from(lower+num, 5, 20) + "7"
		return secret, "https://bob:" + secret + "@host.example"
	case 2:
		secret = from(lower+num+upper, 36, 60)
		return secret, rapid.SampledFrom([]string{"ghp_", "github_pat_", "sk-", "AIza", "xoxb-", "sk_live_"}).Draw(t, "prefix") + secret
	case 3:
		secret = "a1" + from("abcdef"+num, 30, 62)
		return secret, rapid.SampledFrom([]string{"api key: ", "token=", "Bearer ", "client secret is ", "Authorization: Bearer "}).Draw(t, "word") + secret
	case 4:
		secret = "eyJ" + from(lower+num+upper, 20, 40) + ".eyJ" + from(lower+num+upper, 20, 40) + "." + from(lower+num+upper, 20, 40)
		return secret, secret
	case 5:
		secret = from(lower+num+upper+"+/", 64, 64) + "\n" + from(lower+num+upper+"+/", 20, 64)
		return secret, "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----"
	default:
		secret = card(rapid.StringMatching(`4[0-9]{14}|5[1-5][0-9]{13}|6011[0-9]{11}`).Draw(t, "digits"))
		return secret, secret
	}
}

// card adds the check digit, and writes the number as a person may.
func card(number string) string {
	for check := range 10 {
		sum := 0
		for i, r := range fmt.Sprint(number, check) {
			d := int(r - '0')
			if i%2 == 0 {
				d *= 2
			}
			sum += d/10 + d%10
		}
		if sum%10 == 0 {
			number = fmt.Sprint(number, check)
			break
		}
	}
	return number[:4] + " " + number[4:8] + " " + number[8:12] + " " + number[12:]
}

func TestNoSecretComesOutAndASecondPassChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.SampledFrom([]string{"The printer", "10.4.0.17", "\n", "#1042", "key", "password", "is", "for", "0x709", "[redacted key]", "ü", "4111", "token"}), 0, 6)
		text, all := "", []string{}
		for range rapid.IntRange(1, 4).Draw(t, "secrets") {
			secret, in := secrets(t)
			all = append(all, secret)
			text += strings.Join(words.Draw(t, "words"), " ") + " .\n" + in + "\n"
		}
		clean, counts := redact.Text(text)
		for _, secret := range all {
			if strings.Contains(clean, secret) {
				t.Fatalf("%q\nstill has %q:\n%q (%v)", text, secret, clean, counts)
			}
		}
		if again, counts := redact.Text(clean); again != clean || counts != nil {
			t.Fatalf("a second pass makes of\n%q\n%q (%v)", clean, again, counts)
		}
	})
}

// The time limits are wide, for slow machines and the race detector: time that
// grows with the square of the length takes minutes.
func TestHostileTextTakesLinearTime(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"4111 ", "4", "1-", "password ", "password for ", "password is ", "key=", "key is ", `password:"`, "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA7yn3bRHQ5FHM\n",
		"eyJaaaaaaaaa.", "://", "://a:", "a", "[redacted ", "[redacted key]", "xoxb-", "sk-aaaa-", "Bearer ", ">", "\\n", "pass (", "token token ", "é", "\xff",
	}
	within := func(limit time.Duration, s, name string) {
		start := time.Now()
		redact.Text(s)
		if took := time.Since(start); took > limit {
			t.Errorf("%q: %s for %d bytes", name, took, len(s))
		}
	}
	all := ""
	for _, piece := range pieces {
		within(30*time.Second, "-----BEGIN PRIVATE KEY-----"+strings.Repeat(piece, 30_000/len(piece)), piece)
		all += strings.Repeat(piece, 11_000/len(piece)) + "\n"
	}
	within(2*time.Minute, all, "all together")
}

func FuzzText(f *testing.F) {
	f.Add("password: hunter2 for the key is " + hex32 + " 4111 1111 1111 1111")
	f.Add(`"pwd":"[redacted password]x" token=[redacted key` + "]" + mixed)
	f.Add(pem + "://a:b@c Authorization: Basic x")
	f.Fuzz(func(t *testing.T, s string) {
		clean, _ := redact.Text(s)
		if again, counts := redact.Text(clean); again != clean || counts != nil {
			t.Fatalf("%q\n1: %q\n2: %q (%v)", s, clean, again, counts)
		}
	})
}

func BenchmarkText(b *testing.B) {
	s := strings.Repeat("The printer pr-07 (10.4.0.17) prints garbage since Monday, error 0x709.\n", 100)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		redact.Text(s)
	}
}
