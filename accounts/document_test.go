package accounts

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
)

// TestC15_TruncatedAnywhereNothingIsLost cuts the file at every byte.
func TestC15_TruncatedAnywhereNothingIsLost(t *testing.T) {
	for cut := range len(whole) {
		if d, err := parseDocument([]byte(whole[:cut])); err == nil {
			t.Errorf("cut at byte %d it is taken as whole: %+v", cut, d.accounts)
		} else if !isDamage(err) {
			t.Errorf("cut at byte %d: %v", cut, err)
		}
	}
}

// TestC15_ABitFlippedAnywhereIsSeenOrHarmless flips every bit of a file.
func TestC15_ABitFlippedAnywhereIsSeenOrHarmless(t *testing.T) {
	for i := range len(whole) * 8 {
		raw := []byte(whole)
		raw[i/8] ^= 1 << (i % 8)
		d, err := parseDocument(raw)
		if err != nil {
			if !isDamage(err) {
				t.Errorf("bit %d: %v", i, err)
			}
			continue
		}
		if len(d.accounts) != 1 || !validID(d.accounts[0].ID) {
			t.Errorf("bit %d: %s is taken as %+v", i, raw, d.accounts)
		}
	}
}

// sameFields reports whether what this version does not know is there to the byte.
func sameFields(a, b fields) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}

func FuzzDocument(f *testing.F) {
	for _, content := range allDamaged() {
		if len(content) < 1<<16 {
			f.Add([]byte(content))
		}
	}
	for _, seed := range []string{
		whole,
		`{"version":1,"accounts":[]}`,
		`{"version":1,"accounts":[],"x":{"y":[null,true,1e9,"\ud800"]}}`,
		`{"accounts":[{"x":1,"id":"a","provider":"p","usage":{"windows":[{"used":0.1}]}}],"version":1}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p"},{"id":"b","provider":"p"},{"id":"c","provider":"q"}],"preferred":{"p":"b","q":"x"}}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","label":"\u001b[31m"},{"id":"b","provider":"p","label":"\u001b[31m"}]}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","order":-9223372036854775808,"label":"x"}],"settings":{"":""}}`,
		`{"version":1,"accounts":[],"terms":{"p":"2026-01-01T00:00:00Z"},"\u0000":"\u0000"}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","new":{"deep":[{"a":null},1e-9,"\u2028"]},"Ünbekannt":"\u00fc"}]}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","cooldowns":[{"until":"2026-01-01T00:00:00Z","scope":"","evidence":"e","why":"new"}]}]}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","":""}],"":{"":[]}, "<script>&":"<&>\u2028"}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p"}],"preferred":null,"terms":null,"x":{ "spaced" : [ 1 , 2 ] }}`,
		`{"version":1,"accounts":[{"id":"a","provider":"p","token_expires_at":"0001-01-01T00:00:00Z","order":9223372036854775807}]}`,
		" \n{\"version\":1,\"accounts\":[{\"id\":\"a\",\"provider\":\"p\",\"label\":\"\\ud800\"}]}\n ",
		`{"version":1.0,"accounts":[]}`, `{"version":1e0,"accounts":[]}`, `{"version":-1,"accounts":[]}`, `{"Version":1,"ACCOUNTS":[]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDocument(raw)
		if err != nil {
			if !isDamage(err) {
				t.Fatalf("the error is %T", err)
			}
			return
		}
		written, err := d.encode()
		if err != nil {
			t.Skip() // a year that JSON cannot write
		}
		again, err := parseDocument(written)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, written)
		}
		if len(again.accounts) != len(d.accounts) || !sameFields(again.extra, d.extra) {
			t.Fatalf("a round trip lost something:\n%s\n%s", raw, written)
		}
		seen := map[string]bool{}
		for i := range d.accounts {
			if !sameFields(again.accounts[i].extra, d.accounts[i].extra) || again.accounts[i].ID != d.accounts[i].ID {
				t.Fatalf("a round trip lost something:\n%s\n%s", raw, written)
			}
			label := again.accounts[i].Label
			if clean, err := checkLabel(label); err != nil || clean != label || seen[labelKey(label)] {
				t.Fatalf("label %q: %v", label, err)
			}
			seen[labelKey(label)] = true
		}
		rewritten, err := again.encode()
		if err != nil || string(rewritten) != string(written) {
			t.Fatalf("a second round trip changed something: %v\n%s\n%s", err, written, rewritten)
		}
	})
}
