package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/shared/admin/access"
	"github.com/deskhand/deskhand/shared/feedback"
	"github.com/deskhand/deskhand/shared/tenant"
)

// API offers the operations over HTTP: JSON in and out, errors as problem
// documents (RFC 9457).
type API struct {
	Office *Office
	SignIn func(*http.Request) (access.Principal, error) // access.Gate
	// Feedback serves feedback.Path, and is the only thing that needs no sign-in: the
	// link itself is what allows it. nil: there is none.
	Feedback http.Handler
	Log      *slog.Logger
}

// call is one request of a caller who signed in and whose role is high enough.
type call struct {
	Caller
	r       *http.Request
	version int // of If-Match
	body    []byte
}

// answer is what an operation gives. A version above 0 becomes the ETag.
type answer struct {
	body    any
	version int
}

// Handler is the whole API. But for Feedback it takes nothing from who did not sign
// in: what is not in Routes is 401 for them too.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, route := range Routes() {
		mux.Handle(route.Method+" "+Base+route.Path, a.serve(route))
	}
	if a.Feedback != nil {
		mux.Handle(feedback.Path, a.Feedback)
	}
	// Signed in, but no such path or method. The mux's own answers would be no
	// problem documents.
	mux.Handle("/", a.serve(Route{Need: access.Viewer, run: func(*Office, *call) (answer, error) { return answer{}, tenant.ErrUnknown }}))
	return mux
}

func (a *API) serve(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := requestID(r)
		header := w.Header()
		header.Set("X-Request-Id", request)
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		c := &call{r: r, Caller: Caller{Need: route.Need, Request: request}}
		result, err := a.do(w, route, c)
		if err != nil {
			a.refuse(w, c, route, err)
			return
		}
		a.Log.InfoContext(r.Context(), "admin", "operation", route.Name, "actor", c.Name, "path", r.URL.Path, "correlation_id", request, "status", route.Status)
		if result.version > 0 {
			header.Set("ETag", fmt.Sprintf("%q", strconv.Itoa(result.version)))
		}
		if result.body == nil {
			w.WriteHeader(route.Status)
			return
		}
		writeJSON(w, "application/json", route.Status, result.body)
	})
}

// foreign refuses changes that come from other sites' pages: browsers send basic
// credentials by themselves.
var foreign = http.NewCrossOriginProtection()

// do signs the caller in, and looks at the role before anything else of the
// request is: who may not, learns nothing from how the rest is refused.
func (a *API) do(w http.ResponseWriter, route Route, c *call) (answer, error) {
	var err error
	if c.Principal, err = a.SignIn(c.r); err != nil {
		return answer{}, err
	}
	if foreign.Check(c.r) != nil {
		return answer{}, ErrForbidden
	}
	if c.Highest() < route.Need || (route.Scope == Everyone && c.All < route.Need) {
		return answer{}, ErrForbidden
	}
	if route.Lock {
		if c.version, err = ifMatch(c.r); err != nil {
			return answer{}, err
		}
	}
	if c.body, err = body(w, c.r, route.Body != nil); err != nil {
		return answer{}, err
	}
	return route.run(a.Office, c)
}

// ifMatch reads the version that the caller read: one, exactly.
func ifMatch(r *http.Request) (int, error) {
	given := r.Header.Values("If-Match")
	if len(given) == 0 {
		return 0, &problem{Status: http.StatusPreconditionRequired, Detail: "say in If-Match which version you read: its ETag"}
	}
	text, _ := strings.CutPrefix(given[0], `"`)
	text, closed := strings.CutSuffix(text, `"`)
	number, err := strconv.Atoi(text)
	if len(given) > 1 || !closed || err != nil || number < 1 || number > math.MaxInt32 {
		return 0, &problem{Status: http.StatusBadRequest, Detail: "want If-Match with one ETag, as it was given"}
	}
	return number, nil
}

var requestPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// requestID is the caller's own id for the request, where it has the form of
// one, else a new one.
func requestID(r *http.Request) string {
	if given := r.Header.Get("X-Request-Id"); requestPattern.MatchString(given) {
		return given
	}
	return rand.Text()
}

func writeJSON(w http.ResponseWriter, kind string, status int, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}

// problem is an error as the caller sees it (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty" doc:"What is wrong, and what to do."`
	Instance string `json:"instance" doc:"The id of the request, as in the log."`
	after    int    // seconds
}

// Error implements error.
func (p *problem) Error() string { return p.Detail }

// explain gives the problem that an error is for the caller. It tells nothing of
// what the caller did not give itself.
func explain(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if bad, ok := errors.AsType[*InvalidError](err); ok {
		return &problem{Status: http.StatusUnprocessableEntity, Detail: bad.Error()}
	}
	if limited, ok := errors.AsType[*access.LimitedError](err); ok {
		return &problem{Status: http.StatusTooManyRequests, Detail: limited.Error(), after: int(math.Ceil(limited.After.Seconds()))}
	}
	switch {
	case errors.Is(err, access.ErrUnauthorized):
		return &problem{Status: http.StatusUnauthorized, Detail: access.ErrUnauthorized.Error()}
	case errors.Is(err, ErrForbidden):
		return &problem{Status: http.StatusForbidden, Detail: ErrForbidden.Error()}
	case errors.Is(err, tenant.ErrUnknown):
		return &problem{Status: http.StatusNotFound, Detail: "there is nothing of this name that you may see"}
	case errors.Is(err, ErrDamaged):
		return &problem{Status: http.StatusConflict, Detail: ErrDamaged.Error()}
	case errors.Is(err, ErrExists):
		return &problem{Status: http.StatusConflict, Detail: ErrExists.Error()}
	case errors.Is(err, ErrConflict):
		return &problem{Status: http.StatusPreconditionFailed, Detail: ErrConflict.Error()}
	}
	return &problem{Status: http.StatusServiceUnavailable, Detail: "it cannot be done now; the log has the reason", after: 5}
}

func (a *API) refuse(w http.ResponseWriter, c *call, route Route, err error) {
	p := *explain(err)
	p.Type, p.Title, p.Instance = "about:blank", http.StatusText(p.Status), "urn:request:"+c.Request
	level := slog.LevelWarn
	if p.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !errors.Is(err, context.Canceled) {
		a.Log.Log(c.r.Context(), level, "admin refused", "operation", route.Name, "actor", c.Name, "remote", access.Source(c.r.RemoteAddr),
			"correlation_id", c.Request, "status", p.Status, "error", err.Error())
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="deskhand"`)
	}
	if p.after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.after))
	}
	writeJSON(w, "application/problem+json", p.Status, p)
}
