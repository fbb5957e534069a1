package config

import (
	"fmt"
	"strings"
)

// Error is a mistake in the configuration, for people.
type Error struct {
	File         string // the mistake is in this file, at
	Line, Column int    // this place; 0: it has none
	Source       string // or in this flag or environment variable
	Key          string // "proxy.listen"; "": the file as a whole
	Problem      string
	Hint         string
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Source != "":
		b.WriteString(e.Source + ": ")
	case e.Line > 0:
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	case e.File != "":
		b.WriteString(e.File + ": ")
	}
	if e.Key != "" && e.Source == "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// nearest returns the known name that a person who wrote name most likely
// meant; "" when none is near.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+2 // a third may be wrong, and a short word by one
	for _, k := range known {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return max(len(a), len(b)) // nobody misspells that long a name; do not work on it
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
