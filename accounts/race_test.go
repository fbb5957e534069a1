//go:build race

package accounts

// raced says that the tests are built with the race detector.
const raced = true
