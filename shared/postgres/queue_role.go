package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// queueRoleSQL finds what the session's role is, or may become, that reaches
// more than the queue; the role itself before those it is a member of.
const queueRoleSQL = `
SELECT current_user::text, r.rolname::text, CASE
    WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'has BYPASSRLS'
    ELSE 'may use tables or functions of the application' END
FROM pg_roles r
WHERE pg_has_role(r.oid, 'MEMBER')
  AND (r.rolsuper OR r.rolbypassrls
       OR EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
                  AND (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                       OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')))
       OR EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND has_function_privilege(r.oid, p.oid, 'EXECUTE')))
ORDER BY r.rolname = current_user DESC, r.rolname
LIMIT 1`

// CheckQueueRole refuses the session of a role that reaches anything but the
// queue: a superuser, one with BYPASSRLS, whoever may use a table or a door of
// the application, or a member of such a role. The error is ErrRole, unless the
// database does not answer. It fits pgxpool.Config.AfterConnect, so that no
// session is used before.
func CheckQueueRole(ctx context.Context, conn *pgx.Conn) error {
	var user, role, why string
	err := conn.QueryRow(ctx, queueRoleSQL).Scan(&user, &role, &why)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("postgres: check the queue's role: %w", err)
	}
	if role != user {
		user += " is a member of " + role + ", which"
	}
	return fmt.Errorf("postgres: %w: %s %s. Connect to the queue as queue_user (DATABASE_QUEUE_URL)", ErrRole, user, why)
}
