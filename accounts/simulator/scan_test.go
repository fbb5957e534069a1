package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

var scanSeeds = []string{
	`{"model":"claude-opus-4-5","max_tokens":10,"messages":[{"role":"user","content":"a \"b\" \\ c"}],"stream":true}`,
	`{"stream" : true , "max_tokens": 1 }`,
	`{"metadata":{"model":"inner","messages":[1]},"model":"claude-x","messages":[],"stream":false}`,
	`{"system":"stream\":true","messages":[[]]}`,
	` {} `, `{`, `{}}`, `[1]`, `{"a":}`, `{"":1,}`, `{,}`, `{"a":1 2}`, `{"a":"b"`, `{"a":[}]`, `"x"`, `{"model":"\u0061"}`, "",
}

func scanned(body string, chunk int) scan {
	var s scan
	for len(body) > 0 {
		n := min(chunk, len(body))
		s.feed([]byte(body[:n]))
		body = body[n:]
	}
	return s
}

// FuzzScan holds the scan against encoding/json: what that takes, the scan takes
// and reads the same from; and where the chunks end makes no difference.
func FuzzScan(f *testing.F) {
	for _, seed := range scanSeeds {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, body string, chunk int) {
		whole := scanned(body, len(body)+1)
		parts := scanned(body, max(chunk%64, 1))
		if whole.problem(true) != parts.problem(true) || whole.model != parts.model || whole.stream != parts.stream {
			t.Errorf("in one piece: %q %q; in parts: %q %q", whole.problem(true), whole.model, parts.problem(true), parts.model)
		}
		var want struct {
			Messages []json.RawMessage
		}
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(body), &object) != nil || object == nil || strings.Count(body, "[")+strings.Count(body, "{") >= maxDepth {
			return
		}
		if whole.invalid || !whole.ended {
			t.Fatalf("the scan refuses %q", body)
		}
		if strings.Count(body, `"messages"`) == 1 && json.Unmarshal([]byte(`{"messages":`+string(object["messages"])+`}`), &want) == nil &&
			whole.hasMessages != (len(want.Messages) > 0) {
			t.Errorf("messages: %v in %q", whole.hasMessages, body)
		}
		if strings.Count(body, `"stream"`) == 1 && object["stream"] != nil && whole.stream != (string(object["stream"]) == "true") {
			t.Errorf("stream: %v in %q", whole.stream, body)
		}
	})
}

func TestScanReadsTheTopLevelOnly(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]struct {
		model   string
		stream  bool
		problem string
	}{
		scanSeeds[0]: {"claude-opus-4-5", true, ""},
		scanSeeds[1]: {"", true, "model: Field required"},
		scanSeeds[2]: {"claude-x", false, "messages: Field required"},
		scanSeeds[3]: {"", false, "model: Field required"},
	} {
		for _, chunk := range []int{1, 3, 1000} {
			s := scanned(body, chunk)
			if s.model != want.model || s.stream != want.stream || s.problem(true) != want.problem {
				t.Errorf("%s in %d: %q %v %q", body, chunk, s.model, s.stream, s.problem(true))
			}
		}
	}
	for _, body := range scanSeeds[5:15] {
		if s := scanned(body, 1000); !s.invalid && s.ended {
			t.Errorf("the scan takes %q", body)
		}
	}
}

func TestFamilyIsTheWordInAModelsName(t *testing.T) {
	t.Parallel()
	for model, want := range map[string]string{
		"claude-opus-4-5": "opus", "claude-3-5-haiku-20241022": "haiku", "claude-sonnet-4-5": "sonnet", "claude-": "", "gpt-5": "", "": "",
	} {
		if got := familyOf(model); got != want {
			t.Errorf("familyOf(%q) = %q, want %q", model, got, want)
		}
	}
}
