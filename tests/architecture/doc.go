// Package architecture holds the house rules of docs/architecture.md as tests:
// who may import whom, how large things may grow, and what no file may contain.
// A rule is a pure function from what the repository looks like to a list of
// complaints; each says what to do. A second test shows that every rule can
// fail.
package architecture
