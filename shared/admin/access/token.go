package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Token is an API token as it is stored and listed: all but the token itself.
type Token struct {
	ID        string      `json:"id" doc:"Names the token in lists and in the audit trail."`
	Name      string      `json:"name" doc:"What the token is for."`
	Role      Role        `json:"role"`
	Tenants   []tenant.ID `json:"tenants,omitempty" doc:"The tenants that it is limited to; absent: all."`
	CreatedBy string      `json:"created_by"`
	Created   time.Time   `json:"created_at"`
	Expires   time.Time   `json:"expires_at"`
	LastUsed  *time.Time  `json:"last_used_at,omitempty" doc:"To the minute; absent: never."`
	Revoked   *time.Time  `json:"revoked_at,omitempty"`
	RevokedBy string      `json:"revoked_by,omitempty"`
}

// The limits of a token.
const (
	maxName = 100
	// MaxLife is the longest that a token may be good: one that is forgotten
	// ends by itself.
	MaxLife = 366 * 24 * time.Hour
)

// prefix makes a token recognisable, for the gate and for whoever searches
// repositories and logs for leaked ones.
const prefix = "deskhand_"

// Hash is what is stored of a token: its SHA-256. A slow hash with a salt
// guards passwords, which people choose and which can be guessed; a token is
// 256 random bits, which nobody can guess however fast the hash is, and a
// quick hash without salt finds its row by an index.
type Hash [sha256.Size]byte

// NewToken makes a token: the credential, to be shown once, and its hash.
func NewToken() (secret.Text, Hash) {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails: crypto/rand ends the process instead
	text := prefix + base64.RawURLEncoding.EncodeToString(bits[:])
	return secret.New(text), sha256.Sum256([]byte(text))
}

// NewID makes the id of a token, which is no secret.
func NewID() string { return strings.ToLower(rand.Text()[:12]) }

// Check says what is wrong with a new token.
func (t Token) Check(now time.Time) error {
	var errs []error
	if t.Name == "" || len(t.Name) > maxName || strings.ContainsFunc(t.Name, unicode.IsControl) {
		errs = append(errs, fmt.Errorf("name: want 1 to %d characters", maxName))
	}
	if t.Role < Viewer || t.Role > Admin {
		errs = append(errs, errors.New("role: want viewer, operator or admin"))
	}
	for _, id := range t.Tenants {
		if _, err := tenant.ParseID(string(id)); err != nil {
			errs = append(errs, fmt.Errorf("tenants: %w", err))
		}
	}
	if life := t.Expires.Sub(now); life <= 0 || life > MaxLife {
		errs = append(errs, fmt.Errorf("expires: want a time within the next %d days", int(MaxLife.Hours()/24)))
	}
	return errors.Join(errs...)
}

// Principal is who calls with the token.
func (t Token) Principal() Principal {
	p := Principal{Name: "token:" + t.ID}
	p.Grant(t.Role, t.Tenants...)
	return p
}
