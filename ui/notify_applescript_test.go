package ui

import (
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestAScriptedNoticeIsNoArgument(t *testing.T) {
	cmd := scriptedNotice(t.Context(), "oauthmux", `work "and" home: sign in again`)
	if want := []string{"/usr/bin/osascript", "-"}; !slices.Equal(cmd.Args, want) {
		t.Errorf("the arguments are %q, want %q", cmd.Args, want)
	}
	script, err := io.ReadAll(cmd.Stdin)
	if err != nil {
		t.Fatal(err)
	}
	const want = `display notification ("work " & (character id 34) & "and" & (character id 34) & " home: sign in again") with title ("oauthmux")` + "\n"
	if string(script) != want {
		t.Errorf("the script is %s, want %s", script, want)
	}
}

// applePart is a part of what appleText makes: a literal that nothing ends but its
// quote, or a character by its number.
var applePart = regexp.MustCompile(`^(?:"([ !#-\[\]-~]*)"|\(character id (\d+)\))`)

// readApple reads an expression as the interpreter does; false: it is no text alone.
func readApple(expression string) (string, bool) {
	rest, opened := strings.CutPrefix(expression, "(")
	rest, closed := strings.CutSuffix(rest, ")")
	var text strings.Builder
	for more := opened && closed; more; {
		part := applePart.FindStringSubmatch(rest)
		if part == nil {
			return "", false
		}
		text.WriteString(part[1])
		if part[2] != "" {
			n, err := strconv.ParseInt(part[2], 10, 32)
			if err != nil {
				return "", false
			}
			text.WriteRune(rune(n))
		}
		rest, more = strings.CutPrefix(rest[len(part[0]):], " & ")
	}
	return text.String(), opened && closed && rest == ""
}

// No text is anything but a text in the script.
func FuzzAppleText(f *testing.F) {
	for _, seed := range []string{
		"", "work", `"`, `\`, `\"`, `"\`, `a" & (do shell script "id") & "b`, `\" & (do shell script \"id\") & \"`, `") with title ("`, "two\nlines\r\ttab", "\x00\x7f",
		"Büro, 仕事 \U0001f600", "\u2028\u2029\u00ab\u00bb¬", "\xff\xfe", "-- (* comment *) # «data utxt0041»", `(character id 34)`, "{%d} $HOME `id`",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		expression := appleText(text)
		got, ok := readApple(expression)
		if want := string([]rune(text)); !ok || got != want { // what is no UTF-8 is U+FFFD
			t.Errorf("%q became %s, which reads %q, %v; want %q", text, expression, got, ok, want)
		}
	})
}
