//go:build !race

package config

// raced reports whether the race detector is on.
const raced = false
