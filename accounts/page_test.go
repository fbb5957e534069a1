package accounts

import (
	"regexp"
	"testing"
)

// TestRecipesAreSound guards what a driver of a browser relies on: patterns that
// compile, words for a person, pages that stop before the one that is passed, and
// a button for that one alone.
func TestRecipesAreSound(t *testing.T) {
	for id, recipes := range map[ProviderID][]PageRecipe{"anthropic": anthropic().Login, "custom": custom("mycorp").Login} {
		consents := 0
		for i, recipe := range recipes {
			for _, pattern := range []string{recipe.Path, recipe.Title, recipe.Text, recipe.Frame, recipe.Grant} {
				if _, err := regexp.Compile(pattern); err != nil {
					t.Errorf("%s, recipe %d: %v", id, i, err)
				}
			}
			if recipe.Words == "" {
				t.Errorf("%s, recipe %d says nothing to a person", id, i)
			}
			presses := recipe.Press != "" || recipe.Grant != ""
			switch {
			case recipe.Kind != PageConsent && presses:
				t.Errorf("%s, recipe %d presses on a page of kind %s", id, i, recipe.Kind)
			case recipe.Kind == PageConsent && (recipe.Press == "" || recipe.Grant == ""):
				t.Errorf("%s, recipe %d does not say what it presses", id, i)
			case recipe.Kind == PageConsent && i != len(recipes)-1:
				t.Errorf("%s, recipe %d comes before pages that stop", id, i)
			case recipe.Kind != PageConsent && recipe.Path == "" && recipe.Title == "" && recipe.Text == "" && recipe.Selector == "" && recipe.Frame == "":
				t.Errorf("%s, recipe %d holds for every page", id, i)
			}
			if recipe.Kind == PageConsent {
				consents++
			}
		}
		if consents != 1 {
			t.Errorf("%s has %d consent pages", id, consents)
		}
	}
}

func TestOnlyAWholeWordGrants(t *testing.T) {
	grants := regexp.MustCompile(grantWords)
	for _, label := range []string{"Authorize", "authorise", "Allow", "Allow access", "Approve", "Autorisieren", "Autorizar", "Autoriser", "許可する", "승인", "授权", "Разрешить"} {
		if !grants.MatchString(label) {
			t.Errorf("%q is not pressed", label)
		}
	}
	for _, label := range []string{
		"", "Decline", "Deny", "Cancel", "Do not allow", "Don't allow", "Authorize all", "Allow once for $5", "I agree", "Accept all", "Accept invite",
		"Ablehnen", "Nicht zulassen", "Recusar", "Não permitir", "Continue", "Sign in", "Upgrade", "不同意", "拒绝", "Authorize\nDecline",
	} {
		if grants.MatchString(label) {
			t.Errorf("%q is pressed", label)
		}
	}
}

func TestPathsOfPages(t *testing.T) {
	is := func(kind PageKind, path string) bool {
		for _, recipe := range anthropic().Login {
			if recipe.Kind == kind && recipe.Path != "" && regexp.MustCompile(recipe.Path).MatchString(path) {
				return true
			}
		}
		return false
	}
	for _, path := range []string{"/", "/new", "/chat/1234", "/chats", "/settings/profile"} {
		if !is(PageElsewhere, path) || is(PageConsent, path) {
			t.Errorf("%s is not elsewhere", path)
		}
	}
	for _, path := range []string{"/oauth/authorize", "/cai/oauth/authorize"} {
		if is(PageElsewhere, path) || !is(PageConsent, path) {
			t.Errorf("%s is not the consent page", path)
		}
	}
	for _, path := range []string{"/newsletter", "/oauth/authorize/more", "/x/oauth/authorize", "/logins"} {
		if is(PageElsewhere, path) || is(PageConsent, path) || is(PageSignIn, path) {
			t.Errorf("%s is known", path)
		}
	}
	if !is(PageSignIn, "/login") || !is(PageSignIn, "/login/sso") {
		t.Error("/login does not ask to sign in")
	}
}
