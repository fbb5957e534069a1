//go:build !race

package e2e

// raced says that the binary is built as the tests are: without the race detector.
const raced = false
