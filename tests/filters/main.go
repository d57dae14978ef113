// Command filters reads real tickets, and prints what the filters get wrong on
// them: identifiers that package redact takes for addresses of people, and
// honest texts that package suspicion takes for hostile ones. It fails without
// data, and where a figure is over its limit. `make eval` runs it.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	data := flag.String("data", "../shared/data", "folder with real tickets")
	show := flag.Bool("show", false, "print the texts that were found, too: read them before you pass them on")
	flag.Parse()
	texts, err := read(os.DirFS(*data))
	if err != nil {
		fmt.Fprintln(os.Stderr, "filters:", err)
		os.Exit(1)
	}
	detail := io.Discard
	if *show {
		detail = os.Stdout
	}
	masked, suspected := masking(os.Stdout, detail, texts), suspecting(os.Stdout, detail, texts)
	if !masked || !suspected {
		os.Exit(1)
	}
}
