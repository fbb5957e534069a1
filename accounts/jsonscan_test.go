package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestTopLevelString(t *testing.T) {
	for _, tt := range []struct{ name, document, want string }{
		{"first", `{"model":"a","x":1}`, "a"},
		{"last", `{"x":1,"y":[{"z":{}}],"model":"a"}`, "a"},
		{"with space", " \r\n\t{ \"model\" : \"a\" }", "a"},
		{"deeper only", `{"x":{"model":"a"},"y":[{"model":"b"}]}`, ""},
		{"deeper first", `{"metadata":{"model":"a"},"model":"b"}`, "b"},
		{"as a value", `{"x":"model","model":"a"}`, "a"},
		{"as a value only", `{"x":"model","y":"a"}`, ""},
		{"in a list of values", `{"x":["model","a"],"model":"b"}`, "b"},
		{"in a text", `{"x":"{\"model\":\"a\"}","model":"b"}`, "b"},
		{"behind backslashes", `{"x":"\\","y":"\\\"","z":"\\\\","model":"b"}`, "b"},
		{"empty", `{"model":""}`, ""},
		{"escaped value", `{"model":"\u0061\"b"}`, `a"b`},
		{"broken escape", `{"model":"\u00zz"}`, ""},
		{"a number", `{"model":5}`, ""},
		{"null", `{"model":null,"x":"a"}`, ""},
		{"an object", `{"model":{"x":"a"},"y":"b"}`, ""},
		{"a list", `{"model":["a"]}`, ""},
		{"an object, then a string", `{"model":{"x":"a"},"model":"b"}`, "b"},
		{"twice", `{"model":"a","model":"b"}`, "a"},
		{"another case", `{"Model":"a"}`, ""},
		{"a longer key", `{"models":"a","mode":"b"}`, ""},
		{"no object", `["model","a"]`, ""},
		{"no object, nor a list", `["model":"a"]`, ""},
		{"objects in a list", `[{"model":"a"}]`, ""},
		{"a string", `"model"`, ""},
		{"nothing", ``, ""},
		{"cut in the key", `{"mod`, ""},
		{"cut in the value", `{"model":"a`, ""},
		{"cut before the value", `{"model":`, ""},
		{"after the end", `{"x":1}{"model":"a"}`, ""},
		{"not JSON", `<html>"model":"a"`, ""},
		{"gzip", "\x1f\x8b\x08{\"model\":\"a\"}", ""},
		{"too long to be one", `{"model":"` + strings.Repeat("a", scanString+1) + `"}`, ""},
		{"as long as can be", `{"model":"` + strings.Repeat("a", scanString) + `"}`, strings.Repeat("a", scanString)},
		{"a key too long to be one", `{"model` + strings.Repeat("l", 3*scanString) + `":"a","model":"b"}`, "b"},
		{"very deep", `{"x":` + strings.Repeat("[", 1<<20) + strings.Repeat("]", 1<<20) + `,"model":"a"}`, "a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, read := range map[string]func(io.Reader) io.Reader{
				"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "with its error": iotest.DataErrReader,
			} {
				if got := topLevelString(read(strings.NewReader(tt.document)), "model"); got != tt.want {
					t.Errorf("%s: %q, want %q", name, got, tt.want)
				}
			}
		})
	}
}

func TestTopLevelStringReadsNoFurther(t *testing.T) {
	broken := errors.New("read too far")
	document := io.MultiReader(strings.NewReader(`{"model":"a"`), iotest.ErrReader(broken))
	if got := topLevelString(document, "model"); got != "a" {
		t.Errorf("%q, want %q", got, "a")
	}
	if _, err := document.Read(make([]byte, 1)); !errors.Is(err, broken) {
		t.Errorf("the reader was left with %v, want it untouched behind the value", err)
	}
	if got := topLevelString(strings.NewReader(`{"model":"a","session":"b"}`), "session"); got != "b" {
		t.Errorf("another key: %q, want %q", got, "b")
	}
	if got := topLevelString(iotest.ErrReader(broken), "model"); got != "" {
		t.Errorf("%q from a reader that fails", got)
	}
	if got := topLevelString(io.MultiReader(strings.NewReader(`{"x":"`), endless{}), "model"); got != "" {
		t.Errorf("%q from a reader that never ends", got)
	}
}

// endless is a text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "xxxxxxxxxxxxxxxx"), nil }

func TestTopLevelStringHardlyAllocates(t *testing.T) {
	body := largeBody(1 << 20)
	r := strings.NewReader(body)
	if got := testing.AllocsPerRun(10, func() {
		r.Reset(body)
		topLevelString(r, "model")
	}); got > 2 {
		t.Errorf("%v allocations, want the value's and little else", got)
	}
}

// FuzzTopLevelString holds the scan against the standard decoder, and chunk by
// chunk against itself.
func FuzzTopLevelString(f *testing.F) {
	f.Add(`{"x":"\\","y":"\\\"","model":"b"}`, 3)
	f.Add(`{"x":{"model":"a"},"model":"b"}`, 1)
	f.Add(`{"messages":[{"role":"user","content":"say \"model\": \\"}],"model":"claude-opus-4-6"}`, 7)
	f.Fuzz(func(t *testing.T, document string, chunk int) {
		whole := topLevelString(strings.NewReader(document), "model")
		if got := topLevelString(&chunked{document, max(chunk, 1)}, "model"); got != whole {
			t.Errorf("in chunks of %d: %q, whole: %q", chunk, got, whole)
		}
		if !json.Valid([]byte(document)) || strings.Count(document, "model") != 1 || strings.Contains(document, `\u00`) {
			return // what several of them mean, and what a key in escapes means, is nobody's promise
		}
		var v map[string]any
		want := ""
		if json.Unmarshal([]byte(document), &v) == nil {
			want, _ = v["model"].(string)
		}
		if len(want) < scanString/6 && whole != want {
			t.Errorf("topLevelString = %q, want %q", whole, want)
		}
	})
}

// chunked reads n bytes at a time.
type chunked struct {
	rest string
	n    int
}

func (c *chunked) Read(p []byte) (int, error) {
	if c.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(c.n, len(p))], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// largeBody is a request of about size bytes whose model comes last: a long
// conversation, code in it, and a picture.
func largeBody(size int) string {
	var b strings.Builder
	b.WriteString(`{"max_tokens":1,"messages":[`)
	for b.Len() < size/2 {
		b.WriteString(`{"role":"user","content":[{"type":"text","text":"func main() {\n\tfmt.Println(\"hello, \\\"world\\\"\")\n}\n and so on for a line or two of code"}]},`)
	}
	fmt.Fprintf(&b, `{"role":"user","content":[{"type":"image","source":{"data":%q}}]}],"model":"claude-opus-4-6"}`, strings.Repeat("iVBORw0KGgo", size/22))
	return b.String()
}

func BenchmarkScopeOf5MB(b *testing.B) {
	body, p := largeBody(5<<20), anthropic()
	r := strings.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(body)
		if p.Scope(r) != "opus" {
			b.Fatal("no scope")
		}
	}
}

func BenchmarkScopeOf2KB(b *testing.B) {
	body, p := largeBody(2<<10), anthropic()
	r := strings.NewReader(body)
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(body)
		if p.Scope(r) != "opus" {
			b.Fatal("no scope")
		}
	}
}
