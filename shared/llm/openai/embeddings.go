package openai

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	"github.com/deskhand/deskhand/shared/llm"
)

// The limits of one call. What a text says, it says in its beginning, and no
// endpoint is sure to take more.
const (
	maxTexts   = 64
	maxText    = 8_000    // bytes of a text
	maxVectors = 16 << 20 // bytes of an answer; a dimension takes about twenty
)

// Embed implements llm.Embedder, with one call for every 64 texts, each for at
// most Options.Timeout. Of a text it reads the first 8,000 bytes. Where the
// endpoint asked for a pause, the error has the method RetryAfter.
func (c *Client) Embed(ctx context.Context, model string, texts []string) ([][]float32, error) {
	vectors := make([][]float32, 0, len(texts))
	for part := range slices.Chunk(texts, maxTexts) {
		more, err := c.embed(ctx, model, part)
		if err != nil {
			return nil, err
		}
		if vectors = append(vectors, more...); len(more[0]) != len(vectors[0]) {
			return nil, fmt.Errorf("openai: embed with %s: vectors of %d and of %d dimensions: %w", model, len(vectors[0]), len(more[0]), llm.ErrUnavailable)
		}
	}
	return vectors, nil
}

// embed makes one call.
func (c *Client) embed(ctx context.Context, model string, texts []string) ([][]float32, error) {
	short := make([]string, len(texts))
	for i, text := range texts {
		short[i] = beginning(text)
	}
	attempt, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	mask := masker{key: c.options.APIKey.Reveal(), prompt: strings.Join(short, "\n"), most: maxVectors}
	answer, err := c.embeddings.New(attempt, openai.EmbeddingNewParams{
		Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: short},
		EncodingFormat: openai.EmbeddingNewParamsEncodingFormatFloat, // the one that all endpoints have
	}, option.WithMiddleware(mask.middleware))
	if err == nil && answer == nil {
		err = errors.New("the answer is null")
	}
	if err != nil {
		return nil, c.explain(ctx, attempt, "embed with "+model, mask.error(err))
	}
	vectors, err := vectors(answer, len(texts), mask)
	if err != nil {
		return nil, fmt.Errorf("openai: embed with %s: %w", model, err)
	}
	return vectors, nil
}

// beginning cuts a text between two characters.
func beginning(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > maxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// vectors takes as many vectors out of an answer with status 200 as there were
// texts, in their order.
func vectors(answer *openai.CreateEmbeddingResponse, texts int, mask masker) ([][]float32, error) {
	if raw := answer.JSON.ExtraFields["error"].Raw(); raw != "" && raw != "null" {
		return nil, mask.failure([]byte(raw))
	}
	if len(answer.Data) != texts {
		return nil, fmt.Errorf("%d vectors for %d texts: %w", len(answer.Data), texts, llm.ErrUnavailable)
	}
	list := make([][]float32, texts)
	dimensions := len(answer.Data[0].Embedding)
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= int64(texts) || list[d.Index] != nil {
			return nil, fmt.Errorf("the vectors are not numbered from 0 to %d: %w", texts-1, llm.ErrUnavailable)
		}
		if !strings.HasPrefix(d.JSON.Embedding.Raw(), "[") { // the SDK reads other things as a list of one
			return nil, fmt.Errorf("a vector that is no list: %w", llm.ErrUnavailable)
		}
		if n := len(d.Embedding); n == 0 || n > llm.MaxDimensions || n != dimensions {
			return nil, fmt.Errorf("a vector of %d dimensions beside one of %d, want 1 to %d: %w", n, dimensions, llm.MaxDimensions, llm.ErrUnavailable)
		}
		v := make([]float32, dimensions)
		for i, x := range d.Embedding {
			if v[i] = float32(x); math.IsNaN(x) || math.IsInf(float64(v[i]), 0) {
				return nil, fmt.Errorf("a vector with a value that is no number, or too large: %w", llm.ErrUnavailable)
			}
		}
		list[d.Index] = v
	}
	return list, nil
}
