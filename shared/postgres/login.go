package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnsureLogin lets the roles that the URLs name log in with the passwords that
// the URLs hold. It refuses all but app_user, queue_user and admin_user. The
// roles exist after Migrate. The server and its log see a SCRAM verifier, never a password.
func EnsureLogin(ctx context.Context, ownerURL string, urls ...string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("postgres: let roles log in: %w", err)
		}
	}()
	statements := make([]string, len(urls))
	for i, url := range urls {
		if statements[i], err = loginSQL(url); err != nil {
			return err
		}
	}
	db, err := openOwner(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for i, statement := range statements {
		if canLogIn(ctx, urls[i]) {
			continue // roles belong to the whole cluster: others may be using this one
		}
		_, err := db.ExecContext(ctx, statement)
		if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == "42704" { // undefined_object
			return fmt.Errorf("%w: run the migrations first", err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// canLogIn tells whether the role of url logs in with its password already.
func canLogIn(ctx context.Context, url string) bool {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return false
	}
	return conn.Close(ctx) == nil
}

// loginSQL gives the statement that lets the role of url log in.
func loginSQL(url string) (string, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "", errURL
	}
	if !slices.Contains([]string{"app_user", "queue_user", adminRole}, config.User) {
		return "", fmt.Errorf("role %q: only app_user, queue_user and admin_user get a login; correct the user name in the URL", config.User)
	}
	verifier, err := scramVerifier(config.Password)
	if err != nil {
		return "", fmt.Errorf("role %s: %w", config.User, err)
	}
	return fmt.Sprintf("ALTER ROLE %s LOGIN PASSWORD '%s'", config.User, verifier), nil
}

// scramVerifier is what Postgres stores of a password (RFC 5803). Outside
// ASCII the password would have to be normalised first (SASLprep), so it is
// refused.
func scramVerifier(password string) (string, error) {
	notPlain := func(r rune) bool { return r < ' ' || r > '~' }
	if password == "" || strings.ContainsFunc(password, notPlain) {
		return "", errors.New("the URL needs a password of printable ASCII characters")
	}
	const iterations = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	key := func(name string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(name))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(key("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(key("Server Key"))), nil
}
