package simulator

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// serveAuthorize is GET /oauth/authorize: it consents at once for the user that
// login_hint names, else for the default user. Without either a browser gets a
// page to choose on. The answer of a loopback request is a redirect; that of a
// hosted one shows the code: as a page in a browser, as JSON where that is
// accepted, else as the one line CODE#STATE.
func (s *Server) serveAuthorize(x *exchange) {
	if x.place == placeAuthorizeCAI {
		x.redirect(PathAuthorize + "?" + x.r.URL.RawQuery)
		return
	}
	q, err := checkAuthorization(x.r.URL.RawQuery)
	if err != nil {
		s.tally.violate(BadRequest)
		x.show(http.StatusBadRequest, notice{Title: "Invalid OAuth Request", Text: err.Error()})
		return
	}
	hint := orElse(q.hint, s.o.DefaultUser)
	if hint == "" {
		x.show(http.StatusBadRequest, s.choice(x.r.URL))
		return
	}
	a := s.users.find(hint, q.orgUUID)
	if a == nil {
		x.show(http.StatusBadRequest, notice{Title: "No such user", Text: "no such user: " + hint})
		return
	}
	x.is(a)
	redirect, code, state := s.consent(q, a)
	if !q.hosted() {
		x.redirect(redirect)
		return
	}
	p := notice{Title: "Authentication code", Text: code + "#" + state, Redirect: redirect, Code: code, State: state}
	if code == "" {
		p.Title, p.Text = "Access denied", redirect
	}
	x.show(http.StatusOK, p)
}

func (x *exchange) redirect(to string) {
	x.put("Location", to)
	x.put("Cache-Control", "no-store")
	x.send(http.StatusFound, typeText, nil)
}

// notice is something for a person, or a script in its place, to read.
type notice struct {
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	Redirect string   `json:"redirect"`
	Code     string   `json:"code"`
	State    string   `json:"state"`
	Choices  []choice `json:"choices"`
}

// choice is one user on the page that asks who it is.
type choice struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

func (s *Server) choice(u *url.URL) notice {
	p := notice{Title: "Who is it?", Text: "add login_hint=NAME to the URL"}
	for _, a := range s.users.all() {
		q := u.Query()
		q.Set("login_hint", a.name)
		p.Choices = append(p.Choices, choice{a.name, u.Path + "?" + q.Encode()})
	}
	return p
}

var noticeTemplate = template.Must(template.New("notice").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title>
<style>body{font:18px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:44em}code{user-select:all;word-break:break-all}</style>
</head><body><p>Simulated provider</p><h1>{{.Title}}</h1>
{{if .Choices}}<ul>{{range .Choices}}<li><a href="{{.URL}}">{{.Name}}</a></li>{{end}}</ul>
{{else}}<p><code>{{.Text}}</code></p>{{end}}</body></html>
`))

func (x *exchange) show(status int, p notice) {
	x.put("Cache-Control", "no-store")
	accept := x.r.Header.Get("Accept")
	switch {
	case strings.Contains(accept, "text/html"):
		var b strings.Builder
		if err := noticeTemplate.Execute(&b, p); err != nil {
			panic(err) // our own template and type
		}
		x.send(status, typeHTML, []byte(b.String()))
	case strings.Contains(accept, typeJSON):
		x.sendJSON(status, p)
	default:
		x.send(status, typeText, []byte(p.Text+"\n"))
	}
}
