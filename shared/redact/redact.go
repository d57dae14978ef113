// Package redact takes out of a text what must not leave the tenant: passwords,
// keys and card numbers. It leaves alone what a note needs: addresses, host
// names, error codes, ticket, version and telephone numbers. It is pure.
package redact

// The names under which Text counts, and which stand in its labels.
const (
	Password = "password"
	Key      = "key"
	Card     = "card"
)

// Text gives s with every secret replaced by "[redacted password]", "[redacted
// key]" or "[redacted card]", and how many there were of each: nil for none.
// Log the counts, never a value. A second pass changes nothing. The time it
// takes is proportional to the length of s, whatever is in it.
//
// A password on a line of its own, without a word that says so, is not found.
func Text(s string) (clean string, counts map[string]int) {
	c := counter{}
	s = c.credentials(c.cards(s))
	if len(c) == 0 {
		return s, nil
	}
	return s, c
}

type counter map[string]int

// redacted counts a secret and gives what stands in its place.
func (c counter) redacted(name string) string {
	c[name]++
	return "[redacted " + name + "]"
}
