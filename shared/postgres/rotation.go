package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/deskhand/deskhand/shared/secret"
)

// wrongPassword is the server's code for a password that it refuses.
const wrongPassword = "28P01"

// Reading the password again takes rereadLimit at most, and is done once in
// rereadEvery: a password that stays wrong must not become a flood of reads.
const (
	rereadLimit = 3 * time.Second
	rereadEvery = time.Second
)

// Credentials reads user and password from where they are kept.
type Credentials func(context.Context) (user string, password secret.Text, err error)

// rotation has new connections log in with what read gave last. After the
// server refused it, the next connection reads again. Connections that are
// open stay open.
type rotation struct {
	read Credentials
	now  func() time.Time

	mu       sync.Mutex
	refused  bool      // since the last read
	tried    time.Time // when it was read, or should have been
	user     string    // "" before the first read: what the URL has is valid
	password secret.Text
}

// login, called before each connection is made, sets its user and password. Of
// several at a time one reads, and the others wait for it.
func (r *rotation) login(ctx context.Context, c *pgx.ConnConfig) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused && r.now().Sub(r.tried) >= rereadEvery {
		ctx, cancel := context.WithTimeout(ctx, rereadLimit)
		defer cancel()
		r.tried = r.now()
		user, password, err := r.read(ctx)
		if err != nil {
			return fmt.Errorf("postgres: the server refused the password, and it cannot be read again: %w", err)
		}
		r.user, r.password, r.refused = user, password, false
	}
	if r.user != "" {
		c.User, c.Password = r.user, r.password.Reveal()
	}
	return nil
}

// tracer is the driver's instrumentation, which learns how each log-in ended.
type tracer struct {
	*otelpgx.Tracer
	rotation *rotation
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (t tracer) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	t.Tracer.TraceConnectEnd(ctx, data)
	if e, ok := errors.AsType[*pgconn.PgError](data.Err); ok && e.Code == wrongPassword {
		t.rotation.mu.Lock()
		t.rotation.refused = true
		t.rotation.mu.Unlock()
	}
}
