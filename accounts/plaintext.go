package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	plainTextLimit   = 200 // bytes of a text from outside that are kept
	identityKeyLimit = 255 // OpenID Connect Core, section 2: "sub"
)

// plainText returns s without what could change a terminal or a log line:
// control characters, bidirectional marks, zero-width characters and broken
// UTF-8. It is cut at plainTextLimit bytes.
func plainText(s string) string {
	s = stripped(s)
	if len(s) <= plainTextLimit {
		return s
	}
	cut := plainTextLimit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return strings.TrimSpace(s[:cut])
}

// identityKey returns s if it can be a key as it stands, else "": a key that
// was cut or cleaned could be another one's.
func identityKey(s string) string {
	if len(s) > identityKeyLimit || s != stripped(s) {
		return ""
	}
	return s
}

func stripped(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return -1
		}
		return r
	}, s))
}
