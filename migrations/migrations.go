// Package migrations holds the database schema as goose migrations, each of
// which goes down and up again. Old code must run on the new schema: expand
// first, contract in a later release.
package migrations

import "embed"

// FS holds the SQL files.
//
//go:embed *.sql
var FS embed.FS
