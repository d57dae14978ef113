package evaluate

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
)

// Answer is what one search has found of what is relevant.
type Answer struct {
	Relevant int   // documents, at least 1
	Ranks    []int // at which they were found, ascending, 1 to 10
}

// MarshalJSON writes the number, then the ranks: [2,1,7].
func (a Answer) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]int{a.Relevant}, a.Ranks...))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (a *Answer) UnmarshalJSON(text []byte) error {
	var n []int
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	if len(n) == 0 || n[0] < len(n)-1 || n[0] < 1 || slices.Min(n) < 1 || len(n) > 1 && slices.Max(n[1:]) > shown || !slices.IsSorted(n[1:]) {
		return errors.New("want [relevant, rank, ...], ranks ascending from 1 to 10")
	}
	a.Relevant, a.Ranks = n[0], n[1:]
	return nil
}

// metric is a figure that an answer gives.
type metric struct {
	name string
	of   func(Answer) float64
}

// metrics of each corpus: a note shows five tickets and three articles.
var metrics = map[string][3]metric{
	Tickets:  {{"R@5", recall(5)}, {"MRR@10", reciprocal}, {"nDCG@10", gain}},
	Articles: {{"R@3", recall(3)}, {"MRR@10", reciprocal}, {"nDCG@10", gain}},
}

// recall is the share of what is relevant among the first k.
func recall(k int) func(Answer) float64 {
	return func(a Answer) float64 {
		n := 0
		for _, rank := range a.Ranks {
			if rank <= k {
				n++
			}
		}
		return float64(n) / float64(a.Relevant)
	}
}

// reciprocal is 1 for a relevant first, 1/2 for the first at rank two, and so on.
func reciprocal(a Answer) float64 {
	if len(a.Ranks) == 0 {
		return 0
	}
	return 1 / float64(a.Ranks[0])
}

// gain is the discounted cumulative gain as a share of the best that is possible.
func gain(a Answer) float64 {
	got, ideal := 0.0, 0.0
	for _, rank := range a.Ranks {
		got += discount(rank)
	}
	for i := range min(a.Relevant, shown) {
		ideal += discount(i + 1)
	}
	return got / ideal
}

func discount(rank int) float64 { return 1 / math.Log2(float64(rank)+1) }
