package retrieval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// learned is documents of which each takes words of one of many topics, and
// never two words of a pair of synonyms.
func learned() [][]Term {
	var documents [][]Term
	for i := range 600 {
		topic := i % 40
		var words []string
		for k := range 8 {
			words = append(words, fmt.Sprintf("topic%dword%dx", topic, (i/40+k*3)%12))
		}
		synonym := "printer"
		if i%80 == 0 {
			synonym = "drucker"
		}
		if topic == 0 {
			words = append(words, synonym)
		}
		documents = append(documents, Terms("", strings.Join(words, " "), ""))
	}
	return documents
}

func TestFactorsBringWordsTogetherThatNeverMeet(t *testing.T) {
	t.Parallel()
	f := Learn(slices.Values(learned()))
	vector := func(s string) []float32 { return f.Vector(Terms("", s, "")) }
	printer := vector("printer")
	if n := Cosine(printer, printer); math.Abs(n-1) > 1e-5 {
		t.Errorf("length %v", n)
	}
	near, far := Cosine(printer, vector("drucker")), Cosine(printer, vector("topic7word3x topic7word4x"))
	if near < .5 || far > .2 {
		t.Errorf("synonyms %.2f, others %.2f", near, far)
	}
	if v := vector("never heard of"); v != nil {
		t.Errorf("unknown words lie at %v", v)
	}
}

func TestTheSameDocumentsGiveTheSameFactors(t *testing.T) {
	t.Parallel()
	if !cmp.Equal(Learn(slices.Values(learned())), Learn(slices.Values(learned()))) {
		t.Error("learnt differently")
	}
}

func TestTooLittleTeachesNothing(t *testing.T) {
	t.Parallel()
	same := slices.Repeat([][]Term{Terms("printer offline", "", "")}, 500)
	for name, documents := range map[string][][]Term{
		"none": nil, "few": learned()[:Dimensions-1], "few words": same, "empty": make([][]Term, 500),
	} {
		if f := Learn(slices.Values(documents)); f != nil {
			t.Errorf("%s: %d terms", name, len(f))
		}
	}
}

func TestPackedVectorsKeepTheirDirection(t *testing.T) {
	t.Parallel()
	v := unit([]float32{.1, -.5, .3, 0, .9})
	got := Unpack(Pack(v))
	if cos := Cosine(v, unit(got)); cos < .999 {
		t.Errorf("cosine %v", cos)
	}
	if diff := cmp.Diff([]float32{0, 0}, Unpack(Pack([]float32{0, 0}))); diff != "" {
		t.Error(diff)
	}
	for _, packed := range [][]byte{nil, {1}, {1, 2, 3, 4}} {
		if v := Unpack(packed); v != nil {
			t.Errorf("%v unpacks to %v", packed, v)
		}
	}
	if Pack(nil) != nil || Cosine(v, v[:3]) != 0 {
		t.Error("vectors of other dimensions")
	}
}
