package sqs_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// attributes serves GetQueueAttributes alone.
func attributes(t *testing.T, of map[string]map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			QueueUrl string // SQS's spelling
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		found, ok := of[asked.QueueUrl[strings.LastIndex(asked.QueueUrl, "/")+1:]]
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
			found = map[string]string{}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Attributes": found})
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestSettingsOfTheQueuesAreChecked(t *testing.T) {
	t.Parallel()
	const dead = "arn:aws:sqs:eu-west-1:000000000000:enhancement-dead"
	for name, c := range map[string]struct {
		alive, dead map[string]string // what is other than it should be
		gone        bool
		want        []string
	}{
		"as they should be":        {},
		"AWS writes text":          {alive: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `","maxReceiveCount":"10"}`}},
		"no way to the dead":       {alive: map[string]string{"RedrivePolicy": ""}, want: []string{"redrive policy"}},
		"a policy that is no JSON": {alive: map[string]string{"RedrivePolicy": "x"}, want: []string{"redrive policy"}},
		"to another queue":         {alive: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"arn:other","maxReceiveCount":10}`}, want: []string{"arn:other", dead}},
		"too soon":                 {alive: map[string]string{"RedrivePolicy": `{"deadLetterTargetArn":"` + dead + `","maxReceiveCount":3}`}, want: []string{`"3"`, "after 10"}},
		"kept too short, both": {
			alive: map[string]string{"MessageRetentionPeriod": "345600"}, dead: map[string]string{"MessageRetentionPeriod": ""},
			want: []string{"queue enhancement: the message retention", "345600", "dead letters: the message retention", "1209600"},
		},
		"too small":       {alive: map[string]string{"MaximumMessageSize": "262144"}, want: []string{"maximum message size"}},
		"size not told":   {alive: map[string]string{"MaximumMessageSize": ""}},
		"no queue at all": {gone: true, want: []string{"read settings"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			of := map[string]map[string]string{
				"enhancement": {
					"RedrivePolicy":          `{"deadLetterTargetArn":"` + dead + `","maxReceiveCount":10}`,
					"MessageRetentionPeriod": "604800", "MaximumMessageSize": "1048576",
				},
				"enhancement-dead": {"QueueArn": dead, "MessageRetentionPeriod": "1209600"},
			}
			for k, v := range c.alive {
				of["enhancement"][k] = v
			}
			for k, v := range c.dead {
				of["enhancement-dead"][k] = v
			}
			if c.gone {
				of = nil
			}
			q, err := open(attributes(t, of))
			if err != nil {
				t.Fatal(err)
			}
			err = q.CheckSettings(t.Context())
			if (err == nil) != (len(c.want) == 0) {
				t.Errorf("%v, want %q", err, c.want)
			}
			for _, want := range c.want {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
		})
	}
}
