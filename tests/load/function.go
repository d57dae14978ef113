package main

import (
	"archive/zip"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
)

// starts is how often each function is started, in turn with one that does
// nothing. What else runs on the machine makes starts slower and never faster:
// the quickest third tells what the function itself takes, and its slowest is
// what counts.
const (
	starts   = 15
	quickest = starts / 3
)

// function is one row of the Lambda functions.
type function struct {
	name         string
	init, median float64 // ms
	bare         float64 // ms of init of the function that does nothing
	zip          float64 // MB
}

// functions starts every function cold, and packs it.
func (w *world) functions(ctx context.Context) ([]function, error) {
	var rows []function
	for _, name := range functionNames {
		progress("Lambda: %s", name)
		times, floor, err := w.init(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s as a Lambda function: %w", name, err)
		}
		size, err := zipped(w.bootstrap(name, "arm64"))
		if err != nil {
			return nil, err
		}
		rows = append(rows, function{name, times[quickest-1], median(times), floor[quickest-1], size})
	}
	return rows, nil
}

// init gives the times from the start of the process until it asks for its
// first invocation, in order; and those of the function that does nothing.
func (w *world) init(ctx context.Context, name string) (times, floor []float64, err error) {
	env := map[string]string{}
	for _, variable := range w.env(queueEnv(w.sqs, "note")...) {
		name, value, _ := strings.Cut(variable, "=")
		env[name] = value
	}
	f := &lambdaruntime.Function{Name: name, Bootstrap: w.bootstrap(name, runtime.GOARCH), Env: env, Timeout: 10 * time.Second}
	defer f.Close()
	bare := &lambdaruntime.Function{Name: "bare", Bootstrap: w.bootstrap("bare", runtime.GOARCH), Timeout: 10 * time.Second}
	defer bare.Close()
	start := func(f *lambdaruntime.Function, times *[]float64) error {
		r, err := f.Invoke(ctx, []byte(`{"Records":[]}`))
		if err == nil && (!r.Cold || r.Failure().Type == "Runtime.ExitError") {
			err = fmt.Errorf("it did not start: %s", r.Payload)
		}
		*times = append(*times, millis(r.Init))
		f.Kill()
		return err
	}
	for range starts {
		if err := errors.Join(start(bare, &floor), start(f, &times)); err != nil {
			return nil, nil, err
		}
	}
	slices.Sort(times)
	slices.Sort(floor)
	return times, floor, nil
}

// zipped is the size of a file in a zip, as it is uploaded, in the MB of Lambda's
// own limits: 2^20 bytes.
func zipped(path string) (float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var size counter
	z := zip.NewWriter(&size)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	entry, err := z.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := io.Copy(entry, file); err != nil {
		return 0, err
	}
	return float64(size) / (1 << 20), z.Close()
}

// counter counts what is written.
type counter int

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
