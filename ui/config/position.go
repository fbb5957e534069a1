package config

import (
	"cmp"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// position is a place in a file, counted from 1.
type position struct{ line, column int }

// places are where the keys of a document are written: of a table its header,
// of a key its name. The joint of a path is a NUL, which no key of ours holds.
type places map[string]position

// deepest is more than any key of ours has parts. What lies deeper is a mistake,
// and its place that of its beginning: to remember each part of a name that never
// ends would take all memory.
const deepest = 8

func (p places) at(path []string) position {
	for n := min(len(path), deepest); n > 0; n-- { // a table that is only implied by a longer name has none of its own
		if at, ok := p[strings.Join(path[:n], "\x00")]; ok {
			return at
		}
	}
	return position{1, 1}
}

// locate finds every key of a document that the decoder has accepted.
func locate(document []byte) places {
	p := &unstable.Parser{}
	p.Reset(document)
	found := places{}
	var table []string
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = found.note(p, nil, e)
		case unstable.KeyValue:
			found.value(p, table, e)
		default: // a comment has no key
		}
	}
	return found
}

// note remembers where the key of a node is written and returns its whole path.
func (p places) note(parser *unstable.Parser, table []string, n *unstable.Node) []string {
	path := append([]string(nil), table...)
	for keys := n.Key(); keys.Next() && len(path) < deepest; {
		part := keys.Node()
		path = append(path, string(part.Data))
		joined := strings.Join(path, "\x00")
		if _, known := p[joined]; !known {
			start := parser.Shape(part.Raw).Start
			p[joined] = position{start.Line, start.Column}
		}
	}
	return path
}

// value notes a key and, when its value is an inline table, the keys in that.
func (p places) value(parser *unstable.Parser, table []string, n *unstable.Node) {
	path := p.note(parser, table, n)
	if v := n.Value(); v.Kind == unstable.InlineTable {
		for children := v.Children(); children.Next(); {
			p.value(parser, path, children.Node())
		}
	}
}

// compare orders places as they are read.
func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.line, q.line), cmp.Compare(p.column, q.column))
}
