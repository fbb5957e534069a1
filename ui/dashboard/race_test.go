//go:build race

package dashboard

// raced reports whether the race detector is on.
const raced = true
