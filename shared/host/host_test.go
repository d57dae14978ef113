package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deskhand/deskhand/shared/host"
)

// start serves until the test ends and gives the base URL and a stop function
// that returns what Serve returned.
func start(t *testing.T, s host.Server) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	addr, done := make(chan string, 1), make(chan error, 1)
	s.Addr, s.Listening = "127.0.0.1:0", func(a string) { addr <- a }
	if s.Metrics == nil {
		s.Metrics = http.NotFoundHandler()
	}
	if s.Drain == 0 {
		s.Drain = 5 * time.Second
	}
	s.Log = slog.New(slog.DiscardHandler)
	go func() { done <- s.Serve(ctx) }()
	stop = func() error { cancel(); return <-done }
	t.Cleanup(cancel)
	select {
	case a := <-addr:
		return "http://" + a, stop
	case err := <-done:
		t.Fatalf("Serve = %v", err)
		return "", nil
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestReadyNamesWhatIsDownWithoutItsError(t *testing.T) {
	t.Parallel()
	url, stop := start(t, host.Server{Checks: []host.Check{
		{Name: "postgres", Ping: func(context.Context) error { return nil }},
		{Name: "redis", Ping: func(context.Context) error { return errors.New("dial redis://:hunter2@cache") }},
	}})
	code, body := get(t, url+"/readyz")
	var got map[string]any
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusServiceUnavailable || got["status"] != "down" {
		t.Errorf("%d %s", code, body)
	}
	if pg := got["postgres"].(map[string]any); pg["status"] != "up" || pg["latency_ms"] == nil {
		t.Errorf("postgres: %v", pg)
	}
	if got["redis"].(map[string]any)["status"] != "down" || strings.Contains(body, "hunter2") {
		t.Errorf("redis: %s", body)
	}
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz = %d while a dependency is down", code)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestReadyIsDegradedWithoutWhatIsOptional(t *testing.T) {
	t.Parallel()
	url, _ := start(t, host.Server{Checks: []host.Check{{Name: "redis", Optional: true, Ping: func(context.Context) error { return errors.New("refused") }}}})
	if code, body := get(t, url+"/readyz"); code != http.StatusOK || !strings.Contains(body, "degraded") || !strings.Contains(body, "down") {
		t.Errorf("%d %s", code, body)
	}
}

func TestReadyIsUpWhenAllChecksAre(t *testing.T) {
	t.Parallel()
	url, _ := start(t, host.Server{Checks: []host.Check{{Name: "queue", Ping: func(context.Context) error { return nil }}}})
	if code, body := get(t, url+"/readyz"); code != http.StatusOK {
		t.Errorf("%d %s", code, body)
	}
}

func TestServeLetsRunningRequestsEnd(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	url, stop := start(t, host.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-release
		_, _ = io.WriteString(w, "done")
	})})
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(url + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-started
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the running request got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestServeSaysWhenItCannotDrain(t *testing.T) {
	t.Parallel()
	started := make(chan struct{})
	url, stop := start(t, host.Server{Drain: 20 * time.Millisecond, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(started)
		time.Sleep(300 * time.Millisecond)
	})})
	go func() { _, _ = http.Get(url + "/stuck") }() //nolint:bodyclose // cut off on purpose
	<-started
	if err := stop(); err == nil || !strings.Contains(err.Error(), "still running") {
		t.Errorf("Serve = %v", err)
	}
}

func TestServeNamesAnAddressInUse(t *testing.T) {
	t.Parallel()
	url, _ := start(t, host.Server{})
	err := host.Server{Addr: strings.TrimPrefix(url, "http://"), Log: slog.New(slog.DiscardHandler)}.Serve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "HTTP_ADDR") {
		t.Errorf("Serve = %v, want the variable to change", err)
	}
}

func TestEveryRunsAtOnceAndThenEachInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		runs := 0
		if err := host.Every(ctx, 10*time.Second, func(context.Context) { runs++ }); err != nil || runs != 4 {
			t.Errorf("runs = %d, err = %v; want 4", runs, err)
		}
	})
}
