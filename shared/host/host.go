// Package host runs what app made: an HTTP server with health, metrics and
// drain, or an AWS Lambda function that takes requests, batches of a queue and
// ticks. What runs is the same everywhere; only host knows where it runs.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Check is one thing that the process needs.
type Check struct {
	Name string // "postgres", "redis", "queue"
	Ping func(context.Context) error
	// Optional is for what the process can do without: it is shown as down,
	// and the process as degraded but ready.
	Optional bool
}

// checkLimit bounds one readiness check.
const checkLimit = 2 * time.Second

// Server is the HTTP side of a process.
type Server struct {
	Addr    string       // "127.0.0.1:8080"; port 0 takes a free one
	Handler http.Handler // the product's routes; nil for a worker
	Metrics http.Handler
	Checks  []Check
	Drain   time.Duration
	// Proxies is how many proxies, each trusted, stand before this process. The
	// Handler gets the address of the sender before them in RemoteAddr.
	Proxies int
	Log     *slog.Logger
	// Listening, where not nil, is called with the real address.
	Listening func(addr string)
}

// Signals gives a context that is done at SIGTERM or SIGINT. A second signal
// ends the process at once.
func Signals(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, stop) // give the second signal back to the runtime
	return ctx, stop
}

// Serve listens until ctx is done, then refuses new requests, lets the running
// ones end for at most Drain, and returns. Besides Handler it serves /healthz
// (the process lives), /readyz (what it needs answers) and /metrics.
func (s Server) Serve(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("listen on %s: %w (is another deskhand running? HTTP_ADDR chooses another address)", s.Addr, err)
	}
	if s.Listening != nil {
		s.Listening(listener.Addr().String())
	}
	server := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Drain)
		defer cancel()
		err := server.Shutdown(drain)
		if err != nil {
			err = errors.Join(err, server.Close())
		}
		stopped <- err
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve %s: %w", s.Addr, err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("drain %s: requests were still running after %s: %w", s.Addr, s.Drain, err)
	}
	return nil
}

func (s Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.Metrics)
	if s.Handler != nil {
		mux.Handle("/", behind(s.Proxies, s.Handler))
	}
	return mux
}

// healthy says that the process lives.
func healthy(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "up"})
}

// state is one line of /readyz.
type state struct {
	Status  string  `json:"status"` // up or down
	Latency float64 `json:"latency_ms"`
	Error   string  `json:"error,omitempty"`
}

// ready answers 200 where every check that is not optional is up, else 503,
// with each by name.
func (s Server) ready(w http.ResponseWriter, r *http.Request) {
	states := make([]state, len(s.Checks))
	var wg sync.WaitGroup
	for i, c := range s.Checks {
		wg.Go(func() { states[i] = s.run(r.Context(), c) })
	}
	wg.Wait()
	code, body := http.StatusOK, map[string]any{"status": "up"}
	for i, st := range states {
		body[s.Checks[i].Name] = st
		switch {
		case st.Status == "up":
		case !s.Checks[i].Optional:
			code, body["status"] = http.StatusServiceUnavailable, "down"
		case code == http.StatusOK:
			body["status"] = "degraded"
		}
	}
	writeJSON(w, code, body)
}

func (s Server) run(ctx context.Context, c Check) state {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	start := time.Now()
	err := c.Ping(ctx)
	st := state{Status: "up", Latency: float64(time.Since(start).Microseconds()) / 1000}
	if err != nil {
		// The reason is for the log; the page is readable without a password.
		s.Log.WarnContext(ctx, "not ready", "operation", "readiness", "check", c.Name, "error", err.Error())
		st.Status, st.Error = "down", "does not answer; see the log"
	}
	return st
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}

// Every calls do at once and then each interval until ctx is done.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		do(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
