package accounts

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// depthLimit is how deep accounts.json may nest; ours nests five deep.
const depthLimit = 64

// checkShape says what encoding/json would pass over in silence: a document
// that is not one object, two keys of one object that mean the same field, and
// nesting without end. Its errors are *damageError.
func checkShape(raw []byte) error {
	trimmed := bytes.TrimSpace(raw)
	switch {
	case len(trimmed) == 0:
		return &damageError{"it is empty"}
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")), bytes.HasPrefix(raw, []byte("\xff\xfe")), bytes.HasPrefix(raw, []byte("\xfe\xff")):
		return &damageError{"it begins with a byte order mark; it must be plain UTF-8"}
	case trimmed[0] != '{':
		return &damageError{"it is not a JSON object"}
	case !json.Valid(raw):
		return &damageError{"it is not valid JSON: cut short, or with bytes after its end"}
	}
	return checkKeys(trimmed)
}

// checkKeys walks a document that is known to be valid.
func checkKeys(raw []byte) error {
	var levels []map[string]bool // nil: an array
	depth := 0
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			if depth++; depth > depthLimit {
				return &damageError{"it nests too deep"}
			}
			if depth > len(levels) {
				levels = append(levels, make(map[string]bool))
			}
			clear(levels[depth-1])
		case '}', ']':
			depth--
		case '"':
			end := stringEnd(raw, i)
			next := end
			for next < len(raw) && (raw[next] == ' ' || raw[next] == '\t' || raw[next] == '\n' || raw[next] == '\r') {
				next++
			}
			if next < len(raw) && raw[next] == ':' {
				key, err := foldedKey(raw[i:end])
				if err != nil {
					return err
				}
				if levels[depth-1][key] {
					return &damageError{"it has a field twice in one object"}
				}
				levels[depth-1][key] = true
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns where the string that begins at start has ended.
func stringEnd(raw []byte, start int) int {
	for i := start + 1; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(raw)
}

// foldedKey is what encoding/json matches a key by: it takes "Label" for "label",
// and what else Unicode folds to the same letters.
func foldedKey(quoted []byte) (string, error) {
	var key string
	if err := json.Unmarshal(quoted, &key); err != nil {
		return "", damaged(err)
	}
	return strings.Map(folded, key), nil
}

// folded is one letter for all that are the same but for their case.
func folded(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r { // round to the smallest
			return next
		}
		r = next
	}
}

// unknownFields returns the fields of an object whose keys are not known.
func unknownFields(raw []byte, known []string) (fields, error) {
	var all fields
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, errors.New("it is not an object")
	}
	for key := range all {
		if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, key) }) {
			delete(all, key)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// keysOf returns the JSON names of a struct's fields.
func keysOf(v any) []string {
	t := reflect.TypeOf(v)
	keys := make([]string, 0, t.NumField())
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}
