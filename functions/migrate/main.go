// Command migrate brings the database to this version and ends.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/config"
)

func main() {
	cfg, err := config.Load()
	applied := 0
	if err == nil {
		applied, err = app.Migrate(context.Background(), cfg)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "deskhand migrate:", err)
		os.Exit(1)
	}
	fmt.Printf("deskhand migrate: %d migrations applied, the schema is up to date\n", applied)
}
