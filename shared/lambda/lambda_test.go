package lambda_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/lambda"
)

// TestMain has the SDK find a Lambda that answers by the function's name.
func TestMain(m *testing.M) {
	server := httptest.NewServer(http.HandlerFunc(answer))
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_LAMBDA": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	server.Close()
	os.Exit(code)
}

func answer(w http.ResponseWriter, r *http.Request) {
	payload, _ := io.ReadAll(r.Body)
	refuse := func(status int, kind string) {
		w.Header().Set("X-Amzn-Errortype", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"Message":"as it is"}`)
	}
	switch function := strings.Split(r.URL.Path, "/")[3]; function {
	case "admin":
		_, _ = w.Write(append([]byte("answer to "), payload...))
	case "broken":
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_, _ = io.WriteString(w, `{"errorMessage":"out of \u001b memory"}`)
	case "busy":
		refuse(http.StatusTooManyRequests, "TooManyRequestsException")
	case "forbidden":
		refuse(http.StatusForbidden, "AccessDeniedException")
	case "gone":
		panic(http.ErrAbortHandler)
	default:
		refuse(http.StatusNotFound, "ResourceNotFoundException")
	}
}

func TestTheAnswerOfTheFunctionComesBack(t *testing.T) {
	t.Parallel()
	got, err := lambda.Invoke(t.Context(), "admin", []byte(`{"a":1}`))
	if err != nil || string(got) != `answer to {"a":1}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestEachFailureSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for function, want := range map[string]string{
		"broken":    `function broken failed: "out of \x1b memory"`,
		"busy":      "it did not run: try again",
		"forbidden": "lambda:InvokeFunction",
		"gone":      "see whether it ran",
		"nobody":    "no such function in region eu-west-1",
	} {
		_, err := lambda.Invoke(t.Context(), function, []byte(`{"secret":"hidden"}`))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v, want %q", function, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lambda.Invoke(ctx, "admin", nil); err == nil {
		t.Error("a call that was given up succeeds")
	}
}

func TestWithoutARegionItAsksForOne(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
	if _, err := lambda.Invoke(t.Context(), "admin", nil); err == nil || !strings.Contains(err.Error(), "set AWS_REGION") {
		t.Error(err)
	}
}
