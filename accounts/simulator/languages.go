package simulator

import (
	"cmp"
	"strings"
)

// words are the consent page in one language.
type words struct {
	Lang, Title, Asks, Person, Organization, Scopes, Other string

	Grant, GrantToo, Decline string // labels; GrantToo is for the second button that grants
}

// languages are those that the consent page comes in. The last one is Volapük:
// a language whose words nobody can be expected to know.
var languages = []words{
	{
		Lang: "en", Title: "Access to your account",
		Asks: "A program on your computer asks for access to your account.", Person: "Signed in as", Organization: "Organization",
		Scopes: "It will be able to use:", Other: "Sign in as somebody else",
		Grant: "Authorize", GrantToo: "Allow", Decline: "Decline",
	},
	{
		Lang: "de", Title: "Zugriff auf Ihr Konto",
		Asks: "Ein Programm auf Ihrem Computer bittet um Zugriff auf Ihr Konto.", Person: "Angemeldet als", Organization: "Organisation",
		Scopes: "Es wird verwenden können:", Other: "Als jemand anderes anmelden",
		Grant: "Autorisieren", GrantToo: "Zulassen", Decline: "Ablehnen",
	},
	{
		Lang: "pt", Title: "Acesso à sua conta",
		Asks: "Um programa no seu computador pede acesso à sua conta.", Person: "Sessão iniciada como", Organization: "Organização",
		Scopes: "Ele poderá usar:", Other: "Entrar como outra pessoa",
		Grant: "Autorizar", GrantToo: "Permitir", Decline: "Recusar",
	},
	{
		Lang: "vo", Title: "Gebidäl kala olik",
		Asks: "Program su nünöm olik begon gebidäli kala olik.", Person: "Nem", Organization: "Noganükam",
		Scopes: "Okanon gebön:", Other: "Pösod votik",
		Grant: "Dälön", GrantToo: "Zepön", Decline: "Refudön",
	},
}

// wordsIn returns the consent page in the language of its user, else of the
// server, else in the first one that the browser asks for (RFC 9110, section
// 12.5.4), else in English.
func wordsIn(user, server, accept string) words {
	for item := range strings.SplitSeq(cmp.Or(user, server, accept), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(item), ";")
		primary, _, _ := strings.Cut(tag, "-")
		for _, w := range languages {
			if strings.EqualFold(w.Lang, primary) {
				return w
			}
		}
	}
	return languages[0]
}
