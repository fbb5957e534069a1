package accounts

import (
	"net/url"
	"slices"
)

// PageKind says what a page of a sign-in wants of whoever looks at it.
type PageKind string

// The kinds of pages. Only a consent page that PageRecipe.Press finds a button on
// is passed without a person; at every other page an unattended sign-in stops.
const (
	PageConsent   PageKind = "consent"   // may this program have access?
	PageSignIn    PageKind = "sign_in"   // who are you: e-mail, password, one-time code
	PageChallenge PageKind = "challenge" // are you human?
	PageChoice    PageKind = "choice"    // which organisation, which account?
	PageFailure   PageKind = "error"     // no, for a reason that it shows
	PageElsewhere PageKind = "elsewhere" // signed in, and the request is forgotten
	PageUnknown   PageKind = "unknown"   // what no recipe knows, and what never became a page
)

// PageRecipe tells one kind of page apart from the others. It is data: what is
// empty is not asked for, and everything else must hold; a recipe that asks for
// nothing but a button holds where a button is that grants. Of a provider's
// recipes the first that holds says what a page is, so those that stop come first.
type PageRecipe struct {
	Kind PageKind

	Path     string // regular expression for the path of the address
	Title    string // regular expression for the title
	Text     string // regular expression for the visible text
	Selector string // CSS: an element that matches is visible
	Frame    string // regular expression for the host of a frame in the page

	// Press and Grant name the button of a consent page: of the visible, enabled
	// elements that match Press, exactly one has a label that matches the regular
	// expression Grant. No such button, or two of them: the page is not passed.
	Press, Grant string

	Words string // what the page wants, for a person: "asks for the password"
}

// SignInHosts are the hosts, with a port where the address names one, that the
// window of a sign-in may show: those of the authorization server, and those where
// its users prove who they are.
func (p *Provider) SignInHosts() []string {
	hosts := p.ConsentHosts()
	for _, host := range p.IdentityHosts {
		if !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// ConsentHosts are the hosts of the authorization server itself: nowhere else is
// anything granted.
func (p *Provider) ConsentHosts() []string {
	var hosts []string
	if u, err := url.Parse(p.OAuth.AuthorizeURL); err == nil {
		hosts = append(hosts, u.Host)
	}
	if !slices.Contains(p.Overrides, "authorize_url") {
		hosts = append(hosts, p.OAuth.PageHosts...)
	}
	return hosts
}

// What pages of many authorization servers have in common.
const (
	// grantWords are the labels of a button that grants, whole, in the languages
	// that sign-in pages come in. A label in another one is not pressed.
	grantWords = `(?i)^(` +
		`authori[sz]e|allow( access)?|approve|grant( access)?|` +
		`autorisieren|zulassen|erlauben|genehmigen|zustimmen|` +
		`autoriser|permettre|approuver|accorder|` +
		`autorizar|permitir|aprobar|aprovar|conceder|` +
		`autorizza|consenti|approva|` +
		`toestaan|autoriseren|tillåt|godkänn|tillad|godkend|tillat|godkjenn|salli|` +
		`zezwól|autoryzuj|zatwierdź|povolit|autorizovat|autorizare|permite|engedélyezés|` +
		`разрешить|авторизовать|дозволити|авторизувати|` +
		`izin ver|yetkilendir|izinkan|otorisasi|cho phép|` +
		`अनुमति दें|अधिकृत करें|อนุญาต|` +
		`承認(する)?|許可(する)?|승인|허용|授权|允许|授權|允許|同意` +
		`)$`

	// signInFields are fields that only a page has which asks who one is.
	signInFields = `input[type="password"], input[type="email"], input[type="tel"], input[autocomplete="one-time-code"], ` +
		`input[autocomplete="username"], input[inputmode="numeric"]`

	// humanWords ask for proof of being human, and humanFrames are where it is asked.
	humanWords  = `(?i)verify(ing)? (that )?you('re| are) (a )?human|performing security verification|are you a robot|not a robot`
	humanTitle  = `(?i)^just a moment|attention required|security check`
	humanFrames = `(^|\.)(challenges\.cloudflare\.com|hcaptcha\.com|recaptcha\.net)$`

	// windowWords refuse a browser that says it has no window.
	windowWords = `(?i)headless|(un|not )supported browser|browser (is|was) not supported`

	// choiceFields are what is chosen with.
	choiceFields = `input[type="radio"], select, [role="radiogroup"], [role="listbox"]`
)
