package lambdaruntime_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
)

func TestTheServiceInvokesByNameAndARN(t *testing.T) {
	t.Parallel()
	refuses := func(err error) scripted {
		return func([]byte) (lambdaruntime.Result, error) { return lambdaruntime.Result{}, err }
	}
	s := lambdaruntime.Service{
		"echo":   scripted(func(p []byte) (lambdaruntime.Result, error) { return says(string(p)) }),
		"broken": scripted(func([]byte) (lambdaruntime.Result, error) { return broken, nil }),
		"busy":   refuses(lambdaruntime.ErrThrottled), "large": refuses(lambdaruntime.ErrTooLarge), "closed": refuses(errors.New("closed")),
	}
	for _, c := range []struct {
		method, name, kind string
		status             int
		says, header       string // the last two together: name of a header and its value
	}{
		{"POST", "echo", "", 200, `{"a":1}`, "X-Amz-Executed-Version $LATEST"},
		{"POST", "arn:aws:lambda:eu-west-1:123456789012:function:echo", "RequestResponse", 200, `{"a":1}`, "X-Amz-Function-Error "},
		{"POST", "broken", "", 200, "boom", "X-Amz-Function-Error Unhandled"},
		{"POST", "nobody", "", 404, "nobody", "X-Amzn-Errortype ResourceNotFoundException"},
		{"POST", "echo", "Event", 400, "RequestResponse", "X-Amzn-Errortype InvalidParameterValueException"},
		{"POST", "busy", "", 429, "Rate", "X-Amzn-Errortype TooManyRequestsException"},
		{"POST", "large", "", 413, "6291456", "X-Amzn-Errortype RequestTooLargeException"},
		{"POST", "closed", "", 500, "closed", "X-Amzn-Errortype ServiceException"},
		{"GET", "echo", "", 405, "", "X-Amz-Function-Error "},
	} {
		r := httptest.NewRequest(c.method, "/2015-03-31/functions/"+c.name+"/invocations", strings.NewReader(`{"a":1}`))
		if c.kind != "" {
			r.Header.Set("X-Amz-Invocation-Type", c.kind)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		header, value, _ := strings.Cut(c.header, " ")
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || w.Header().Get(header) != value {
			t.Errorf("%s %s: %d %s %v", c.method, c.name, w.Code, w.Body, w.Header())
		}
	}
}
