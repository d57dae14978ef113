package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/deskhand/deskhand/shared/secret"
	"github.com/deskhand/deskhand/shared/webhook"
)

const (
	connections = 32
	bodySize    = 630
)

// tickets makes every webhook of the run another ticket's.
var tickets atomic.Int64

// fire sends webhooks over connections that stay open, one after another on
// each, and gives how long each took. An answer other than 202 is an error:
// what is measured is accepting.
func fire(ctx context.Context, addr string, length time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	end := time.Now().Add(length)
	all := make([][]time.Duration, connections)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			var err error
			if all[i], err = shoot(ctx, addr, end); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	var times []time.Duration
	for _, some := range all {
		times = append(times, some...)
	}
	return times, context.Cause(ctx)
}

// shoot is one connection.
func shoot(ctx context.Context, addr string, end time.Time) (times []time.Duration, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	in := bufio.NewReader(conn)
	for time.Now().Before(end) {
		request := signed(tickets.Add(1))
		start := time.Now()
		if _, err := conn.Write(request); err != nil {
			return nil, err
		}
		if err := answer(in); err != nil {
			return nil, err
		}
		times = append(times, time.Since(start))
	}
	return times, nil
}

// signed is the webhook of a ticket as it goes over the wire, bodySize long.
func signed(ticket int64) []byte {
	head := fmt.Sprintf(`{"event":"request.created","request_id":"%d","subject":"Print jobs wait","priority":"High","description":"`, ticket)
	body := head + strings.Repeat("the print queue is stuck; ", 30)[:bodySize-len(head)-2] + `"}`
	return post(int(ticket%tenants), body)
}

// post is a signed request of a tenant.
func post(n int, body string) []byte {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	return fmt.Appendf(nil, "POST /webhook/servicedesk/%s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s: %s\r\n%s: %s\r\n\r\n%s",
		tenantName(n), len(body), webhook.TimestampHeader, stamp, webhook.SignatureHeader, webhook.Sign(signingKey, stamp, []byte(body)), body)
}

var signingKey = secret.New(signing)

// answer reads one answer, which has to be 202. It knows as much HTTP as the
// servers here use.
func answer(in *bufio.Reader) error {
	status, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	length := -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(":")); bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	if !strings.HasPrefix(status, "HTTP/1.1 202 ") {
		body, _ := in.Peek(min(length, 300))
		return fmt.Errorf("a webhook was answered with %s: %s; want 202", strings.TrimSpace(status), body)
	}
	_, err = in.Discard(length)
	return err
}
