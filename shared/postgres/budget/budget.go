// Package budget counts what the model costs a tenant in a day and in a month,
// so that a limit holds for all workers together.
package budget

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/deskhand/deskhand/shared/enhance"
	"github.com/deskhand/deskhand/shared/postgres"
	"github.com/deskhand/deskhand/shared/tenant"
)

// Store counts what was used in the table model_use, and what running calls may
// use in model_reservations. It is safe for concurrent use. Days and months are
// those of UTC, by the database's clock.
type Store struct{ DB *postgres.DB }

// Reservations of a tenant are made one after the other. What follows in the
// transaction sees those that were made before.
const lockSQL = `SELECT pg_advisory_xact_lock(hashtextextended('budget/' || current_tenant(), 0))`

// What is taken is what was used and what is reserved. The reservation is made
// where it passes no limit.
const reserveSQL = `
WITH clock AS (
    SELECT d.today, date_trunc('month', d.today::timestamp)::date AS first FROM (SELECT (statement_timestamp() AT TIME ZONE 'UTC')::date AS today) d
), ended AS (
    DELETE FROM model_reservations WHERE tenant_id = current_tenant() AND until <= statement_timestamp()
), taken AS (
    SELECT coalesce(sum(u.tokens) FILTER (WHERE u.day = today), 0) AS tokens,
           coalesce(sum(u.nano_usd) FILTER (WHERE u.day = today), 0) AS day_usd, coalesce(sum(u.nano_usd), 0) AS month_usd
    FROM clock, (
        SELECT day, tokens, nano_usd FROM model_use WHERE tenant_id = current_tenant()
        UNION ALL
        SELECT day, tokens, nano_usd FROM model_reservations WHERE tenant_id = current_tenant() AND until > statement_timestamp()
    ) u
    WHERE u.day >= first
), judged AS (
    SELECT today, CASE
        WHEN $3::bigint > 0 AND tokens + $1::bigint > $3 THEN 'daily_tokens'
        WHEN $4::bigint > 0 AND day_usd + $2::bigint > $4 THEN 'daily_usd'
        WHEN $5::bigint > 0 AND month_usd + $2 > $5 THEN 'monthly_usd'
        ELSE '' END AS refused
    FROM clock, taken
), granted AS (
    INSERT INTO model_reservations (tenant_id, day, tokens, nano_usd, until)
    SELECT current_tenant(), today, $1, $2, statement_timestamp() + $6 FROM judged WHERE refused = ''
    RETURNING id
)
SELECT refused, today, coalesce((SELECT id FROM granted)::text, '') FROM judged`

// The reservation may have ended before: what was used counts all the same.
const settleSQL = `
WITH ended AS (DELETE FROM model_reservations WHERE tenant_id = current_tenant() AND id = $1::uuid)
INSERT INTO model_use AS m (tenant_id, day, tokens, nano_usd) VALUES (current_tenant(), $2, $3, $4)
ON CONFLICT (tenant_id, day) DO UPDATE SET tokens = m.tokens + excluded.tokens, nano_usd = m.nano_usd + excluded.nano_usd`

// hold is how long a reservation lasts where nobody settles it: longer than any
// job.
const hold = 5 * time.Minute

// Reserve takes most from the tenant's day and month, unless that passes one of
// the limits: refused is the name of that setting then, and nothing is taken. So
// what was used and what is reserved never pass a limit, as long as no call
// takes more than was reserved for it. settle puts what was used in the place of
// the reservation, on its day; it is called once. Without it the reservation
// ends after five minutes.
func (s Store) Reserve(ctx context.Context, id tenant.ID, most enhance.Amount, limits enhance.Limits) (settle func(ctx context.Context, used enhance.Amount) error, refused string, err error) {
	var day time.Time
	var reservation string
	err = s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockSQL); err != nil {
			return err
		}
		return tx.QueryRow(ctx, reserveSQL, most.Tokens, nano(most.USD), limits.DailyTokens, nano(limits.DailyUSD), nano(limits.MonthlyUSD), hold).
			Scan(&refused, &day, &reservation)
	})
	if err != nil {
		return nil, "", fmt.Errorf("budget: reserve %d tokens, %.4f USD of tenant %s: %w", most.Tokens, most.USD, id, err)
	}
	if refused != "" {
		return nil, refused, nil
	}
	return func(ctx context.Context, used enhance.Amount) error {
		err := s.DB.InTenant(ctx, id, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, settleSQL, reservation, day, used.Tokens, nano(used.USD))
			return err
		})
		if err != nil {
			return fmt.Errorf("budget: settle %d tokens, %.4f USD of tenant %s: %w", used.Tokens, used.USD, id, err)
		}
		return nil
	}, "", nil
}

// nano is an amount in billionths of a dollar.
func nano(usd float64) int64 { return int64(math.Round(usd * 1e9)) }
