package config

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/deskhand/deskhand/shared/secret"
)

// SecretNames are the secrets of SECRETS, in their order.
func (c Config) SecretNames() []string {
	return strings.FieldsFunc(c.Secrets, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

// InSecrets tells whether the configuration names a secret or a key of AWS,
// which has to be asked then.
func (c Config) InSecrets() bool {
	return c.Secrets+c.DatabaseSecret+c.DatabaseOwnerSecret+c.RedisSecret+c.SealingKMSKey != ""
}

// Fill sets those of the variables that may be secret and have no value yet.
// It gives the names that are none of them, sorted: a misspelling, or what
// another version reads.
func (c *Config) Fill(values map[string]secret.Text) (unknown []string) {
	fields := map[string]*secret.Text{}
	v := reflect.ValueOf(c).Elem()
	for f, value := range v.Fields() {
		if f.Tag.Get("file") != "" {
			fields[f.Tag.Get("env")] = value.Addr().Interface().(*secret.Text)
		}
	}
	for name, value := range values {
		switch field := fields[name]; {
		case field == nil:
			unknown = append(unknown, name)
		case field.Empty():
			*field = value
		}
	}
	slices.Sort(unknown)
	return unknown
}

// WithLogin puts user and password into the URL that the variable name has. It
// refuses a URL that has a password already: which one is good would be a
// guess. The error never shows the URL.
func WithLogin(name string, raw secret.Text, user string, password secret.Text) (secret.Text, error) {
	u, err := url.Parse(raw.Reveal())
	if err != nil || u.Host == "" {
		return raw, fmt.Errorf("%s: want a URL like scheme://host:port/name, for its secret has user and password", name)
	}
	if _, has := u.User.Password(); has {
		return raw, fmt.Errorf("%s: has a password, and a secret that has one too: take it out of the URL, or leave the secret's variable empty", name)
	}
	u.User = url.UserPassword(user, password.Reveal())
	return secret.New(u.String()), nil
}
