package app

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/deskhand/deskhand/shared/llm"
	"github.com/deskhand/deskhand/shared/postgres/search"
	"github.com/deskhand/deskhand/shared/redact"
)

// embeddingsOf gives the embeddings of a model by this name; nil where none is
// named.
func embeddingsOf(endpoint llm.Embedder, model string, log *slog.Logger) *search.Embeddings {
	if model == "" {
		return nil
	}
	clean := redacted{endpoint, log}
	return &search.Embeddings{Embedder: clean, Questions: &llm.EmbeddingBreaker{Embedder: clean}, Model: model, Log: log}
}

// The limits of a text, in bytes.
const (
	mostText   = 80 << 10 // that is looked at; no model reads as much
	mostSecret = 16 << 10 // the longest secret
)

// redacted is an Embedder that gets no passwords, keys, card numbers, e-mail
// addresses and telephone numbers: it takes them out before the text is cut, as
// half a key is not recognised. The same text is the same each time it is sent,
// so that its vector is. A text of which nothing is left is rejected.
type redacted struct {
	llm.Embedder
	log *slog.Logger
}

// Embed implements llm.Embedder.
func (r redacted) Embed(ctx context.Context, model string, texts []string) ([][]float32, error) {
	clean, hidden := make([]string, len(texts)), map[string]int{}
	for i, text := range texts {
		var counts map[string]int
		clean[i], counts = redact.Anonymous(redact.Visible(text[:min(len(text), mostText)]))
		if len(text) > mostText { // it may end with half a key
			clean[i] = clean[i][:max(0, len(clean[i])-mostSecret)]
		}
		if clean[i] == "" {
			return nil, fmt.Errorf("embed with %s: nothing is left of a text of %d bytes without its secrets: %w", model, len(text), llm.ErrRejected)
		}
		for what, n := range counts {
			hidden[what] += n
		}
	}
	if len(hidden) > 0 {
		r.log.InfoContext(ctx, "secrets and addresses taken out of what is embedded", "operation", "embed", "texts", len(texts), "redacted", hidden)
	}
	return r.Embedder.Embed(ctx, model, clean)
}
