// Command admin serves the admin API, and in Lambda the operator's command.
package main

import (
	"context"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/cli"
)

func main() {
	app.Main("admin", func(a *app.App, ctx context.Context) error {
		a.Answer = cli.Answer
		return a.RunAdmin(ctx)
	})
}
