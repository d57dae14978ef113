package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/postgres/pgtest"
)

func TestTheQueuesRoleReachesTheQueueAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	role := func(grants ...string) string {
		name := "role_" + strings.ToLower(rand.Text())
		for _, sql := range append([]string{"CREATE ROLE $role LOGIN PASSWORD 'p'"}, grants...) {
			if _, err := db.Owner(t).Exec(t.Context(), strings.ReplaceAll(sql, "$role", name)); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		t.Cleanup(func() {
			if _, err := db.Owner(t).Exec(context.Background(), "DROP OWNED BY "+name+"; DROP ROLE "+name); err != nil {
				t.Error(err)
			}
		})
		u, err := url.Parse(db.OwnerURL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(name, "p")
		return u.String()
	}
	const reaches = "may use tables or functions of the application"
	for name, c := range map[string]struct{ url, want string }{
		"queue_user":     {db.QueueURL, ""},
		"harmless":       {role(), ""},
		"superuser":      {db.OwnerURL, "is a superuser"},
		"bypass":         {role("ALTER ROLE $role BYPASSRLS"), "has BYPASSRLS"},
		"app_user":       {db.AppURL, reaches},
		"a member":       {role("GRANT app_user TO $role"), reaches},
		"without asking": {role("ALTER ROLE $role NOINHERIT", "GRANT directory_writer TO $role"), "is a member of directory_writer, which " + reaches},
		"reads all":      {role("GRANT pg_read_all_data TO $role"), reaches},
		"a table":        {role("GRANT SELECT ON systems TO $role"), reaches},
		"a column":       {role("GRANT SELECT (hostname) ON systems TO $role"), reaches},
		"a door":         {role("GRANT EXECUTE ON FUNCTION directory_tenants() TO $role"), reaches},
		"an owner":       {role("CREATE TABLE owned (n int)", "ALTER TABLE owned OWNER TO $role"), reaches},
	} {
		conn, err := pgx.Connect(t.Context(), c.url)
		if err != nil {
			t.Fatal(err)
		}
		err = postgres.CheckQueueRole(t.Context(), conn)
		_ = conn.Close(context.Background())
		if c.want == "" && err == nil {
			continue
		}
		if !errors.Is(err, postgres.ErrRole) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "Connect to the queue as queue_user") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err := postgres.CheckQueueRole(t.Context(), conn); err == nil || errors.Is(err, postgres.ErrRole) {
			t.Errorf("%s, closed: %v", name, err)
		}
	}
}
