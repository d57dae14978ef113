package note

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheGistIsWhatWasDone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Her laptop had the old driver. Cleared the queue, replaced the driver.": "Cleared the queue, replaced the driver.",
		"Restarted the spooler.":                                   "Restarted the spooler.",
		"Cause: full disk.\n- Removed old logs on srv-01 and more": "Removed old logs on srv-01 and more",
		"Der Dienst hing. Neu gestartet.":                          "Der Dienst hing. Neu gestartet.",
		"user rebooted":                                            "user rebooted",
		"":                                                         "",
	} {
		if got := gist(text); got != want {
			t.Errorf("gist(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestATextIsCutAtASentence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"Stopped the spooler. Emptied the folder. Started it.", 20, "Stopped the spooler. Emptied the folder. Started it."},
		{"Stopped the spooler. Emptied the folder. Started it.", 7, "Stopped the spooler. Emptied the folder. …"},
		{"Stopped the spooler on PS-01, emptied the folder and started it again", 8, "Stopped the spooler on PS-01 …"},
		{"Siehe z. B. Artikel 7. Danach ging es wieder.", 6, "Siehe z. B. Artikel 7. …"},
		{"- Stop it\n- Clear it\n\n- Start it", 20, "Stop it; Clear it; Start it"},
		{"無法登入系統。請檢查設定。", 5, "無法登入系統。 …"},
		{strings.Repeat("x", 500), 3, strings.Repeat("x", 80) + " …"},
		{"one two", 0, ""},
	} {
		if got := cut(c.text, c.n); got != c.want {
			t.Errorf("cut(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestTheLongestSectionIsCutFirst(t *testing.T) {
	t.Parallel()
	long := bullet{text: "One two three. Four five six.", tail: " (T1)", counts: true}
	s := []section{
		{"A", []bullet{long, long, long}},
		{"B", []bullet{{text: "One."}}},
		{"General", []bullet{{text: "Advice of some words.", counts: true}}},
	}
	if left := fit(s, 7); left != 3 {
		t.Errorf("%d claims left out, want 3", left)
	}
	short := long
	short.text = "One two three."
	want := []section{{"A", []bullet{short}}, {"B", []bullet{{text: "One."}}}, {"General", []bullet{}}}
	if diff := cmp.Diff(want, s, cmp.AllowUnexported(section{}, bullet{})); diff != "" {
		t.Error(diff)
	}
}
