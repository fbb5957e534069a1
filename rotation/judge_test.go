package rotation

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestWordsAreFoundInTheUsualShapes(t *testing.T) {
	for document, want := range map[string]string{
		`{"type":"error","error":{"type":"x","message":"the words"}}`:   "the words",
		`{"error":"invalid_request","error_description":"the words"}`:   "the words",
		`{"message":"the words"}`:                                       "the words",
		`{"detail":"the words"}`:                                        "the words",
		`{"error":{"message":"one\r\ntwo\u001b[31m\u202ethree\u0000"}}`: "one  two[31mthree",
		`{"error":{"message":"` + strings.Repeat("ü", 400) + `"}}`:      strings.Repeat("ü", 150) + "…",
		`{"error":7}`:           "",
		`<html>no words</html>`: "",
		``:                      "",
	} {
		if got := words([]byte(document)); got != want {
			t.Errorf("%s: %q, want %q", document, got, want)
		}
	}
}

func FuzzWordsFitOnOneLine(f *testing.F) {
	f.Add([]byte(`{"error":{"message":"a\u0007b"}}`))
	f.Add([]byte("{\"message\":\"\xff\xfe\"}"))
	f.Fuzz(func(t *testing.T, document []byte) {
		got := words(document)
		if len(got) > 300+len("…") || !utf8.ValidString(got) {
			t.Errorf("%d bytes: %q", len(got), got)
		}
		if i := strings.IndexFunc(got, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q at %d", got, i)
		}
	})
}

// A body that unpacks to gigabytes is looked at no further than any other.
func TestPeekUnpacksNoMoreThanItShows(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 100 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	resp := &http.Response{Header: http.Header{"Content-Encoding": {"GZip"}}, Body: io.NopCloser(bytes.NewReader(bomb.Bytes()))}
	if seen := peek(resp); len(seen) != peekLimit {
		t.Errorf("saw %d bytes", len(seen))
	}
	if all, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(all, bomb.Bytes()) {
		t.Errorf("%d bytes are left of %d, %v", len(all), bomb.Len(), err)
	}
	for _, encoding := range []string{"br", "zstd", "gzip"} {
		resp := &http.Response{Header: http.Header{"Content-Encoding": {encoding}}, Body: io.NopCloser(strings.NewReader("not that"))}
		if seen := peek(resp); seen != nil {
			t.Errorf("%s: saw %q", encoding, seen)
		}
	}
}
