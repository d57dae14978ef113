// Command deskhand is the operator's command, and with serve the whole product
// in one process.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/deskhand/deskhand/shared/app"
	"github.com/deskhand/deskhand/shared/cli"
	"github.com/deskhand/deskhand/shared/config"
	"github.com/deskhand/deskhand/shared/host"
	"github.com/deskhand/deskhand/shared/lambda"
)

// version is set by the linker in releases.
var version = "devel"

func main() {
	if err := config.LoadDotEnv(".env", ".local/env"); err != nil {
		fmt.Fprintln(os.Stderr, "deskhand:", err)
		os.Exit(1)
	}
	ctx, stop := host.Signals(context.Background())
	program := app.Program(version, config.Load)
	program.Call = app.Calls(lambda.Invoke)
	code := cli.New(program).Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
