package e2e_test

import (
	"log/slog"
	"net"
	"testing"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

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
