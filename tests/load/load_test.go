package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func serve(t *testing.T, h http.Handler) (addr string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func bare() *floor { return &floor{key: []byte(signing), seen: map[string]time.Time{}} }

func TestTheFloorTakesWhatIsSigned(t *testing.T) {
	t.Parallel()
	times, err := fire(t.Context(), serve(t, bare()), 100*time.Millisecond)
	if err != nil || len(times) < connections {
		t.Errorf("%d webhooks, %v, want one on each connection at least", len(times), err)
	}
}

func TestTheFloorRefusesWhatIsNot(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) string{
		"another body": func(r string) string { return strings.Replace(r, "Print", "Paint", 1) },
		"an old one":   func(r string) string { return strings.Replace(r, "Timestamp: 1", "Timestamp: 0", 1) },
		"no ticket":    func(string) string { return string(post(1, `{"event":"request.created"}`)) },
		"no JSON":      func(string) string { return string(post(1, `{"event"`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(change(string(signed(1))))))
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			bare().ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized && w.Code != http.StatusBadRequest {
				t.Errorf("answered %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestEveryAnswerHasToBe202(t *testing.T) {
	t.Parallel()
	n := 0
	var h http.HandlerFunc = func(w http.ResponseWriter, _ *http.Request) {
		if n++; n > 3 {
			http.Error(w, "too many webhooks", http.StatusTooManyRequests)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
	_, err := shoot(t.Context(), serve(t, h), time.Now().Add(10*time.Second))
	if err == nil || !strings.Contains(err.Error(), "429") || !strings.Contains(err.Error(), "too many webhooks") {
		t.Errorf("%v, want an error that shows the answer", err)
	}
}

func TestFireEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := fire(ctx, serve(t, bare()), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
}

func TestAWebhookHasItsSizeAndATicketOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, ticket := range []int64{1, 123_456_789} {
		_, body, _ := bytes.Cut(signed(ticket), []byte("\r\n\r\n"))
		if len(body) != bodySize {
			t.Errorf("the body has %d bytes, want %d: %s", len(body), bodySize, body)
		}
	}
	if bytes.Equal(signed(1), signed(2)) {
		t.Error("two tickets have the same webhook")
	}
}

func TestHostileAnswersAreErrors(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing":        "",
		"cut":            "HTTP/1.1 202 Accepted\r\nContent-Le",
		"no length":      "HTTP/1.1 202 Accepted\r\n\r\n",
		"bad length":     "HTTP/1.1 202 Accepted\r\nContent-Length: x\r\n\r\n",
		"missing body":   "HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nab",
		"another status": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	} {
		if err := answer(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMediansAndPercentiles(t *testing.T) {
	t.Parallel()
	got := medians([]figures{{rate: 3, cpu: 1}, {rate: 1, cpu: 9}, {rate: 2, cpu: 2}})
	if got.rate != 2 || got.cpu != 2 || median([]float64{1, 4, 2, 3}) != 2.5 {
		t.Errorf("medians %+v", got)
	}
	var times []time.Duration
	for n := range 100 {
		times = append(times, time.Duration(n))
	}
	if percentile(times, 50) != 50 || percentile(times, 99) != 99 || percentile(times[:1], 99) != 0 {
		t.Error("percentiles are off")
	}
}

func TestTheGateNamesWhatIsWorse(t *testing.T) {
	t.Parallel()
	ref := reference{
		Slack: 0.25, Accept: map[string]ratios{"postgres": {Rate: 0.4, CPU: 4}, "sqs": {Rate: 0.4, CPU: 4}},
		InitMS: 50, BareMS: 12, ZipMB: map[string]megabytes{"webhook": 5, "enhance": 5, "busy": 5, "slow": 5},
	}
	row := func(key string, rate, cpu float64) measured {
		return measured{name: key, key: key, figures: figures{rate: rate, cpu: cpu}}
	}
	var g gate
	g.accepts([]measured{row("", 100, 10), row("postgres", 31, 49), row("sqs", 29, 51), row("kafka", 1, 1)}, ref)
	g.functions([]function{
		{"webhook", 49, 60, 8, 5}, {"enhance", 50, 60, 12, 5.1}, {"busy", 74, 80, 18, 5}, {"slow", 75, 80, 18, 5}, {"admin", 1, 1, 1, 1},
	}, ref)
	var got []string
	for _, err := range g.failures {
		name, _, _ := strings.Cut(err.Error(), ":")
		got = append(got, name)
	}
	if diff := cmp.Diff([]string{"sqs", "sqs", "kafka", "enhance", "enhance", "slow", "admin"}, got); diff != "" {
		t.Errorf("failures (-want +got):\n%s\n%v", diff, g.failures)
	}
}

func TestTheReferenceIsComplete(t *testing.T) {
	t.Parallel()
	ref, err := readReference()
	if err != nil || ref.Slack != 0.25 || ref.InitMS != 50 || ref.BareMS != 3.5 || len(ref.Accept) != 2 || len(ref.ZipMB) != len(functionNames) {
		t.Errorf("%+v, %v", ref, err)
	}
}

func TestQuickIsShort(t *testing.T) {
	t.Parallel()
	quick, long := options{Quick: true, Rounds: 1}, options{Each: time.Second}
	quick.fill()
	long.fill()
	if quick != (options{true, 3, 2 * time.Second, 30}) || long != (options{false, 5, time.Second, 100}) {
		t.Errorf("%+v and %+v", quick, long)
	}
}

func TestAZipIsSmallerThanWhatIsInIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(path, bytes.Repeat([]byte("code"), 500_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if size, err := zipped(path); err != nil || size <= 0 || size > 1 {
		t.Errorf("%.2f MB, %v", size, err)
	}
	if _, err := zipped(path + "s"); err == nil {
		t.Error("a file that is not there has a size")
	}
}

func TestTheStandInTellsWhatItHolds(t *testing.T) {
	t.Parallel()
	addr := serve(t, newQueues())
	for _, id := range []string{"one", "two", "two"} {
		body := `{"QueueUrl":"http://x/0/accept","MessageBody":"b","MessageAttributes":{"id":{"DataType":"String","StringValue":"` + id + `"}}}`
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Target", "AmazonSQS.SendMessage")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	body, err := get(t.Context(), "http://"+addr+"/held/accept")
	if err != nil || strings.TrimSpace(string(body)) != `{"Messages":3,"Different":2}` {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := get(t.Context(), "http://"+addr+"/held/nowhere"); err == nil {
		t.Error("a queue that is not there holds something")
	}
}
