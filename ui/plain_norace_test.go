//go:build !unix || !race

package ui

// buildPlain builds nothing: these tests are the program already.
func buildPlain(string) (string, error) { return "", nil }

func becomePlain() {}
