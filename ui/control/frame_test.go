package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		limit    int
		want     string
		err      error
	}{
		{"a line", "abc\nrest", 10, "abc", nil},
		{"empty line", "\n", 10, "", nil},
		{"nothing", "", 10, "", io.EOF},
		{"cut off", "abc", 10, "", io.ErrUnexpectedEOF},
		{"too long", "0123456789\n", 10, "", errFrameTooLong},
		{"longer than the reader's buffer", strings.Repeat("x", 9000) + "\n", 10000, strings.Repeat("x", 9000), nil},
		{"endless", strings.Repeat("x", 1<<20), 70000, "", errFrameTooLong},
	} {
		got, err := readFrame(bufio.NewReader(strings.NewReader(tt.in)), tt.limit)
		if string(got) != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %.20q, %v", tt.name, got, err)
		}
	}
}

// badCalls are frames that nothing must come of.
var badCalls = []string{
	"", "null", "[]", "5", "{", `{"protocol":"1"}`, `{"protocol":1}`, `{"protocol":1,"method":"dance"}`,
	`{"protocol":1,"method":"do"}`, `{"protocol":1,"method":"do","request":null}`, `{"protocol":1,"method":"do","request":[]}`,
	`{"protocol":1,"method":"state","request":{}}`, `{"protocol":1,"method":"do","request":{"acount":"x"}}`,
	`{"protocol":1,"method":"hello"} {"protocol":1}`, strings.Repeat("[", 60000),
}

func TestBadCallsAreRefused(t *testing.T) {
	path, _ := serve(t, &fakeEngine{})
	for _, frame := range badCalls {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(frame + "\n")); err != nil {
			t.Fatal(err)
		}
		var a answer
		if err := json.NewDecoder(conn).Decode(&a); err != nil || a.Error == nil {
			t.Errorf("%.40s: %+v, %v", frame, a, err)
		}
		_ = conn.Close()
	}
}

// FuzzDecodeCall: a frame from anywhere is a call that can be obeyed or an
// error for people; never a panic.
func FuzzDecodeCall(f *testing.F) {
	for _, seed := range []string{
		`{"protocol":1,"method":"hello"}`,
		`{"protocol":1,"method":"do","request":{"action":"switch","account":"work"}}`,
		`{"protocol":2}`, `{"protocol":1,"method":"do","request":{"position":1e99}}`, "\x00", `{"protocol":1,"protocol":2}`,
		`{"protocol":1,"method":"state"}`, `{"protocol":1,"method":"watch"}`, `{"protocol":1,"method":"hold"}`, `{"protocol":1,"METHOD":"state"}`, `{"protocol":1,"method":"state","method":"do"}`,
		`{"protocol":1,"method":"do","request":{}}`, `{"protocol":1,"method":"do","request":{"action":"remove","account":"work","revoke":true}}`, `{"protocol":1,"method":"do","request":{"action":"unlock","passphrase":"\u0000"}}`,
		`{"protocol":1,"method":"do","request":{"action":"move","account":"a","position":-9223372036854775808}}`, `{"protocol":1,"method":"do","request":{"action":7}}`, `{"protocol":1,"method":"hello","request":null}`,
		`{"protocol":1.0,"method":"hello"}`, `{"protocol":"1","method":"hello"}`, `{"protocol":1,"method":"hello"}{}`, `{"protocol":1,"method":"hello"} x`, "\xef\xbb\xbf" + `{"protocol":1,"method":"hello"}`, "\xff\xfe{\x00",
		`{"protocol":1,"method":"\ud800"}`, `{"protocol":-1}`, `{"protocol":9223372036854775808}`, `{"protocol":null,"method":"hello"}`, `{"method":"hello"}`, `{}`, `true`,
	} {
		f.Add([]byte(seed))
	}
	for _, seed := range badCalls {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		c, refused := decodeCall(frame)
		if refused != nil {
			if refused.Code == "" || refused.Message == "" {
				t.Errorf("%q: an error without words", frame)
			}
			return
		}
		if (c.Method == methodDo) != (c.Request != nil) {
			t.Errorf("%q: method %q, request %v", frame, c.Method, c.Request)
		}
		if c.Protocol != protocol {
			t.Errorf("%q: protocol %d", frame, c.Protocol)
		}
	})
}

// FuzzReadFrame: frames end at line ends and nowhere else, within their limit.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("a\nb\n"), 3)
	f.Fuzz(func(t *testing.T, stream []byte, limit int) {
		if limit < 0 || limit > 1<<16 {
			return
		}
		r := bufio.NewReaderSize(bytes.NewReader(stream), 16)
		var joined []byte
		for {
			frame, err := readFrame(r, limit)
			if err != nil {
				break
			}
			if len(frame) > limit || bytes.ContainsRune(frame, '\n') {
				t.Fatalf("frame %q with limit %d", frame, limit)
			}
			joined = append(append(joined, frame...), '\n')
		}
		if !bytes.HasPrefix(stream, joined) {
			t.Fatalf("frames %q of %q", joined, stream)
		}
	})
}
