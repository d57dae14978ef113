package postgres

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/secret"
)

// TestOfManyRefusedConnectionsOneReads has many connections find a refused
// password at once, again and again: there is one read a second.
func TestOfManyRefusedConnectionsOneReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		r := &rotation{now: time.Now, read: func(context.Context) (string, secret.Text, error) {
			reads++ // under the lock of r
			return "app_user", secret.New("new"), nil
		}}
		for range 20 { // 4 s
			r.mu.Lock()
			r.refused = true
			r.mu.Unlock()
			for range 8 {
				go func() {
					var c pgx.ConnConfig
					if err := r.login(t.Context(), &c); err != nil || c.User != "app_user" || c.Password != "new" {
						t.Errorf("%q logs in, %v", c.User, err)
					}
				}()
			}
			time.Sleep(200 * time.Millisecond)
		}
		if reads != 4 {
			t.Errorf("%d reads in 4 s", reads)
		}
	})
}
