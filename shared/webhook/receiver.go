// Package webhook receives the webhooks of ticketing tools: it finds the
// connection that a webhook is for, checks its signature, reads it, routes it
// to its tenant, and puts one event on the queue. The only thing that it waits
// for is the queue's durable append.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

// Receiver takes webhooks. Every field is required and set once; all of them
// are used by many requests at a time.
type Receiver struct {
	// Directory gives the current snapshot of tenants and connections. It does
	// no I/O. While it is not Loaded, webhooks are answered with 503.
	Directory func() tenant.Directory
	// Tool gives the name of the tool ("servicedesk_plus") that has this path
	// in URLs ("servicedesk").
	Tool func(path string) (name string, ok bool)
	// Open gives the tool of a connection. It does no I/O.
	Open func(tenant.Connection) (ticketing.Tool, error)

	Enhance   queue.Sender // takes the events of tickets that are open
	Catalogue queue.Sender // takes the events of those that are resolved or closed

	Seen  Memory
	Limit Limiter
	// Unmapped counts a genuine webhook of an account that no tenant has; nil
	// where nobody wants to know. It is waited for, and its error is logged. No
	// rate of a tenant bounds these, so it is called for 30 a minute of each
	// connection.
	Unmapped func(ctx context.Context, connection, account string) error
	Now      func() time.Time
	Log      *slog.Logger

	failures minute[failure]
	lines    minute[netip.Prefix] // of the log, by source
	unmapped minute[string]       // by connection
}

// Memory remembers the deliveries of each tenant that were queued lately, and
// their jobs, so that one that is repeated is not queued again. delivery is an
// opaque key of connection, kind, ticket, and the delivery's id or the hash of
// what was signed; or of a ticket whose changes settle. It may forget: what it
// lets through has the same job id as before, and the ledger runs a job once, or
// is one job more, which finds nothing new. Only where nothing in a delivery is
// of its time does the job id change, with each slot of the time that its
// profile remembers.
type Memory interface {
	// Job gives the job of a delivery that is still remembered.
	Job(ctx context.Context, id tenant.ID, delivery string) (job string, seen bool)
	// Mark remembers a delivery for so long.
	Mark(ctx context.Context, id tenant.ID, delivery, job string, keep time.Duration)
}

// Limiter counts the genuine webhooks of a tenant and says whether one more is
// within its rate, and if not, when the next one will be. perMinute is the
// tenant's own rate, 0 where it has none.
type Limiter interface {
	Allow(ctx context.Context, id tenant.ID, perMinute int) (ok bool, after time.Duration)
}

// Routes serves
//
//	POST /webhook/{tool}                and one of ticket.Announced behind it
//	POST /webhook/{tool}/{connection}   likewise
//
// A delivery to the first has to name its tenant, in the header X-Tenant-ID or
// in its body. The answer is 202 with the job's id, or the reason why not; both
// are JSON. None of ticket.Announced is ever the name of a connection.
func (rc *Receiver) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/webhook/{tool}", rc.serve(ticket.Created))
	mux.HandleFunc("/webhook/{tool}/updated", rc.serve(ticket.Updated))
	mux.HandleFunc("/webhook/{tool}/replied", rc.serve(ticket.Replied))
	mux.HandleFunc("/webhook/{tool}/resolved", rc.serve(ticket.Resolved))
	mux.HandleFunc("/webhook/{tool}/closed", rc.serve(ticket.Closed))
	mux.HandleFunc("/webhook/{tool}/{connection}", rc.serve(ticket.Created))
	mux.HandleFunc("/webhook/{tool}/{connection}/updated", rc.serve(ticket.Updated))
	mux.HandleFunc("/webhook/{tool}/{connection}/replied", rc.serve(ticket.Replied))
	mux.HandleFunc("/webhook/{tool}/{connection}/resolved", rc.serve(ticket.Resolved))
	mux.HandleFunc("/webhook/{tool}/{connection}/closed", rc.serve(ticket.Closed))
	mux.HandleFunc("/", rc.serve("")) // no tool has the path "": 404, told and counted like all others
	return mux
}

// serve answers one webhook, and tells of it in one log line, one span and one
// count.
func (rc *Receiver) serve(kind ticket.Kind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := rc.Now()
		// A sender that hangs up early (ServiceDesk Plus waits only briefly and
		// may never send again) still gets its event queued.
		ctx, span := metric.Tracer.Start(context.WithoutCancel(r.Context()), metric.SpanWebhookReceived,
			trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()

		d := &delivery{kind: kind, path: r.PathValue("tool"), connection: r.PathValue("connection")}
		err := rc.flooded(r, d, rc.guarded(ctx, w, r, d))
		status := answer(w, d.job, err)

		owner := string(d.tenant)
		if owner == "" {
			owner = "unknown"
		}
		span.SetAttributes(metric.Tenant(owner), attribute.Int("http.response.status_code", status))
		metric.Webhooks.Add(ctx, 1, metric.With(metric.Tenant(owner), metric.Status(strconv.Itoa(status))))
		rc.tell(ctx, r, d, outcome{status: status, took: rc.Now().Sub(start), err: err})
	}
}

// guarded is accept, with a panic (of a tool that reads hostile input) turned
// into an error. The panic's own text is kept only where the runtime wrote it:
// any other may quote the ticket.
func (rc *Receiver) guarded(ctx context.Context, w http.ResponseWriter, r *http.Request, d *delivery) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("webhook: panic: %w\n%s", p, debug.Stack())
		default:
			err = fmt.Errorf("webhook: panic with a %T\n%s", p, debug.Stack())
		}
	}()
	return rc.accept(ctx, w, r, d)
}

// outcome is how a delivery ended.
type outcome struct {
	status int
	took   time.Duration
	err    error
}

// tell writes the log line. It names what was found out, never what the sender
// wrote; a refused signature is a security event, with the sender's address.
func (rc *Receiver) tell(ctx context.Context, r *http.Request, d *delivery, o outcome) {
	refused, ok := errors.AsType[*refusal](o.err)
	if ok && refused.quiet {
		return
	}
	attrs := []slog.Attr{
		slog.String("operation", "webhook_received"),
		slog.String(metric.KeyCorrelation, d.job),
		slog.String(metric.KeyTenant, string(d.tenant)),
		slog.String(metric.KeyTicket, d.ticket),
		slog.Int("status", o.status),
		slog.Int("bytes", len(d.body)),
		slog.Float64("duration_ms", float64(o.took.Microseconds())/1000),
	}
	level := slog.LevelInfo
	if o.err != nil {
		attrs = append(attrs, slog.String("reason", o.err.Error()))
	}
	switch {
	case o.status >= http.StatusInternalServerError:
		level = slog.LevelError
	case ok && refused.event != "":
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("security_event", refused.event),
			slog.String("connection", d.found), slog.String("remote", r.RemoteAddr))
	}
	rc.Log.LogAttrs(ctx, level, "webhook received", attrs...)
}
