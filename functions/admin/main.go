// Command admin serves the admin API.
package main

import "github.com/deskhand/deskhand/shared/app"

func main() { app.Main("admin", (*app.App).RunAdmin) }
