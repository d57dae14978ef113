package retrieval

import (
	"cmp"
	"encoding/binary"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
)

// Dimensions is how many latent factors are learnt.
const Dimensions = 100

// The limits of what is learnt from: a few seconds of one core, and less than
// 100 MB.
const (
	MaxLearnt     = 20_000 // documents
	maxVocabulary = 20_000 // terms
	minWith       = 3      // documents that a term has to be in
	iterations    = 2      // of subspace iteration; more change nothing that was measurable
)

// Factors are what documents teach about which words belong together, by term:
// latent semantic analysis. Whoever writes "cannot print" then finds "spooler".
type Factors map[string][]float32

// Learn finds the factors of documents, at most MaxLearnt of them. The same
// documents in the same order give the same factors. Fewer documents than
// Dimensions teach nothing: no factors.
func Learn(documents iter.Seq[[]Term]) Factors {
	x := newMatrix(documents)
	if len(x.rows) < Dimensions || len(x.terms) < Dimensions {
		return nil
	}
	r := rand.New(rand.NewPCG(1, 2))
	basis := make([][]float32, len(x.terms)) // a row for each term
	for i := range basis {
		basis[i] = make([]float32, Dimensions)
		for j := range basis[i] {
			basis[i][j] = float32(r.NormFloat64())
		}
	}
	for range iterations {
		basis = x.squared(basis)
		orthonormalise(basis)
	}
	f := make(Factors, len(x.terms))
	for i, t := range x.terms {
		for j := range basis[i] {
			basis[i][j] *= x.rarity[i]
		}
		f[t] = basis[i]
	}
	return f
}

// Vector gives where a text lies among the factors, of length 1; nil where it
// has no word that they know.
func (f Factors) Vector(terms []Term) []float32 {
	sum := make([]float32, Dimensions)
	for _, t := range terms {
		w := dampened(t.TF)
		for j, x := range f[t.Text] {
			sum[j] += w * x
		}
	}
	return Unit(sum)
}

// dampened is how much a term counts that a text has this often, in quarters.
func dampened(tf int) float32 { return float32(math.Log1p(float64(tf) / whole)) }

// Unit scales a vector, in place, to length 1; nil where it has none.
func Unit(v []float32) []float32 {
	n := Cosine(v, v)
	if n == 0 {
		return nil
	}
	for j := range v {
		v[j] /= float32(math.Sqrt(n))
	}
	return v
}

// Cosine is the cosine of the angle between two vectors of length 1; 0 where
// their dimensions differ.
func Cosine(a, b []float32) float64 {
	if len(a) != len(b) {
		return 0
	}
	sum := 0.0
	for j := range a {
		sum += float64(a[j]) * float64(b[j])
	}
	return sum
}

// zero is the byte that stands for 0 in a packed vector.
const zero = 128

// Pack gives a vector as bytes for storing: a scale, and one byte for each
// dimension, which costs no measurable quality.
func Pack(v []float32) []byte {
	if len(v) == 0 {
		return nil
	}
	largest := float32(0)
	for _, x := range v {
		largest = max(largest, x, -x)
	}
	packed := binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(v)), math.Float32bits(largest/127))
	for _, x := range v {
		packed = append(packed, byte(zero+math.Round(float64(x/max(largest, math.SmallestNonzeroFloat32)*127))))
	}
	return packed
}

// Unpack reads what Pack wrote; nil where it is too short.
func Unpack(packed []byte) []float32 {
	if len(packed) < 5 {
		return nil
	}
	scale := math.Float32frombits(binary.LittleEndian.Uint32(packed))
	v := make([]float32, len(packed)-4)
	for j, x := range packed[4:] {
		v[j] = float32(int(x)-zero) * scale
	}
	return v
}

// matrix is documents by terms, sparse, each document of length 1.
type matrix struct {
	rows   [][]cell
	terms  []string
	rarity []float32 // of each term
}

type cell struct {
	term  int
	value float32
}

func newMatrix(documents iter.Seq[[]Term]) matrix {
	number := map[string]int{}
	var with []int
	var rows [][]cell
	for terms := range documents {
		row := make([]cell, len(terms))
		for i, t := range terms {
			n, ok := number[t.Text]
			if !ok {
				n = len(with)
				number[t.Text] = n
				with = append(with, 0)
			}
			with[n]++
			row[i] = cell{n, dampened(t.TF)}
		}
		if rows = append(rows, row); len(rows) == MaxLearnt {
			break
		}
	}
	return matrix{rows: rows}.chosen(number, with)
}

// chosen keeps the terms that most documents share, but neither what nearly all
// share nor what hardly any do, and weighs them by rarity.
func (x matrix) chosen(number map[string]int, with []int) matrix {
	names := slices.SortedFunc(maps.Keys(number), func(a, b string) int {
		return cmp.Or(cmp.Compare(with[number[b]], with[number[a]]), cmp.Compare(a, b))
	})
	place := make([]int, len(with))
	for _, name := range names {
		n := number[name]
		if place[n] = -1; with[n] < minWith || with[n] > len(x.rows)/2 || len(x.terms) == maxVocabulary {
			continue
		}
		place[n] = len(x.terms)
		x.terms = append(x.terms, name)
		x.rarity = append(x.rarity, float32(math.Log1p(float64(len(x.rows)-with[n])/float64(with[n]))))
	}
	for i, row := range x.rows {
		kept, square := row[:0], 0.0
		for _, c := range row {
			if c.term = place[c.term]; c.term < 0 {
				continue
			}
			c.value *= x.rarity[c.term]
			square += float64(c.value) * float64(c.value)
			kept = append(kept, c)
		}
		for j := range kept {
			kept[j].value /= float32(math.Sqrt(square))
		}
		x.rows[i] = kept
	}
	return x
}

// squared multiplies the transposed matrix and the matrix with the basis.
func (x matrix) squared(basis [][]float32) [][]float32 {
	product := make([][]float32, len(basis))
	for i := range product {
		product[i] = make([]float32, Dimensions)
	}
	seen := make([]float32, Dimensions)
	for _, row := range x.rows {
		clear(seen)
		for _, c := range row {
			for j, v := range basis[c.term] {
				seen[j] += c.value * v
			}
		}
		for _, c := range row {
			to := product[c.term]
			for j, v := range seen {
				to[j] += c.value * v
			}
		}
	}
	return product
}

// orthonormalise makes the columns orthogonal and of length 1 (Gram and Schmidt,
// the modified way). A column that depends on others becomes zero.
func orthonormalise(m [][]float32) {
	for j := range Dimensions {
		dots := make([]float64, Dimensions)
		for _, row := range m {
			for k := j; k < Dimensions; k++ {
				dots[k] += float64(row[j]) * float64(row[k])
			}
		}
		if dots[j] < 1e-12 {
			for _, row := range m {
				row[j] = 0
			}
			continue
		}
		for _, row := range m {
			for k := j + 1; k < Dimensions; k++ {
				row[k] -= float32(dots[k]/dots[j]) * row[j]
			}
			row[j] /= float32(math.Sqrt(dots[j]))
		}
	}
}
