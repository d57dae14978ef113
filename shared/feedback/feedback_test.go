package feedback_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
	"github.com/deskhand/deskhand/shared/feedback"
)

var note = feedback.NewNote(evidence.Bundle{Items: []evidence.Item{
	{ID: "T1", Kind: evidence.PastTicket, Ref: "1042"},
	{ID: "T2", Kind: evidence.PastTicket, Ref: "1043"},
	{ID: "A1", Kind: evidence.Article, Ref: "KB7"},
	{ID: "S1", Kind: evidence.System, Ref: "SRV-01"},
	{ID: "T3", Kind: evidence.PastTicket},
}}, feedback.Answer{})

func TestAnAnswerHasOnlyWhatTheNoteHas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		vote           feedback.Vote
		wrong, reasons []string
		want           feedback.Answer
		ok             bool
	}{
		"helped": {feedback.Useful, []string{"T1"}, []string{"outdated"}, feedback.Answer{Vote: feedback.Useful, Comment: "c"}, true},
		"two tickets and an article": {
			feedback.Useless, []string{"T2", "A1", "T1", "T1"}, []string{"other", "outdated"}, feedback.Answer{
				Vote:    feedback.Useless,
				Reasons: []feedback.Reason{feedback.WrongTicket, feedback.WrongArticle, feedback.Outdated, feedback.Other},
				Wrong:   []feedback.Pair{{Kind: "ticket", Ref: "1042"}, {Kind: "ticket", Ref: "1043"}, {Kind: "article", Ref: "KB7"}}, Comment: "c",
			}, true,
		},
		"what is not there": {feedback.Useless, []string{"T9", "S1", "T3", "'; --"}, []string{"wrong_ticket", "x"}, feedback.Answer{Vote: feedback.Useless, Comment: "c"}, true},
		"no vote":           {"", []string{"T1"}, nil, feedback.Answer{Comment: "c"}, false},
		"another vote":      {"maybe", nil, nil, feedback.Answer{Vote: "maybe", Comment: "c"}, false},
	} {
		got, ok := feedback.NewAnswer(note, c.vote, c.wrong, c.reasons, "c")
		if diff := cmp.Diff(c.want, got); ok != c.ok || diff != "" {
			t.Errorf("%s: %v %s", name, ok, diff)
		}
	}
}

func TestACommentIsCleanAndShort(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		" a\r\nb\rc\t ":                       "a\nb\nc",
		"a\x00b\u202ec\u200bd\xff":            "abcd",
		"<script>alert(1)</script>":           "<script>alert(1)</script>", // escaped where it is shown
		"password: hunter2hunter2":            "password: [redacted password]",
		"ask ann@example.com, +49 30 1234567": "ask [email], [phone]",
		strings.Repeat("ä", 600):              strings.Repeat("ä", 500),
		strings.Repeat("x ", 260) + "secret":  strings.TrimSpace(strings.Repeat("x ", 250)),
	} {
		if got := feedback.Comment(given); got != want {
			t.Errorf("Comment(%.40q) = %.60q, want %.60q", given, got, want)
		}
	}
	if got := feedback.Line(" a \n b\u202e "+strings.Repeat("x", 100), 10); got != "a b xxxxxx …" {
		t.Errorf("Line = %q", got)
	}
}
