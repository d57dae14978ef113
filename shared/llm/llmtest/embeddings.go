package llmtest

import (
	"encoding/json"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"
)

// EmbeddingModel is the name under which the server gives vectors: it is no
// language model that makes them.
const EmbeddingModel = "scripted-embedding"

// dimensions of a Vector.
const dimensions = 256

// EmbeddingCall is one call of POST /embeddings as it came in.
type EmbeddingCall struct {
	Header http.Header `json:"-"`
	Model  string      `json:"model"`
	Texts  []string    `json:"input"`
	Format string      `json:"encoding_format"`
}

// NextEmbedding says how the next calls of /embeddings are answered, after those
// that were said before; the zero Answer, and none, gives a Vector for each text.
func (s *Server) NextEmbedding(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.embeddings = append(s.embeddings, answers...)
}

// EmbeddingCalls gives the calls of /embeddings so far, the first one first.
func (s *Server) EmbeddingCalls() []EmbeddingCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.embedded)
}

func (s *Server) embed(w http.ResponseWriter, r *http.Request) {
	call := EmbeddingCall{Header: r.Header.Clone()}
	if !read(w, r, &call) {
		return
	}
	s.mu.Lock()
	s.embedded = append(s.embedded, call)
	a, _ := next(&s.embeddings)
	s.mu.Unlock()
	a.play(w, r, func() string { return Embeddings(call.Texts...) })
}

// Embeddings is what the server answers to these texts.
func Embeddings(texts ...string) string {
	data := make([]any, len(texts))
	for i, text := range texts {
		data[i] = map[string]any{"object": "embedding", "index": i, "embedding": Vector(text)}
	}
	body, _ := json.Marshal(map[string]any{ // strings and numbers
		"object": "list", "model": EmbeddingModel, "data": data, "usage": map[string]int{"prompt_tokens": 0, "total_tokens": 0},
	})
	return string(body)
}

// Vector gives a text as the counts of its trigrams, hashed into 256 dimensions:
// texts with many parts of words in common lie near each other.
func Vector(text string) []float32 {
	v := make([]float32, dimensions)
	letters := []rune(" " + strings.Join(strings.Fields(strings.ToLower(text)), " ") + " ")
	for i := range len(letters) - 2 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(string(letters[i : i+3]))) // never fails
		sum := h.Sum32()
		if sum>>16&1 == 0 { // what falls into the same dimension by chance evens out
			v[sum%dimensions]++
		} else {
			v[sum%dimensions]--
		}
	}
	return v
}
