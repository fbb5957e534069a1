package simulator

import (
	"bytes"
	"crypto/rand"
	"embed"
	"html/template"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

// pageTemplate is every page: what a view leaves empty is not on it.
var pageTemplate = template.Must(template.ParseFS(pageFiles, "pages/*")).Lookup("page.html")

// view is what a page shows.
type view struct {
	Page  Page
	Title string
	Lang  string // "": English

	Text    string   // in words
	Shown   string   // to be copied
	Problem string   // what was wrong with the last answer
	Types   []string // what may be typed in

	CSRF    string // of the one form that follows
	Entry   *entry
	Choices []User // organisations to choose from
	Button  string // the one button of a form that is answered by it
	Consent *consentForm

	Frame   string // address of a frame
	Human   string // a button in the frame, for humans
	Opens   string // address of a window that the page opens
	Cookies string // "beside" or "wall": a banner that asks for cookies

	Nonce string // filled in when the page is written
}

// entry is one field to fill in.
type entry struct {
	Label, Name, Type, Value, Complete, Placeholder, Button string

	Digits bool
	Again  string // address of a new beginning; "": none
}

// consentForm is the question for access.
type consentForm struct {
	Words      words
	Action     string
	Email, Org string
	Scopes     []string
	Again      string // address where somebody else can sign in

	Delay    int64 // of the buttons, in milliseconds
	Twice    bool  // two buttons grant
	Disabled bool  // the one that grants is
	Unseen   bool  // the one that grants is
}

// render writes the page, and what its script and its style are known by.
func (v view) render() (body []byte, nonce string) {
	v.Nonce = rand.Text()
	if v.Lang == "" {
		v.Lang = "en"
	}
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		panic(err) // our own template and type
	}
	return b.Bytes(), v.Nonce
}

// view answers with a page.
func (x *exchange) view(status int, v view) {
	x.s.tally.viewed(v.Page)
	x.part(status, v)
}

// part answers with what belongs to a page that has been counted.
func (x *exchange) part(status int, v view) {
	body, nonce := v.render()
	x.guard(nonce)
	x.send(status, typeHTML, body)
}

// guard sets the fields that keep a page to itself, as a real site does.
func (x *exchange) guard(nonce string) {
	x.put("Content-Security-Policy", strings.ReplaceAll("default-src 'self'; script-src 'nonce-N'; style-src 'nonce-N'; "+
		"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'self'", "'nonce-N'", "'nonce-"+nonce+"'"))
	x.put("X-Content-Type-Options", "nosniff")
}
