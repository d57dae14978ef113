package openai_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/llm/llmtest"
	"github.com/deskhand/deskhand/shared/llm/openai"
	"github.com/deskhand/deskhand/shared/secret"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	llmtest.Run(t, func(t testing.TB, e llmtest.Endpoint) llm.Model {
		return open(t, openai.Options{BaseURL: e.BaseURL, APIKey: e.Key, Model: e.Model, Timeout: e.Timeout})
	})
}

func open(t testing.TB, o openai.Options) *openai.Client {
	t.Helper()
	c, err := openai.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefusesOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]openai.Options{
		"no URL":            {Model: "m"},
		"a relative URL":    {Model: "m", BaseURL: "/v1"},
		"another scheme":    {Model: "m", BaseURL: "ftp://models.example/v1"},
		"a password in it":  {Model: "m", BaseURL: "https://u:hunter2@models.example/v1"},
		"a URL that is not": {Model: "m", BaseURL: "https://models.example:no:hunter2/"},
		"no model":          {BaseURL: "https://models.example/v1"},
	} {
		_, err := openai.New(o)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestTheEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-from-the-environment")
	t.Setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
	t.Setenv("OPENAI_ORG_ID", "org-from-the-environment")
	server, url := llmtest.Start(t)
	if _, err := open(t, openai.Options{BaseURL: url, Model: "m"}).Complete(t.Context(), llm.Request{User: "u"}); err != nil {
		t.Fatal(err)
	}
	for name, values := range server.Calls()[0].Header {
		if strings.Contains(strings.Join(values, " "), "environment") || name == "Authorization" {
			t.Errorf("header %s: %q", name, values)
		}
	}
}

func TestACancelledCallDoesNotShowTheKey(t *testing.T) {
	t.Parallel()
	o := openai.Options{BaseURL: "https://models.example/v1", Model: "m", APIKey: secret.New("hunter2")}
	if _, err := open(t, o).Complete(canceled(t), llm.Request{}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v", err)
	}
}

func TestTheGivenHTTPClientIsUsed(t *testing.T) {
	t.Parallel()
	refuse := errors.New("this client refuses")
	c := open(t, openai.Options{
		BaseURL: "http://models.example/v1", Model: "m",
		HTTP: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) { return nil, refuse })},
	})
	_, err := c.Complete(t.Context(), llm.Request{User: "u"})
	if !errors.Is(err, llm.ErrUnavailable) || !strings.Contains(err.Error(), refuse.Error()) {
		t.Errorf("error %v", err)
	}
}

func TestAnEmptyAnswerStillTellsWhatItCost(t *testing.T) {
	t.Parallel()
	server, url := llmtest.Start(t)
	server.Next(llmtest.Priced(" ", "0.25"))
	reply, err := open(t, openai.Options{BaseURL: url, Model: "m"}).Complete(t.Context(), llm.Request{User: "u"})
	if !errors.Is(err, llm.ErrEmpty) || reply.Usage.CostUSD != 0.25 || reply.Model != "scripted" {
		t.Errorf("reply %+v, error %v", reply, err)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
