package accounts

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestLabelsAreUnique(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	first := add(t, r, Account{Label: "Zoë"})
	second := add(t, r, Account{Provider: "q", Label: "other"})
	for _, taken := range []string{"Zoë", "zoë", "ZOË", " Zoë ", "Zoe\u0308"} {
		err := r.Rename(second.ID, taken)
		if dup, ok := errors.AsType[*DuplicateLabelError](err); !ok || dup.Owner.ID != first.ID {
			t.Errorf("renaming to %q: %v, want a duplicate", taken, err)
		}
		if _, err := r.Add(Account{Provider: "p", Label: taken}); err == nil {
			t.Errorf("%q was added twice", taken)
		}
	}
	for _, bad := range []string{
		"", " ", "\x1b", "\u202e", "-x", strings.Repeat("x", labelColumns+1), strings.Repeat("漢", labelColumns/2+1),
		"a\nb", "a\tb", "a  b", "a\u00a0b", "Zo\u200bë", "a\x1b[31mb", "a\xffb", "a\u2028b",
	} {
		err := r.Rename(second.ID, bad)
		if _, ok := errors.AsType[*LabelError](err); !ok {
			t.Errorf("renaming to %q: %v, want a refusal", bad, err)
		}
	}
	if got, err := checkLabel("\t two words\n"); err != nil || got != "two words" {
		t.Errorf("spaces around a label: %q, %v", got, err)
	}
	if err := r.Rename(first.ID, "zoë"); err != nil {
		t.Errorf("another spelling of one's own label: %v", err)
	}
	if got, _ := r.Get(second.ID); got.Label != "other" {
		t.Errorf("the label became %q", got.Label)
	}
}

func TestALabelIsNotAnothersIDOrEmail(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	alice := add(t, r, Account{ID: "aaa", Label: "work", Email: "alice@x.example"})
	bob := add(t, r, Account{ID: "bbb", Label: "b", Email: "Bob@x.example"})
	for _, taken := range []string{"bob@x.example", "BOB@X.EXAMPLE", "bbb", "BBB"} {
		err := r.Rename(alice.ID, taken)
		if dup, ok := errors.AsType[*DuplicateLabelError](err); !ok || dup.Owner.ID != bob.ID {
			t.Errorf("renaming to %q: %v, want a duplicate", taken, err)
		}
		if _, err := r.Add(Account{Provider: "p", Label: taken}); err == nil {
			t.Errorf("%q was added, which is another account's name", taken)
		}
	}
	for _, own := range []string{"alice@x.example", "aaa"} {
		if err := r.Rename(alice.ID, own); err != nil {
			t.Errorf("renaming to its own %q: %v", own, err)
		}
	}
}

func TestADefaultLabelIsNotAnothersEmail(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	one := add(t, r, Account{Label: "work", Email: "me@x.example", Org: "One"})
	two := add(t, r, Account{Email: "ME@x.example", Org: "Two"})
	three := add(t, r, Account{Email: "me@x.example"})
	if two.Label != "Two" || three.Label != "me@x.example 2" {
		t.Errorf("the accounts are labelled %q and %q", two.Label, three.Label)
	}
	if err := r.Rename(two.ID, "me@x.example"); err == nil {
		t.Errorf("the second has the e-mail of %q for its label", one.Label)
	}
}

func TestAnAddressOfTwoOrganisationsMeansBoth(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	add(t, r, Account{Email: "me@x.example", Org: "One"})
	add(t, r, Account{Email: "me@x.example", Org: "Two"})
	_, err := r.Find("me@x.example")
	if e, ok := errors.AsType[*AmbiguousError](err); !ok || !slices.Equal(labels(e.Matches), []string{"me@x.example", "Two"}) {
		t.Errorf("got %v", err)
	}
}

func TestAnExactIDIsFinal(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	a := add(t, r, Account{ID: "aaa", Label: "bbb"})
	b := add(t, r, Account{ID: "bbb", Label: "b"}) // comes later than the label
	if got, err := r.Find(" bbb "); err != nil || got.ID != b.ID {
		t.Errorf("the id of one and the label of another: %q, %v", got.ID, err)
	}
	if _, err := r.Find("BBB"); err == nil {
		t.Errorf("not quite the id, and the label of %q, is no question", a.ID)
	}
}

func TestAnAccountWithoutALabelGetsOne(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	for _, a := range []struct {
		account Account
		want    string
	}{
		{Account{Email: "a@b.example", Org: "Acme"}, "a@b.example"},
		{Account{Email: "a@b.example", Org: "Acme"}, "Acme"},
		{Account{Email: "a@b.example", Org: "Acme"}, "a@b.example 2"},
		{Account{}, "p"},
		{Account{}, "p 2"},
		{Account{Email: "-" + strings.Repeat("x", 60)}, strings.Repeat("x", labelColumns)},
		{Account{Email: strings.Repeat("x", 60)}, strings.Repeat("x", labelColumns-2) + " 2"},
	} {
		a.account.Provider = "p"
		if got := add(t, r, a.account); got.Label != a.want {
			t.Errorf("%s of %s is labelled %q, want %q", a.account.Email, a.account.Org, got.Label, a.want)
		}
	}
}

func TestFind(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	work := add(t, r, Account{Label: "work", Email: "me@x.example", Org: "One"})
	home := add(t, r, Account{Label: "Home", Email: "me@x.example", Org: "Two"})
	mail := add(t, r, Account{Label: "you@x.example", Email: "someone@x.example"})
	you := add(t, r, Account{Label: "you", Email: "you@x.example"})
	for name, want := range map[string]ID{
		string(work.ID): work.ID, strings.ToUpper(string(work.ID)): work.ID,
		"work": work.ID, "WORK": work.ID, "home": home.ID, "\thome": home.ID,
		"you": you.ID, "SomeOne@X.example": mail.ID,
	} {
		if got, err := r.Find(name); err != nil || got.ID != want {
			t.Errorf("Find(%q) is %q, %v", name, got.Label, err)
		}
	}
	for _, name := range []string{"", " ", "nobody", "wor", "\x1b"} {
		if got, err := r.Find(name); !errors.Is(err, ErrNotFound) {
			t.Errorf("Find(%q) is %q, %v", name, got.Label, err)
		}
	}
	for name, want := range map[string][]string{
		"me@x.example":  {"work", "Home"},
		"you@x.example": {"you@x.example", "you"}, // a label that is another one's e-mail
	} {
		_, err := r.Find(name)
		if e, ok := errors.AsType[*AmbiguousError](err); !ok || !slices.Equal(labels(e.Matches), want) {
			t.Errorf("Find(%q): %v, want both of %v", name, err, want)
		}
	}
	_, err := r.Find("me@x.example")
	for _, part := range []string{"work", "Home", string(work.ID), string(home.ID)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %q", err, part)
		}
	}
}
