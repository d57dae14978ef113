package redact

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The parts of the patterns, all read without regard to case.
const (
	blank = `[ \t\x{a0}\x{202f}]`
	quote = `(?:\\?["'])?`
	// about lets a few words stand between a name and its value: "password for
	// the VPN:", "password (temporary):".
	about = `[0-9]?(?:` + blank + `+(?:for|of|to|für|fuer|von|vom|zu|zum|para|de|del|pour|du|voor)(?:` + blank + `+[^\s:=\[]{1,40}){1,3})?(?:` + blank + `*\([^()\n\[]{0,30}\))?`
	// assign stands between a name and its value: "=", ": ", `": `, " => ".
	assign = quote + blank + `*(?::=|=>|->|[:=：→])` + blank + `*`
	// is does so in a sentence.
	is = blank + `+(?:is|was|lautet|ist|war|est|es|era|é)` + blank + `*:?` + blank + `+`
	// value ends at its closing quote, or at white space.
	value = `"[^"\n]{1,200}"|'[^'\n]{1,200}'|[^\s<]+`
	// fold is white space as it stands in a wrapped, quoted or escaped key.
	fold = `(?:\s|\\[rn]|>)*`

	passwordWord = `(?:passwor[dt]s?|passwd|passphrase|passcode|(?:user)?pass|pwd|pw|mdp|kennwort|contrase(?:ñ|n\x{303}?)a|mot de passe|wachtwoord|senha|has[lł]o|ароль|密码|密碼|パスワード)`
	keyWord      = `(?:key|secret|token|schl(?:ü|ue)ssel|clave|clé|credential|authorization|sig)s?`
)

// form is one form in which a secret stands in a text.
type form struct {
	name  string   // what it is: Password or Key
	begin []string // how it begins, in small ASCII letters: where to look
	word  bool     // no letter or digit stands before it
	// pattern is matched from there on; its first group is the secret.
	pattern func() *regexp.Regexp
	when    func(string) bool // what else the secret must be like; nil for nothing
}

// passwords begin like the words of the pattern, the short ones only where a
// word does.
var (
	passwords = []string{
		"passw", "passphrase", "passcode", "pwd", "kennwort", "contrase", "mot de passe", "wachtwoord", "senha", "hasl", "has\xc5",
		"ароль", "АРОЛЬ", "密码", "密碼", "パスワード",
	}
	shortPasswords = []string{"pass", "userpass", "pw", "mdp"}
	keys           = []string{"key", "secret", "token", "schl", "clave", "cl\xc3", "credential", "authorization"}
)

var forms = []form{
	known("-----begin ", `-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----`+
		`(?:`+fold+`(?:[A-Za-z-]{1,20}: [^\n\\]{1,100}|[A-Za-z0-9+/=]{16,}))*`+
		`(?:`+fold+`[A-Za-z0-9+/=]{0,15}`+fold+`-----END [A-Z0-9 ]{0,30}-----)?`),
	known("eyj", `eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}`),              // JWT
	known("akia", `AKIA[A-Z0-9]{16}\b(?:[\s:,;/|]{1,5}[A-Za-z0-9/+]{40})?`),    // AWS, with the secret that follows
	known("asia", `ASIA[A-Z0-9]{16}\b(?:[\s:,;/|]{1,5}[A-Za-z0-9/+]{40})?`),    // AWS, a temporary one
	known("gh", `gh[pousr]_[A-Za-z0-9_]{20,}`),                                 // GitHub
	known("github_pat_", `github_pat_[A-Za-z0-9_]{20,}`),                       // GitHub
	known("glpat-", `glpat-[A-Za-z0-9_-]{20,}`),                                // GitLab
	known("xox", `xox[a-z]-[A-Za-z0-9-]{10,}`),                                 // Slack
	known("xapp-", `xapp-[A-Za-z0-9-]{10,}`),                                   // Slack
	known("hooks.slack.com/", `hooks\.slack\.com/services/[A-Za-z0-9/]{20,}`),  // who has this URL may post
	known("sk-", `sk-(?:[a-z0-9]{2,10}-){0,3}[A-Za-z0-9_]{20,}[A-Za-z0-9_-]*`), // OpenAI and its kin
	known("sk_", `sk_(?:live|test)_[A-Za-z0-9]{10,}`),                          // Stripe
	known("rk_", `rk_(?:live|test)_[A-Za-z0-9]{10,}`),                          // Stripe
	known("whsec_", `whsec_[A-Za-z0-9+/=]{10,}`),                               // Stripe
	known("aiza", `AIza[A-Za-z0-9_-]{30,}`),                                    // Google
	known("ya29.", `ya29\.[A-Za-z0-9_-]{20,}`),                                 // Google
	known("sg.", `SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`),                 // SendGrid
	known("npm_", `npm_[A-Za-z0-9]{30,}`),                                      // npm

	{Key, []string{"authorization"}, false, folded(`authorization` + assign + quote + `(?:basic|bearer|token|apikey|digest|negotiate)` + blank + `+([^\s"'\[]{6,})`), nil},
	{Key, []string{"bearer"}, true, folded(`bearer` + blank + `+([A-Za-z0-9._~+/=-]{16,})`), hasDigit},
	{Key, keys, false, folded(keyWord + about + `(?:` + assign + `|` + is + `)` + quote + `([A-Za-z0-9+/_~.-]{16,}={0,2})`), random},
	{Key, []string{"sig="}, true, folded(`sig=([A-Za-z0-9%+/_-]{16,}={0,2})`), random}, // a signed URL

	{Password, passwords, false, folded(passwordWord + about + assign + `(` + value + `)`), nil},
	{Password, shortPasswords, true, folded(passwordWord + about + assign + `(` + value + `)`), nil},
	{Password, passwords, false, folded(passwordWord + about + is + `([^\s<]+)`), chosen},
	{Password, passwords, false, folded(passwordWord + `>([^<\n]{1,200})</`), nil},                                   // XML
	{Password, []string{"-pass", "-pwd", "-pw"}, true, folded(`-` + passwordWord + blank + `+(` + value + `)`), nil}, // a command line
	{Password, []string{"://"}, false, folded(`://[^\s/:@"'<>\[]{0,100}:([^\s/"'<>\[]{1,200})@`), nil},               // a URL
}

// known is a key that shows by itself what it is. It is written in one way only.
func known(begin, pattern string) form {
	return form{name: Key, begin: []string{begin}, word: true, pattern: lazily(`^(` + pattern + `)`)}
}

// folded reads a pattern without regard to case.
func folded(pattern string) func() *regexp.Regexp { return lazily(`^(?i:` + pattern + `)`) }

// lazily compiles a pattern when it is first looked for: a function that starts
// has better things to do.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// credentials redacts passwords and keys. Most texts have none, so it looks
// only where a form may begin.
func (c counter) credentials(s string) string {
	var b strings.Builder
	written := 0
	places := newPlaces(s)
	for at, candidates := places.next(0); candidates != nil; at, candidates = places.next(at) {
		end := at + 1
		for _, f := range candidates {
			if from, to, ok := f.find(s, at); ok {
				b.WriteString(s[written:from] + c.redacted(f.name))
				written, end = to, to
				break
			}
		}
		at = end
	}
	b.WriteString(s[written:])
	return b.String()
}

// find looks for a secret of this form that begins at s[at:].
func (f form) find(s string, at int) (from, to int, ok bool) {
	if before, _ := utf8.DecodeLastRuneInString(s[:at]); f.word && (unicode.IsLetter(before) || unicode.IsDigit(before)) {
		return 0, 0, false
	}
	m := f.pattern().FindStringSubmatchIndex(s[at:])
	if m == nil {
		return 0, 0, false
	}
	from, to = at+m[2], at+m[3]
	secret := strings.TrimRight(s[from:to], ".,;")
	if secret == "" || label.MatchString(secret) || f.when != nil && !f.when(secret) {
		return 0, 0, false
	}
	return from, from + len(secret), true
}

// label is the beginning of what stands in the place of a secret, or of an
// address.
var label = regexp.MustCompile(`^\[(?:redacted\b|(?:email|phone)(?:-\d+-[b-z]{8})?\])`)

// places finds where forms may begin, in the order of the text.
type places struct {
	text string // in small ASCII letters
	all  []place
}

// place is the next one of a form with this beginning.
type place struct {
	form  form
	begin string
	at    int
}

func newPlaces(s string) *places {
	p := &places{text: smallASCII(s)}
	for _, f := range forms {
		for _, begin := range f.begin {
			p.all = append(p.all, place{f, begin, -1})
		}
	}
	return p
}

// next gives the first place from at on, and the forms that may begin there;
// none at the end of the text.
func (p *places) next(at int) (int, []form) {
	first := len(p.text)
	for i := range p.all {
		if l := &p.all[i]; l.at < at {
			l.at = len(p.text)
			if n := strings.Index(p.text[at:], l.begin); n >= 0 {
				l.at = at + n
			}
		}
		first = min(first, p.all[i].at)
	}
	var found []form
	for _, l := range p.all {
		if l.at == first && first < len(p.text) {
			found = append(found, l.form)
		}
	}
	return first, found
}

// smallASCII is s with A to Z in small letters, and as long as s.
func smallASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// chosen tells whether a word after "the password is" looks like one: at least
// four characters with a digit or a sign. "expired" does not.
func chosen(s string) bool {
	s = strings.TrimRight(s, "!?:)\"'")
	return len(s) >= 4 && (hasDigit(s) || strings.ContainsAny(s, "@#$%^&*!?+=~_"))
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

// random tells whether a word after "key:" looks as if no person had made it
// up: it changes often between capitals, small letters and digits, or it is a
// long hexadecimal number. "srv-print-berlin-01" and "EnableLinkedConnections"
// do not.
func random(s string) bool {
	letters, numerals, changes, hex := 0, 0, 0, true
	var last rune
	for _, r := range s {
		var class rune
		switch {
		case r >= '0' && r <= '9':
			class = '0'
			numerals++
		case r >= 'a' && r <= 'z':
			class = 'a'
			letters++
		case r >= 'A' && r <= 'Z':
			class = 'A'
			letters++
		default:
			hex = hex && r == '-'
			continue
		}
		hex = hex && (class == '0' || r|' ' <= 'f')
		if last != 0 && class != last {
			changes++
		}
		last = class
	}
	n := letters + numerals
	switch {
	case n < 16 || letters == 0:
		return false
	case numerals == 0:
		return 2*changes >= n
	case hex:
		return true
	case !strings.ContainsAny(s, "-._"):
		return changes >= 4
	default:
		return 3*changes >= n
	}
}
