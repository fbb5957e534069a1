package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// maxTokenRequest is the longest body that the token endpoint reads.
const maxTokenRequest = 64 << 10

// The fields of each grant, required ones first (PROTOCOL 1.5). Anything else is refused.
var (
	codeFields    = []string{"grant_type", "code", "state", "redirect_uri", "client_id", "code_verifier"}
	refreshFields = []string{"grant_type", "refresh_token", "client_id"}
	refreshOption = "scope"
)

// serveToken is POST /v1/oauth/token.
func (s *Server) serveToken(x *exchange) {
	if x.r.Header.Get("Authorization") != "" {
		s.tally.violate(StrayCredential)
	}
	if x.r.Header.Get("Idempotency-Key") != "" || x.r.Header.Get("X-Idempotency-Key") != "" {
		s.tally.violate(Replayable)
	}
	if f := s.faults.take(asked{path: PathToken, early: true}); f != nil && x.tokenFault(f) {
		return
	}
	var body bytes.Buffer
	if !x.readBody(maxTokenRequest, func(b []byte) { body.Write(b) }) {
		x.refuse(errFormat)
		return
	}
	fields, err := s.tokenFields(x.r, body.Bytes())
	if err != nil {
		x.refuse(errFormat)
		return
	}
	name := ""
	a, token := s.grants.ownerOf(fields)
	if a != nil {
		x.is(a)
		name = a.name
	}
	if token != nil {
		if token.family.presenting.Add(1) > 1 {
			s.tally.violate(Overlapping)
		}
		defer token.family.presenting.Add(-1)
		defer s.presented.note(x, token)()
	}
	f := s.faults.take(asked{user: name, path: PathToken})
	if f != nil && x.tokenFault(f) {
		return
	}
	s.answerToken(x, fields, f)
}

// answerToken grants what the fields ask for, or refuses it. f is what goes wrong
// after that, if anything.
func (s *Server) answerToken(x *exchange, fields map[string]string, f *Fault) {
	if fields["client_id"] != ClientID {
		x.refuse(errClient)
		return
	}
	now := s.o.Now()
	var p *pair
	var no *refusal
	var omit []string
	if fields["grant_type"] == "refresh_token" {
		p, no = s.present(fields, now)
		omit = s.o.Omit
	} else {
		p, no = s.exchangeCode(fields, now)
	}
	if no != nil {
		x.refuse(no)
		return
	}
	x.grant(p, now, omit, f)
}

// grant answers with a pair. What goes wrong here goes wrong after the rotation.
func (x *exchange) grant(p *pair, now time.Time, omit []string, f *Fault) {
	x.put("Cache-Control", "no-store")
	kind := Kind("")
	if f != nil {
		kind = f.Kind
	}
	switch kind {
	case LostResponse:
		x.cut()
	case ErrorAfter:
		x.fail(http.StatusInternalServerError, "api_error", "Internal server error")
		return
	case Slow:
		if !x.pause(f.Delay) {
			return
		}
	case MissingFields:
		omit = []string{"account", "organization", "scope", "expires_in"}
	case Garbage:
		whole := x.s.tokenAnswer(p, now, omit)
		x.send(http.StatusOK, typeJSON, whole[:len(whole)/2])
		return
	default:
	}
	x.send(http.StatusOK, typeJSON, x.s.tokenAnswer(p, now, omit))
}

// tokenFault answers as a fault says, where that comes before the grant.
func (x *exchange) tokenFault(f *Fault) (answered bool) {
	x.s.tally.fault(f.Kind)
	x.dress(f)
	switch f.Kind {
	case Throttle:
		if f.RetryAfter != "" {
			x.put("Retry-After", f.RetryAfter)
		}
		x.send(http.StatusTooManyRequests, typeJSON, throttledDocument)
	case ServerError:
		x.fail(http.StatusInternalServerError, "api_error", "Internal server error")
	case InvalidGrant:
		x.refuse(errGrant)
	default:
		return x.bluntFault(f)
	}
	return true
}

// throttledDocument is what a throttled token or usage endpoint says: without
// "type" and request id (PROTOCOL 1.8, 2.4).
var throttledDocument = []byte(`{"error":{"type":"rate_limit_error","message":"Rate limited. Please try again later."}}`)

// refuse answers in one of the two envelopes of PROTOCOL 1.8.
func (x *exchange) refuse(no *refusal) {
	if no.violation != "" {
		x.s.tally.violate(no.violation)
	}
	x.put("Cache-Control", "no-store")
	if no.format || x.s.o.ObjectErrors {
		x.fail(no.status, no.code, no.description)
		return
	}
	x.sendJSON(no.status, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{no.code, no.description})
}

var errFields = errors.New("not the fields of a token request")

// tokenFields reads a token request, and takes exactly the fields of its grant.
func (s *Server) tokenFields(r *http.Request, body []byte) (map[string]string, error) {
	if r.URL.RawQuery != "" {
		return nil, errFields
	}
	contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	var fields map[string]string
	switch {
	case contentType == typeJSON:
		fields, err = flatObject(body)
	case contentType == "application/x-www-form-urlencoded" && s.o.AcceptForm:
		fields, err = flatForm(string(body))
	default:
		return nil, errFields
	}
	if err != nil {
		return nil, err
	}
	required := refreshFields
	switch fields["grant_type"] {
	case "authorization_code":
		required = codeFields
	case "refresh_token":
	default:
		return nil, errFields
	}
	for _, name := range required {
		if fields[name] == "" {
			return nil, errFields
		}
	}
	for name := range fields {
		optional := name == refreshOption && fields["grant_type"] == "refresh_token"
		if !optional && !slices.Contains(required, name) {
			return nil, errFields
		}
	}
	return fields, nil
}

// flatObject reads one JSON object of strings, each name once, and nothing after it.
func flatObject(body []byte) (map[string]string, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errFields
	}
	fields := make(map[string]string)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := d.Token()
		if err != nil {
			return nil, err
		}
		text, ok := value.(string)
		if _, twice := fields[name.(string)]; twice || !ok {
			return nil, errFields
		}
		fields[name.(string)] = text
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errFields
	}
	return fields, nil
}

// flatForm reads a form, each name once.
func flatForm(body string) (map[string]string, error) {
	v, err := url.ParseQuery(body)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(v))
	for name, values := range v {
		if len(values) != 1 {
			return nil, errFields
		}
		fields[name] = values[0]
	}
	return fields, nil
}

// tokenAnswer is the document of PROTOCOL 1.6.
func (s *Server) tokenAnswer(p *pair, now time.Time, omit []string) []byte {
	u := p.access.family.account.get()
	answer := []struct {
		name  string
		value any
	}{
		{"token_type", "Bearer"},
		{"access_token", p.access.text},
		{"refresh_token", p.refresh.text},
		{"expires_in", secondsLeft(p.access.ends, now)},
		{"scope", p.access.family.scope},
		{"account", map[string]string{"uuid": u.AccountUUID, "email_address": u.Email}},
		{"organization", map[string]string{"uuid": u.OrgUUID, "name": u.Org}},
	}
	var b bytes.Buffer
	for _, field := range answer {
		if slices.Contains(omit, field.name) {
			continue
		}
		sep := byte(',')
		if b.Len() == 0 {
			sep = '{'
		}
		value, _ := json.Marshal(field.value) // strings and numbers always marshal
		b.WriteByte(sep)
		b.WriteString(`"` + field.name + `":`)
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// serveRevoke is POST /v1/oauth/revoke: JSON or a form, and 200 for an unknown
// token too (RFC 7009, section 2.2).
func (s *Server) serveRevoke(x *exchange) {
	var body bytes.Buffer
	if !x.readBody(maxTokenRequest, func(b []byte) { body.Write(b) }) {
		x.refuse(errFormat)
		return
	}
	read := flatObject
	if contentType, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type")); contentType != typeJSON {
		read = func(b []byte) (map[string]string, error) { return flatForm(string(b)) }
	}
	fields, err := read(body.Bytes())
	if err != nil || fields["token"] == "" {
		x.refuse(errFormat)
		return
	}
	if a := s.grants.holderOf(fields["token"]); a != nil {
		x.is(a)
	}
	s.grants.revoke(fields["token"])
	x.send(http.StatusOK, typeJSON, []byte("{}"))
}
