package evidence_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deskhand/deskhand/shared/evidence"
)

func TestAFactIsStoredAsItsEnglish(t *testing.T) {
	t.Parallel()
	facts := map[string]evidence.Fact{
		"same requester":                 {Kind: evidence.SameRequester},
		"same site":                      {Kind: evidence.SameSite},
		"same srv-01":                    {Kind: evidence.SameSystem, Name: "srv-01"},
		"came back within a day":         {Kind: evidence.CameBackAtOnce},
		"came back after 1 day":          {Kind: evidence.CameBack, N: 1},
		"held 1 day":                     {Kind: evidence.Held, N: 1},
		"held 21 days":                   {Kind: evidence.Held, N: 21},
		"3 more tickets nearly the same": {Kind: evidence.Copies, N: 3},
		"12 tickets like this in 30 days in the same place": {Kind: evidence.Recurred, N: 12},
		"where 2 similar tickets pointed to":                {Kind: evidence.PointedTo, N: 2},
		"what a later version may say of 7 things":          {Name: "what a later version may say of 7 things"},
		"": {},
	}
	for text, fact := range facts {
		stored, err := json.Marshal(fact)
		if want, _ := json.Marshal(text); err != nil || string(stored) != string(want) {
			t.Errorf("%+v is stored as %s (%v)", fact, stored, err)
		}
		var read evidence.Fact
		if err := json.Unmarshal(stored, &read); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(fact, read); diff != "" {
			t.Errorf("%q is read as another fact:\n%s", text, diff)
		}
	}
	it := evidence.Item{Facts: []evidence.Fact{facts["same site"], facts["held 21 days"]}}
	if diff := cmp.Diff([]string{"same site", "held 21 days"}, it.InWords()); diff != "" {
		t.Error(diff)
	}
	if odd := (evidence.Fact{Kind: 99, Name: "x"}); odd.String() != "x" {
		t.Errorf("a kind that is none says %q", odd)
	}
}
