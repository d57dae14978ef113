package evaluate

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
)

// resamples is how often the bootstrap draws; the interval's ends then move by
// about a hundredth of its width.
const resamples = 10_000

// Difference is by how much a figure is higher than another over the same
// queries, with the interval in which that lies with a probability of 95 %:
// a paired bootstrap.
type Difference struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Comparison is the differences over the queries that both have.
type Comparison struct {
	Queries     int                   `json:"queries"`
	Left        int                   `json:"left_out"` // queries that the other lacks
	Differences map[string]Difference `json:"differences"`
}

// compare compares answers with others, metric by metric. The same answers
// give the same intervals.
func compare(answers, others map[string]Answer, by [3]metric) Comparison {
	var rows [][3]float64
	for _, id := range slices.Sorted(maps.Keys(answers)) {
		other, ok := others[id]
		if !ok {
			continue
		}
		var row [3]float64
		for i, m := range by {
			row[i] = m.of(answers[id]) - m.of(other)
		}
		rows = append(rows, row)
	}
	c := Comparison{Queries: len(rows), Left: len(answers) - len(rows), Differences: map[string]Difference{}}
	if len(rows) == 0 {
		return c
	}
	means := bootstrap(rows)
	for i, m := range by {
		slices.SortFunc(means, func(a, b [3]float64) int { return cmp.Compare(a[i], b[i]) })
		c.Differences[m.name] = Difference{Mean: mean(rows)[i], Low: means[resamples/40][i], High: means[resamples-1-resamples/40][i]}
	}
	return c
}

// bootstrap gives the means of samples of the rows, drawn with replacement.
func bootstrap(rows [][3]float64) [][3]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	sample, means := make([][3]float64, len(rows)), make([][3]float64, resamples)
	for i := range means {
		for j := range sample {
			sample[j] = rows[r.IntN(len(rows))]
		}
		means[i] = mean(sample)
	}
	return means
}

func mean(rows [][3]float64) (m [3]float64) {
	for _, row := range rows {
		for i, x := range row {
			m[i] += x
		}
	}
	for i := range m {
		m[i] /= float64(len(rows))
	}
	return m
}
