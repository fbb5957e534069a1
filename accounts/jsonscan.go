package accounts

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
)

const (
	scanLimit  = 32 << 20 // bytes of a document that are looked at
	scanString = 256      // bytes of a key or value that are kept
	scanChunk  = 32 << 10
)

var scanBuffers = sync.Pool{New: func() any { return new([scanChunk]byte) }}

// topLevelString returns the string that a JSON object has under key, at its
// top level; "" if there is none. It reads no further than that, skips over
// everything else without decoding it, and does not mind what is wrong
// elsewhere: a request body of megabytes passes through here, and judging it is
// the server's affair.
func topLevelString(document io.Reader, key string) string {
	buffer := scanBuffers.Get().(*[scanChunk]byte)
	defer scanBuffers.Put(buffer)
	s := stringScan{key: key}
	for read := 0; read < scanLimit && !s.done; {
		n, err := document.Read(buffer[:])
		s.feed(buffer[:n])
		if read += n; err != nil || n == 0 {
			break
		}
	}
	return s.value
}

// stringScan is the state of topLevelString between two chunks.
type stringScan struct {
	key   string
	value string // what was found
	done  bool

	depth    int
	wantKey  bool // at the top level, the next string is a key
	wanted   bool // at the top level, the next string is the value looked for
	inString bool
	escaped  bool // the last chunk ended in a backslash that escapes what follows
	keep     bool // the string's bytes go into text

	length int // of the string so far; above scanString it is too long to matter
	text   [scanString]byte
}

func (s *stringScan) feed(chunk []byte) {
	for len(chunk) > 0 && !s.done {
		if s.inString {
			chunk = s.skipString(chunk)
		} else {
			chunk = s.structure(chunk)
		}
	}
}

// structure consumes up to and including the opening quote of the next string.
// It is done where there is no object, and at the object's end.
func (s *stringScan) structure(chunk []byte) []byte {
	for i, c := range chunk {
		switch c {
		case '"':
			s.inString, s.length = true, 0
			s.keep = s.depth == 1 && (s.wantKey || s.wanted)
			s.done = s.depth == 0
			return chunk[i+1:]
		case '{', '[':
			if s.depth == 0 && c == '[' {
				s.done = true
				return nil
			}
			s.depth++
			s.wantKey = s.depth == 1
		case '}', ']':
			if s.depth--; s.depth <= 0 {
				s.done = true
				return nil
			}
		case ',':
			if s.depth == 1 {
				s.wantKey, s.wanted = true, false
			}
		case ' ', '\t', '\r', '\n':
		default:
			if s.depth == 0 {
				s.done = true
				return nil
			}
		}
	}
	return nil
}

// skipString consumes up to and including the closing quote. Nearly all of a
// large body is strings, so it looks for quotes only, and at backslashes only
// where a quote may be escaped by them.
func (s *stringScan) skipString(chunk []byte) []byte {
	for {
		end := bytes.IndexByte(chunk, '"')
		part := chunk
		if end >= 0 {
			part = chunk[:end]
		}
		if s.keep {
			s.collect(part)
		}
		s.escaped = endsEscaped(part, s.escaped)
		if end < 0 {
			return nil
		}
		chunk = chunk[end+1:]
		if !s.escaped {
			s.inString = false
			if s.keep {
				s.stringEnded()
			}
			return chunk
		}
		s.escaped = false
		if s.keep {
			s.collect([]byte{'"'})
		}
	}
}

// endsEscaped reports whether the character after part is escaped: it follows
// an odd run of backslashes, which may have begun before part.
func endsEscaped(part []byte, before bool) bool {
	if n := len(part); n > 0 && part[n-1] != '\\' {
		return false // nearly always
	}
	run := len(part) - len(bytes.TrimRight(part, `\`))
	odd := run%2 == 1
	if run == len(part) {
		return odd != before
	}
	return odd
}

func (s *stringScan) collect(part []byte) {
	if s.length < scanString {
		copy(s.text[s.length:], part)
	}
	s.length += len(part)
}

func (s *stringScan) stringEnded() {
	var text []byte
	if s.length <= scanString {
		text = s.text[:s.length]
	}
	if s.wanted {
		s.done, s.value = true, unescape(text)
		return
	}
	s.wantKey, s.wanted = false, string(text) == s.key
}

// unescape returns the value of a JSON string without its quotes.
func unescape(text []byte) string {
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text)
	}
	var value string
	quoted := append(append([]byte{'"'}, text...), '"')
	if json.Unmarshal(quoted, &value) != nil {
		return ""
	}
	return value
}
