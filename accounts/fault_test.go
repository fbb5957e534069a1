package accounts

import (
	"errors"
	"testing"
)

// posing is an error of somebody else that says it is the runtime's.
type posing struct{ error }

func (posing) RuntimeError() {}

func TestFaultWordsQuoteTheRuntimeAlone(t *testing.T) {
	const secret = "sk-ant-oat01-very-secret"
	var none []int
	var nothing map[string]int
	three, text := 3, any(secret)
	for want, f := range map[string]func(){
		"runtime error: index out of range [3] with length 0":   func() { none[three] = 1 },
		"assignment to entry in nil map":                        func() { nothing["a"] = 1 },
		"interface conversion: interface {} is string, not int": func() { _ = text.(int) }, //nolint:forcetypeassert // it is to panic
		"string":              func() { panic(secret) },
		"*errors.errorString": func() { panic(errors.New(secret)) },
		"accounts.posing":     func() { panic(posing{errors.New(secret)}) },
	} {
		got := func() (words string) {
			defer func() { words = FaultWords(recover()) }()
			f()
			return "no panic"
		}()
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
