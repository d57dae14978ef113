package openai_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/llm/openai"
	"github.com/deskhand/deskhand/shared/secret"
)

const key = "the-key-of-these-tests"

func embedder(t testing.TB, timeout time.Duration, script ...llmtest.Answer) (*openai.Client, *llmtest.Server) {
	t.Helper()
	server, url := llmtest.Start(t)
	server.NextEmbedding(script...)
	return open(t, openai.Options{BaseURL: url, Model: "m", APIKey: secret.New(key), Timeout: timeout}), server
}

func TestEachTextHasItsVectorHoweverManyThereAre(t *testing.T) {
	t.Parallel()
	client, server := embedder(t, 0)
	texts := make([]string, 150)
	want := make([][]float32, len(texts))
	for i := range texts {
		texts[i] = fmt.Sprintf("printer %d is offline", i)
		want[i] = llmtest.Vector(texts[i])
	}
	got, err := client.Embed(t.Context(), "vendor/embedding", texts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var sizes []int
	for _, c := range server.EmbeddingCalls() {
		sizes = append(sizes, len(c.Texts))
		if c.Model != "vendor/embedding" || c.Format != "float" || c.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("call for %q as %q, authorised by %q", c.Model, c.Format, c.Header.Get("Authorization"))
		}
	}
	if diff := cmp.Diff([]int{64, 64, 22}, sizes); diff != "" {
		t.Error(diff)
	}
	if got, err := client.Embed(t.Context(), "m", nil); len(got) != 0 || err != nil || len(server.EmbeddingCalls()) != 3 {
		t.Errorf("no texts: %v, %v, %d calls", got, err, len(server.EmbeddingCalls()))
	}
}

func TestALongTextIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	client, server := embedder(t, 0)
	if _, err := client.Embed(t.Context(), "m", []string{strings.Repeat("a", 7_999) + "€ and more", strings.Repeat("b", 8_000), strings.Repeat("\x80", 9_000)}); err != nil {
		t.Fatal(err)
	}
	got := server.EmbeddingCalls()[0].Texts
	if got[0] != strings.Repeat("a", 7_999) || got[1] != strings.Repeat("b", 8_000) || len([]rune(got[2])) > 8_000 {
		t.Errorf("sent texts of %d, %d and %d bytes", len(got[0]), len(got[1]), len(got[2]))
	}
}

func TestVectorsComeInTheOrderOfTheTexts(t *testing.T) {
	t.Parallel()
	client, _ := embedder(t, 0, llmtest.Answer{Body: `{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}`})
	got, err := client.Embed(t.Context(), "m", []string{"a", "b"})
	if diff := cmp.Diff([][]float32{{1}, {2}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestAnEmbeddingThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	vector := func(n int) string {
		return fmt.Sprintf(`{"data":[{"index":0,"embedding":[1%s]}]}`, strings.Repeat(",1", n-1))
	}
	for name, tt := range map[string]struct {
		script llmtest.Answer
		want   error
		words  string
	}{
		"none":             {llmtest.Answer{Body: `{"data":[]}`}, llm.ErrUnavailable, "0 vectors for 1 texts"},
		"two":              {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}]}`}, llm.ErrUnavailable, "2 vectors for 1 texts"},
		"another's":        {llmtest.Answer{Body: `{"data":[{"index":7,"embedding":[1]}]}`}, llm.ErrUnavailable, "numbered"},
		"before the first": {llmtest.Answer{Body: `{"data":[{"index":-1,"embedding":[1]}]}`}, llm.ErrUnavailable, "numbered"},
		"no dimensions":    {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[]}]}`}, llm.ErrUnavailable, "0 dimensions"},
		"base64":           {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":"AACAPw=="}]}`}, llm.ErrUnavailable, "no list"},
		"many dimensions":  {llmtest.Answer{Body: vector(llm.MaxDimensions + 1)}, llm.ErrUnavailable, "4097 dimensions"},
		"too large":        {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[1e39]}]}`}, llm.ErrUnavailable, "no number"},
		"no number":        {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[NaN]}]}`}, llm.ErrUnavailable, ""},
		"words":            {llmtest.Answer{Body: `{"data":[{"index":0,"embedding":["NaN"]}]}`}, llm.ErrUnavailable, ""},
		"null":             {llmtest.Answer{Body: `null`}, llm.ErrUnavailable, ""},
		"no JSON":          {llmtest.Garbage(), llm.ErrUnavailable, ""},
		"dropped":          {llmtest.Drop(), llm.ErrUnavailable, ""},
		"endless":          {llmtest.Answer{Body: strings.Repeat(" ", 17<<20)}, llm.ErrUnavailable, ""},
		"in a good status": {llmtest.Answer{Body: `{"error":{"message":"no such model","code":404}}`}, llm.ErrRejected, "no such model"},
		"wrong key":        {llmtest.Status(401, "bad key"), llm.ErrRejected, "401: bad key"},
		"overloaded":       {llmtest.Status(503, "slow down"), llm.ErrUnavailable, "503: slow down"},
		"quoting":          {llmtest.Status(400, "key "+key+" with the printer pr-07 at the harbour office"), llm.ErrRejected, "400: key [secret] with [prompt]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, server := embedder(t, 0, tt.script)
			got, err := client.Embed(t.Context(), "m", []string{"the printer pr-07 at the harbour office prints garbage"})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) || got != nil {
				t.Errorf("%d vectors, error %v, want %v with %q", len(got), err, tt.want, tt.words)
			}
			if n := len(server.EmbeddingCalls()); n != 1 {
				t.Errorf("%d calls, want 1", n)
			}
		})
	}
}

func TestDimensionsThatChangeAreAnError(t *testing.T) {
	t.Parallel()
	client, _ := embedder(t, 0, llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`})
	if _, err := client.Embed(t.Context(), "m", []string{"a", "b"}); !errors.Is(err, llm.ErrUnavailable) || !strings.Contains(err.Error(), "2 dimensions beside one of 1") {
		t.Errorf("in one call: %v", err)
	}
	client, _ = embedder(t, 0, llmtest.Answer{}, llmtest.Answer{Body: `{"data":[{"index":0,"embedding":[1]}]}`})
	if _, err := client.Embed(t.Context(), "m", append(make([]string, 64), "b")); !errors.Is(err, llm.ErrUnavailable) || !strings.Contains(err.Error(), "of 256 and of 1 dimensions") {
		t.Errorf("in two calls: %v", err)
	}
}

func TestAnEmbeddingWaitsNoLongerThanItMay(t *testing.T) {
	t.Parallel()
	client, _ := embedder(t, 100*time.Millisecond, llmtest.Hang(), llmtest.Hang())
	if _, err := client.Embed(t.Context(), "m", []string{"a"}); !errors.Is(err, llm.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the attempt's limit: %v", err)
	}
	if _, err := client.Embed(canceled(t), "m", []string{"a"}); !errors.Is(err, context.Canceled) || errors.Is(err, llm.ErrUnavailable) {
		t.Errorf("the caller's end: %v", err)
	}
}
