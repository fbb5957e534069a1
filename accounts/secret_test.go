package accounts

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"text/template"
)

const hidden = "c4nary-4nd-m0re"

func shows(text string) bool {
	return strings.Contains(text, hidden[:5]) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", hidden[:5]))
}

func TestASecretShowsItselfToNoFormat(t *testing.T) {
	token := Token{AccessToken: hidden, RefreshToken: hidden, IDToken: hidden}
	for verb := range strings.SplitSeq("%v %+v %#v %s %q %x %X %d %t %U %c %e %b %o %#x %10v %.3s %-20s %+q %#q", " ") {
		for _, v := range []any{
			Secret(hidden), token, &token,
			[]Secret{hidden},
			[1]Secret{hidden},
			map[string]Secret{"a": hidden},
			map[Secret]int{hidden: 1},
			struct{ S Secret }{hidden},
			errors.Join(fmt.Errorf("x %v", Secret(hidden))),
		} {
			if got := fmt.Sprintf(verb, v); shows(got) {
				t.Errorf("%s of a %T prints %s", verb, v, got)
			}
		}
	}
	if got := Secret(hidden).String() + Secret(hidden).GoString() + fmt.Sprint(token) + fmt.Sprintln(&token); shows(got) {
		t.Errorf("printed: %s", got)
	}
}

func TestASecretShowsItselfToNoEncoder(t *testing.T) {
	token := Token{AccessToken: hidden, RefreshToken: hidden, IDToken: hidden}
	var out bytes.Buffer
	for _, v := range []any{Secret(hidden), token, &token, []Secret{hidden}, map[string]any{"a": Secret(hidden)}} {
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
	}
	if err := xml.NewEncoder(&out).Encode([]Secret{hidden}); err != nil {
		t.Error(err)
	}
	if err := template.Must(template.New("").Parse("{{.}} {{.AccessToken}} {{printf `%d` .RefreshToken}}")).Execute(&out, token); err != nil {
		t.Error(err)
	}
	if shows(out.String()) {
		t.Errorf("encoded: %s", out.String())
	}
}

func TestASecretShowsItselfToNoLogger(t *testing.T) {
	token := Token{AccessToken: hidden, RefreshToken: hidden, IDToken: hidden}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(handler).With("with", Secret(hidden)).WithGroup("g")
		log.Info("said", "secret", Secret(hidden), "token", token, "pointer", &token, "list", []Secret{hidden}, "error", fmt.Errorf("x: %v", Secret(hidden)))
	}
	if shows(out.String()) || !strings.Contains(out.String(), redacted) {
		t.Errorf("logged: %s", out.String())
	}
}

func TestRevealIsTheWayOut(t *testing.T) {
	if got := Secret(hidden).Reveal(); got != hidden {
		t.Errorf("Reveal is %q", got)
	}
}
