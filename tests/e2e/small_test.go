package e2e_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/deskhand/deskhand/shared/telemetry"
)

// quiet is telemetry that goes nowhere.
func quiet() telemetry.Telemetry {
	return telemetry.Telemetry{
		Log: slog.New(slog.DiscardHandler), Metrics: http.NotFoundHandler(), Close: func(context.Context) error { return nil },
	}
}

// freeAddr gives a loopback address that nobody listens on now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
