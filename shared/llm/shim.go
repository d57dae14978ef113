package llm

import "fmt"

var (
	ErrOpen    = fmt.Errorf("open: %w", ErrUnavailable)
	ErrRefused = fmt.Errorf("refused: %w", ErrUnavailable)
)
