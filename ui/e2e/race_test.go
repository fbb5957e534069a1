//go:build race

package e2e

// raced says that the binary is built as the tests are: with the race detector.
const raced = true
