// Command catalogue keeps past tickets, articles and systems up to date.
package main

import "github.com/deskhand/deskhand/shared/app"

func main() { app.Main("catalogue", (*app.App).RunCatalogue) }
