// Command enhance works on the enhancement queue: event to note.
package main

import "github.com/deskhand/deskhand/shared/app"

func main() { app.Main("enhance", (*app.App).RunEnhance) }
