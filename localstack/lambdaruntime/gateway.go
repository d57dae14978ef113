package lambdaruntime

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// Invoker is a function, as the services see it.
type Invoker interface {
	Invoke(ctx context.Context, payload []byte) (Result, error)
}

// Gateway is an API Gateway with one Lambda proxy integration for every path.
// It answers for the function where the function does not. Both kinds: 413 for
// a request over 10 MB, or over Lambda's 6 MB; 500 where the function is
// throttled. REST: 502 for a function error or an answer that is none, 504
// after Timeout. HTTP API: 500 and 503.
type Gateway struct {
	Function Invoker
	// HTTPAPI makes it an HTTP API with payload format 2.0 instead of a REST
	// API with 1.0.
	HTTPAPI bool
	Timeout time.Duration // where zero: 29 s, or 30 s of an HTTP API
	// Binary is the REST API's binaryMediaTypes; "*/*" is all. A body of these
	// types is base64 on its way to and from the function. An HTTP API decides
	// by itself.
	Binary []string
}

// maxRequest is the largest body of a request.
const maxRequest = 10 << 20

// ServeHTTP implements http.Handler.
func (g Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		g.refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
		return
	}
	limit := g.Timeout
	if limit == 0 {
		limit = 29 * time.Second
		if g.HTTPAPI {
			limit = 30 * time.Second
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	result, err := g.Function.Invoke(ctx, g.event(r, body))
	switch {
	case errors.Is(err, ErrThrottled): // Lambda says 429, which the gateway keeps to itself
		g.refuse(w, http.StatusInternalServerError, "Internal server error")
	case errors.Is(err, ErrTooLarge):
		g.refuse(w, http.StatusRequestEntityTooLarge, "Request Too Long")
	case errors.Is(err, context.DeadlineExceeded) && g.HTTPAPI:
		g.refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	case errors.Is(err, context.DeadlineExceeded):
		g.refuse(w, http.StatusGatewayTimeout, "Endpoint request timed out")
	case err != nil || result.FunctionError != "" || !g.answer(w, r, result.Payload):
		if g.HTTPAPI {
			g.refuse(w, http.StatusInternalServerError, "Internal Server Error")
			return
		}
		g.refuse(w, http.StatusBadGateway, "Internal server error")
	}
}

func (g Gateway) refuse(w http.ResponseWriter, status int, message string) {
	reply(w, status, map[string]string{"message": message})
}

// event is the request as the function gets it.
func (g Gateway) event(r *http.Request, body []byte) []byte {
	header := r.Header.Clone()
	header.Set("Host", r.Host)
	ip, port, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip, port = r.RemoteAddr, "0"
	}
	forwarded := ip
	if before := header.Get("X-Forwarded-For"); before != "" {
		forwarded = before + ", " + ip
	}
	header.Set("X-Forwarded-For", forwarded)
	header.Set("X-Forwarded-Port", port)
	header.Set("X-Forwarded-Proto", "https")
	id := uuid()
	header.Set("X-Amzn-Trace-Id", trace(id))
	var event any
	if g.HTTPAPI {
		event = httpEvent(r, header, body, id, ip)
	} else {
		event = g.restEvent(r, header, body, id, ip)
	}
	payload, err := json.Marshal(event)
	if err != nil {
		panic(fmt.Sprintf("an event of strings cannot be written: %v", err))
	}
	return payload
}

func (g Gateway) restEvent(r *http.Request, header http.Header, body []byte, id, ip string) events.APIGatewayProxyRequest {
	query := r.URL.Query()
	if len(query) == 0 {
		query = nil // null in the event
	}
	e := events.APIGatewayProxyRequest{
		Resource: "/{proxy+}", Path: r.URL.EscapedPath(), HTTPMethod: r.Method,
		Headers: last(header), MultiValueHeaders: header, QueryStringParameters: last(query), MultiValueQueryStringParameters: query,
		PathParameters: map[string]string{"proxy": strings.TrimPrefix(r.URL.Path, "/")},
		RequestContext: events.APIGatewayProxyRequestContext{
			AccountID: account, APIID: "local", Stage: "local", RequestID: id, ResourcePath: "/{proxy+}", HTTPMethod: r.Method,
			Path: "/local" + r.URL.Path, Protocol: r.Proto, DomainName: r.Host, RequestTimeEpoch: time.Now().UnixMilli(),
			RequestTime: time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"),
			Identity:    events.APIGatewayRequestIdentity{SourceIP: ip, UserAgent: r.UserAgent()},
		},
	}
	if matches(g.Binary, header.Get("Content-Type")) {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	} else {
		e.Body = string(body) // what is no UTF-8 is spoilt here, as it is there
	}
	return e
}

func httpEvent(r *http.Request, header http.Header, body []byte, id, ip string) events.APIGatewayV2HTTPRequest {
	e := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RouteKey: "$default", RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{}, QueryStringParameters: map[string]string{},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RouteKey: "$default", AccountID: account, Stage: "$default", RequestID: id, APIID: "local", DomainName: r.Host,
			Time: time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: time.Now().UnixMilli(),
			HTTP: events.APIGatewayV2HTTPRequestContextHTTPDescription{
				Method: r.Method, Path: r.URL.Path, Protocol: r.Proto, SourceIP: ip, UserAgent: r.UserAgent(),
			},
		},
	}
	for _, line := range header.Values("Cookie") {
		e.Cookies = append(e.Cookies, strings.Split(line, "; ")...)
	}
	for name, values := range header {
		if name != "Cookie" {
			e.Headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	for name, values := range r.URL.Query() {
		e.QueryStringParameters[name] = strings.Join(values, ",")
	}
	if textual(header.Get("Content-Type")) && utf8.Valid(body) {
		e.Body = string(body)
	} else {
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// answer writes the function's answer; false where it is none.
func (g Gateway) answer(w http.ResponseWriter, r *http.Request, payload []byte) bool {
	var a struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Cookies           []string            `json:"cookies"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	err := json.Unmarshal(payload, &a)
	if g.HTTPAPI && json.Valid(payload) && (err != nil || a.StatusCode == 0) {
		w.Header().Set("Content-Type", "application/json") // an HTTP API takes any JSON as the body
		_, _ = w.Write(payload)
		return true
	}
	if err != nil || a.StatusCode < 100 || a.StatusCode > 999 {
		return false
	}
	body := []byte(a.Body)
	accepted, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	if a.IsBase64Encoded && (g.HTTPAPI || matches(g.Binary, accepted)) {
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return false
		}
	}
	header := w.Header()
	for name, value := range a.Headers {
		header.Set(name, value)
	}
	if !g.HTTPAPI {
		for name, values := range a.MultiValueHeaders {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	for _, cookie := range a.Cookies {
		header.Add("Set-Cookie", cookie)
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client is gone: nobody to tell
	return true
}

// last gives the last value of each name; null where there is none.
func last(all map[string][]string) map[string]string {
	if len(all) == 0 {
		return nil
	}
	m := make(map[string]string, len(all))
	for name, values := range all {
		if len(values) > 0 {
			m[name] = values[len(values)-1]
		}
	}
	return m
}

// matches tells whether a content type is one of the media types.
func matches(types []string, contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return slices.Contains(types, "*/*") || err == nil && slices.Contains(types, media)
}

// textual tells whether an HTTP API passes such a body on as text.
func textual(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	switch media {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}
