// Command notes judges the notes that the product writes, without a judge:
// every case of a folder runs through the whole enhancement, with a model that
// misbehaves in every way, with recorded answers, or with a real model, and
// plain functions look at what stands on the ticket then.
//
//	notes                    recorded answers and misbehaviours
//	notes --mode live        a real model: OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/tests/evals/cases"
)

// errFailed says that notes failed, which was printed.
var errFailed = errors.New("there are notes that failed a check")

// options are the command line.
type options struct {
	cases   string
	mode    string
	json    bool
	repeats int
}

func main() {
	var o options
	flag.StringVar(&o.cases, "cases", "tests/evals/cases", "folder of cases")
	flag.StringVar(&o.mode, "mode", "all", "misbehave, replay, all (both), or live")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.IntVar(&o.repeats, "repeats", 3, "how often a real model is asked about each case")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "notes:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options, to io.Writer) error {
	if !slices.Contains([]string{"misbehave", "replay", "all", "live"}, o.mode) || o.repeats < 1 {
		return fmt.Errorf("--mode is misbehave, replay, all or live, not %q; --repeats is at least 1", o.mode)
	}
	var model llm.Model
	if o.mode == "live" {
		var err error
		if model, err = live(); err != nil {
			return err
		}
	}
	list, err := cases.Read(os.DirFS(o.cases))
	if err != nil {
		return err
	}
	e, floor, err := evaluate(ctx, list)
	if err != nil {
		return err
	}
	rows := []row{floor}
	if o.mode == "replay" || o.mode == "all" {
		r, err := e.replay(ctx)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if o.mode == "misbehave" || o.mode == "all" {
		more, err := e.misbehave(ctx, 1)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	var repeats []row
	if model != nil {
		if repeats, err = e.live(ctx, model, o.repeats); err != nil {
			return err
		}
	}
	return report(to, o, append(rows, repeats...), repeats)
}

// live is the model that the environment names.
func live() (llm.Model, error) {
	key := os.Getenv("OPENAI_API_KEY")
	if key == "" {
		return nil, errors.New("--mode live asks a real model: set OPENAI_API_KEY (and OPENAI_BASE_URL, OPENAI_MODEL)")
	}
	url := cmp.Or(os.Getenv("OPENAI_BASE_URL"), "https://openrouter.ai/api/v1")
	return client(url, cmp.Or(os.Getenv("OPENAI_MODEL"), "openai/gpt-4o-mini"), key, http.DefaultClient)
}

func report(to io.Writer, o options, rows, repeats []row) error {
	var err error
	if o.json {
		e := json.NewEncoder(to)
		e.SetIndent("", "  ")
		err = e.Encode(rows)
	} else {
		err = errors.Join(show(to, rows), explain(to, rows))
		if len(repeats) > 0 {
			err = errors.Join(err, spread(to, repeats))
		}
	}
	if !slices.ContainsFunc(rows, func(r row) bool { return !r.good() }) {
		return err
	}
	return errors.Join(err, errFailed)
}
