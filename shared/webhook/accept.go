package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"

	"github.com/deskhand/deskhand/shared/metric"
	"github.com/deskhand/deskhand/shared/queue"
	"github.com/deskhand/deskhand/shared/tenant"
	"github.com/deskhand/deskhand/shared/ticket"
	"github.com/deskhand/deskhand/shared/ticketing"
)

const (
	// reserve is what is set aside for a body before any of it has come.
	reserve = 64 << 10
	// patience is how long the queue may take: a sender that is told 503 is
	// told within a second.
	patience = 900 * time.Millisecond
)

// delivery is one webhook on its way through accept, which fills it in.
type delivery struct {
	kind       ticket.Kind // of the URL, then what the delivery says itself
	path       string      // of the tool, from the URL
	connection string      // from the URL; "" where a tenant has to be named
	form       bool        // the body is a form, not JSON
	body       []byte

	named string // the connection or tenant that it names; at most maxName bytes
	found string // the connection it is for, genuine or not
	rules profile
	shown proof

	genuine bool      // what follows is set only then
	tenant  tenant.ID // whose it is, as far as that is known
	ticket  string
	marks   []mark // the same for every repetition of the delivery
	job     string
}

// mark is what a delivery is known by, for as long as it is remembered.
type mark struct {
	key  string
	keep time.Duration
}

// settling is for how long further changes of a ticket are part of the job of
// the first: not until the very moment at which that begins, for the next one
// may come while it reads the ticket.
const settling = ticket.Settle - 5*time.Second

// accept takes a delivery all the way to the queue. Nil means that the job is
// durably queued, now or by an earlier delivery of the same.
//
// The limit comes after the signature and not before it: else anyone could use
// up a tenant's share, and a 429 would tell which tenants exist. It comes after
// repetitions, too: else whoever has seen one delivery could use it up.
func (rc *Receiver) accept(ctx context.Context, w http.ResponseWriter, r *http.Request, d *delivery) error {
	name, ok := rc.Tool(d.path)
	if !ok {
		return &refusal{status: http.StatusNotFound, text: "no such webhook"}
	}
	dir := rc.Directory()
	if dir.Loaded.IsZero() {
		return &refusal{status: http.StatusServiceUnavailable, text: "starting, send it again", after: 5 * time.Second}
	}
	if err := d.read(w, r); err != nil {
		return err
	}
	conn, claimed, err := d.find(dir, name, r.Header)
	if err != nil {
		return err
	}
	if d.rules, d.shown, err = (check{conn, r.Header, d.body, rc.Now(), sha256.New}).authenticate(); err != nil {
		return err
	}
	d.genuine, d.tenant = true, presumed(conn, claimed)
	said, err := rc.parse(conn, r.Header, d)
	if err != nil {
		return err
	}
	if _, mapped := conn.Route(said.Account); said.Account != "" && !mapped {
		rc.noteUnmapped(ctx, conn, said.Account)
	}
	owner, err := route(dir, conn, claimed, said)
	if err != nil {
		return err
	}
	d.tenant = owner
	if said.Recovered {
		metric.WebhooksRecovered.Add(ctx, 1, metric.With(metric.Tenant(string(owner))))
	}
	return rc.once(ctx, d, d.event(conn, said, rc.Now()), dir.Tenants[owner].Settings.WebhooksPerMinute)
}

// read checks method and content type, and reads the body.
func (d *delivery) read(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return &refusal{status: http.StatusMethodNotAllowed, text: "a webhook is a POST"}
	}
	if headersTooLarge(r.Header) {
		return &refusal{status: http.StatusRequestHeaderFieldsTooLarge, text: "the headers are too many or too large"}
	}
	switch kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err == nil && kind == "application/json":
	case err == nil && kind == "application/x-www-form-urlencoded":
		d.form = true
	default:
		return &refusal{status: http.StatusUnsupportedMediaType, text: "send application/json or application/x-www-form-urlencoded"}
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), reserve)) + bytes.MinRead)
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	d.body = b.Bytes()
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return tooLarge
	}
	if err != nil {
		return &refusal{status: http.StatusBadRequest, text: "the body ended too early", cause: err}
	}
	if len(d.body) == 0 {
		return &refusal{status: http.StatusBadRequest, text: "the body is empty"}
	}
	if misnamed(d.form, d.body) {
		return bad("body", "is JSON, but its content type says that it is a form")
	}
	return nil
}

// parse has the tool read a genuine delivery.
func (rc *Receiver) parse(conn tenant.Connection, h http.Header, d *delivery) (ticketing.Announcement, error) {
	if tooComplex(d.form, d.body) {
		return ticketing.Announcement{}, bad("body", fmt.Sprintf("is nested deeper than %d, or has more than %d values or %d fields of a form", maxDepth, maxValues, maxKeys))
	}
	tool, err := rc.Open(conn)
	if err != nil {
		return ticketing.Announcement{}, fmt.Errorf("webhook: open connection %s: %w", conn.ID, err)
	}
	said, err := tool.Event(ticketing.Delivery{Kind: d.kind, Header: h, Body: d.body, Strict: d.connection == ""})
	if invalid, ok := errors.AsType[*ticketing.InvalidError](err); ok {
		return said, &refusal{status: http.StatusBadRequest, text: "the webhook cannot be used", reasons: invalid.Reasons}
	}
	if err != nil {
		return said, fmt.Errorf("webhook: read delivery of %s: %w", conn.ID, err)
	}
	d.ticket = said.Key
	if said.Kind == ticket.Created || slices.Contains(ticket.Announced, said.Kind) {
		d.kind = said.Kind
	}
	return said, nil
}

// event makes the event, and gives the delivery its marks and its job id.
//
// Where neither a signed header nor the body tells a delivery id, what was
// signed stands in for it: a thin body ({"id":"1042"}) comes again, the same to
// the byte, when the ticket is changed or reopened, and that is another job, as
// it is signed at another time. Where nothing in a delivery is of its time, the
// job is one of the time in which the body is remembered. For a change that is
// no longer than its job is held back: after that, the same body tells of another.
//
// An id that is not signed makes no job, so a copy under another id is a
// repetition. It is remembered as well: a retry has the same.
func (d *delivery) event(conn tenant.Connection, said ticketing.Announcement, now time.Time) ticket.Event {
	ref := ticket.Ref{Tenant: d.tenant, Tool: conn.Tool, Connection: conn.ID, Key: said.Key}
	id, slot := said.Delivery, ""
	keep, held := d.rules.keep, d.kind.Delay() > 0
	if !d.shown.open {
		id = cmp.Or(d.shown.id, id)
	}
	if id == "" {
		id = d.digest()
		if d.rules.timeless(d.shown) {
			if held {
				keep = settling
			}
			slot = "@" + strconv.FormatInt(now.Truncate(keep).Unix(), 10)
		}
	}
	d.marks = []mark{{ticket.JobID(ref, d.kind, id), keep}}
	if d.shown.open && d.shown.id != "" {
		d.marks = append(d.marks, mark{ticket.JobID(ref, d.kind, "unsigned "+d.shown.id), keep}) // never the key of another's digest
	}
	if held {
		d.marks = append(d.marks, mark{ticket.JobID(ref, "change", ""), settling}) // of the ticket, whatever changed
	}
	d.job = ticket.JobID(ref, d.kind, id+slot)
	ev := ticket.Event{Job: d.job, Ref: ref, Kind: d.kind, Signed: d.rules.covers, Received: now}
	if ev.Signed { // what nobody vouches for is not even passed on
		ev.Told = said.Told
	}
	return ev
}

// digest stands for what was signed: the head of the proof and the body.
func (d *delivery) digest() string {
	sha := sha256.New()
	sha.Write([]byte(d.shown.head))
	sha.Write(d.body)
	return hex.EncodeToString(sha.Sum(nil))
}

// once queues the event, unless the delivery was queued lately: then it has
// the job that it got the first time; a change of a ticket, the job that waits
// for changes to settle. perMinute is the tenant's own limit, 0
// where it has none.
func (rc *Receiver) once(ctx context.Context, d *delivery, ev ticket.Event, perMinute int) error {
	for _, m := range d.marks {
		if job, seen := rc.Seen.Job(ctx, d.tenant, m.key); seen {
			d.job = job
			return nil
		}
	}
	if ok, after := rc.Limit.Allow(ctx, d.tenant, perMinute); !ok {
		return &refusal{status: http.StatusTooManyRequests, text: "too many webhooks of this tenant", after: max(after, time.Second)}
	}
	if err := rc.send(ctx, ev); err != nil {
		return err
	}
	// Only now: had it been marked before, a crash in between would lose the
	// event, as its repetition would be taken for done. What a crash at this
	// line queues twice has one job id (two, for a body that is of no time on
	// both sides of a slot's border), and the ledger runs a job once.
	for _, m := range d.marks {
		rc.Seen.Mark(ctx, d.tenant, m.key, ev.Job, m.keep)
	}
	return nil
}

// send appends the event to its queue.
func (rc *Receiver) send(ctx context.Context, ev ticket.Event) error {
	body, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("webhook: event of %s: %w", ev.Ref, err)
	}
	ctx, span := metric.Tracer.Start(ctx, metric.SpanJobQueued)
	defer span.End()
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = rc.queue(ev.Kind).Send(within, queue.Message{
		ID: ev.Job, Tenant: ev.Ref.Tenant, Kind: string(ev.Kind), Body: body, Trace: carrier, Sent: ev.Received, Delay: ev.Kind.Delay(),
	})
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		if errors.Is(err, queue.ErrTooLarge) {
			return tooLarge
		}
		return &refusal{status: http.StatusServiceUnavailable, text: "not queued, send it again", after: 5 * time.Second, cause: err}
	}
	return nil
}

func (rc *Receiver) queue(kind ticket.Kind) queue.Sender {
	if kind.Past() {
		return rc.Catalogue
	}
	return rc.Enhance
}
