// Command migrate brings the installation to this version: once, or as a Lambda
// function each time it is invoked.
package main

import "github.com/deskhand/deskhand/shared/app"

func main() { app.MainMigrate() }
