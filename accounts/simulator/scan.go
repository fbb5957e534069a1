package simulator

import (
	"bytes"
	"strings"
)

// maxDepth is how deep a document may be nested (SAFETY T16).
const maxDepth = 100

// maxCapture is how much of a key or a short value is kept.
const maxCapture = 256

// scan reads the top level of a JSON object as it comes, whatever its size: the
// model, whether it streams, and whether what must be there is there. It keeps
// nothing but short values, and does not judge what lies deeper than brackets.
type scan struct {
	stack   [maxDepth]byte // the open brackets
	depth   int
	ended   bool // the outermost object is closed
	invalid bool

	inString, escaped bool
	state             scanState
	name, text        []byte // the current key, and the value or key being read
	named             bool   // a key has come
	filled            bool   // the array or object at depth 2 has something in it

	model                          string
	stream, maxTokens, hasMessages bool
}

// scanState is what the outermost object expects next.
type scanState int

const (
	wantKey scanState = iota // or the end of an empty object
	wantColon
	wantValue
	inScalar
	wantComma // or the end
)

func (s *scan) feed(b []byte) {
	for len(b) > 0 && !s.invalid {
		if s.inString {
			b = s.feedString(b)
			continue
		}
		s.feedByte(b[0])
		b = b[1:]
	}
}

// feedString goes to the end of a string in as few steps as possible.
func (s *scan) feedString(b []byte) []byte {
	for {
		if s.escaped {
			if len(b) == 0 {
				return nil
			}
			s.capture(b[:1])
			b, s.escaped = b[1:], false
		}
		end := bytes.IndexByte(b, '"')
		if end < 0 {
			end = len(b)
		}
		if i := bytes.IndexByte(b[:end], '\\'); i >= 0 {
			s.capture(b[:i+1])
			b, s.escaped = b[i+1:], true
			continue
		}
		s.capture(b[:end])
		if end == len(b) {
			return nil
		}
		s.inString = false
		s.endString()
		return b[end+1:]
	}
}

func (s *scan) capture(b []byte) {
	if s.depth == 1 {
		s.text = append(s.text, b[:min(len(b), maxCapture-len(s.text))]...)
	}
}

func (s *scan) endString() {
	if s.depth != 1 {
		return
	}
	if s.state == wantKey {
		s.name = append(s.name[:0], s.text...)
		s.state, s.named = wantColon, true
		return
	}
	if string(s.name) == "model" {
		s.model = string(s.text)
	}
	s.state = wantComma
}

func (s *scan) feedByte(c byte) {
	switch c {
	case ' ', '\t', '\r', '\n':
		if s.state == inScalar && s.depth == 1 {
			s.endScalar()
		}
		return
	case '{', '[':
		s.open(c)
		return
	case '}', ']':
		s.close(c)
		return
	}
	switch s.depth {
	case 0:
		s.invalid = true // something before or after the object
	case 1:
		s.feedTop(c)
	default:
		s.filled = true
		s.inString = c == '"'
	}
}

// feedTop takes a byte of the outermost object that is neither space nor bracket.
func (s *scan) feedTop(c byte) {
	switch {
	case c == '"' && (s.state == wantKey || s.state == wantValue):
		s.inString, s.text = true, s.text[:0]
	case c == ':' && s.state == wantColon:
		s.state, s.text = wantValue, s.text[:0]
	case c == ',' && (s.state == wantComma || s.state == inScalar):
		s.endScalar()
		s.state = wantKey
	case c != '"' && c != ',' && c != ':' && (s.state == wantValue || s.state == inScalar):
		s.state = inScalar
		s.capture([]byte{c})
	default:
		s.invalid = true
	}
}

func (s *scan) endScalar() {
	if s.state != inScalar {
		return
	}
	switch string(s.name) {
	case "stream":
		s.stream = string(s.text) == "true"
	case "max_tokens":
		s.maxTokens = len(s.text) > 0 && s.text[0] >= '1' && s.text[0] <= '9'
	}
	s.state = wantComma
}

func (s *scan) open(c byte) {
	switch {
	case s.depth == 0 && (c != '{' || s.ended),
		s.depth == 1 && s.state != wantValue,
		s.depth == maxDepth:
		s.invalid = true
		return
	case s.depth == 1:
		s.filled = false
	case s.depth > 1:
		s.filled = true
	}
	s.stack[s.depth] = c
	s.depth++
}

func (s *scan) close(c byte) {
	if s.depth == 0 || c != s.stack[s.depth-1]+2 { // '{' + 2 is '}', '[' + 2 is ']'
		s.invalid = true
		return
	}
	switch s.depth {
	case 1:
		s.endScalar()
		if s.state != wantComma && (s.state != wantKey || s.named) {
			s.invalid = true
		}
		s.ended = true
	case 2:
		if string(s.name) == "messages" && c == ']' {
			s.hasMessages = s.filled
		}
		s.state = wantComma
	}
	s.depth--
}

// problem says what is wrong with the body of a Messages request; "": nothing.
func (s *scan) problem(needMaxTokens bool) string {
	switch {
	case s.invalid || !s.ended:
		return "The request body is not valid JSON"
	case s.model == "":
		return "model: Field required"
	case !s.hasMessages:
		return "messages: Field required"
	case needMaxTokens && !s.maxTokens:
		return "max_tokens: Field required"
	}
	return ""
}

// familyOf is the family in a model's name: "opus" of "claude-opus-4-5" and of
// "claude-3-opus-20240229"; "" if there is none.
func familyOf(model string) string {
	rest, ok := strings.CutPrefix(model, "claude-")
	if !ok {
		return ""
	}
	for word := range strings.SplitSeq(rest, "-") {
		if word != "" && (word[0] < '0' || word[0] > '9') {
			return word
		}
	}
	return ""
}

// knownModel reports whether a name can be one of the provider's models. What
// passes can be put into JSON as it is.
func knownModel(model string) bool {
	return strings.HasPrefix(model, "claude-") && plainName(model)
}

func plainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}
