package simulator

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// statusOverloaded is the provider's own status (PROTOCOL 3.2).
const statusOverloaded = 529

// maxBody is the longest Messages body (PROTOCOL 3.2).
const maxBody = 32 << 20

// What a 401 says (PROTOCOL 3.4).
const (
	msgExpired = "OAuth token has expired. Please obtain a new token or refresh your existing token."
	msgRevoked = "OAuth access token has been revoked."
)

func number10(n int64) string { return strconv.FormatInt(n, 10) }

// serveAPI is every place that takes an access token.
func (s *Server) serveAPI(x *exchange) {
	token, state := s.grants.bearer(bearer(x.r.Header), x.began)
	name := ""
	if token != nil {
		x.is(token.family.account)
		name = x.account.name
		x.put("Anthropic-Organization-Id", x.account.get().OrgUUID)
	}
	path := x.place.String()
	if token != nil {
		if f := s.faults.take(asked{user: name, path: path, early: true}); f != nil && x.apiFault(f) {
			return
		}
	}
	var body scan
	if !x.readBody(maxBody, body.feed) {
		if !x.torn {
			s.tally.violate(BadBody)
			x.fail(http.StatusRequestEntityTooLarge, "request_too_large", "Request exceeds the maximum size")
		}
		return
	}
	x.model, x.family = body.model, familyOf(body.model)
	if !x.credentialIsGood(state) {
		return
	}
	f := s.faults.take(asked{user: name, path: path, family: x.family, stream: body.stream})
	if f != nil && x.apiFault(f) {
		return
	}
	if f != nil && f.Kind == Slow && !x.pause(f.Delay) {
		return
	}
	if !x.headIsGood(token) {
		return
	}
	switch x.place {
	case placeProfile:
		s.serveProfile(x)
	case placeUsage:
		s.serveUsage(x, token)
	case placeModels:
		s.serveModels(x)
	default:
		s.serveMessages(x, &body, f)
	}
}

// credentialIsGood says no to a request without a live OAuth token, in the words
// of PROTOCOL 3.4.
func (x *exchange) credentialIsGood(state tokenState) bool {
	deny := func(message string) bool {
		x.fail(http.StatusUnauthorized, "authentication_error", message)
		return false
	}
	h := x.r.Header
	if len(h["X-Api-Key"]) > 0 {
		return deny("invalid x-api-key") // it is looked at first, whatever comes beside it
	}
	if len(h["Authorization"]) == 0 {
		x.s.tally.violate(NoCredential)
		return deny("x-api-key header is required")
	}
	if state == tokenUnknown {
		x.s.tally.violate(UnknownToken)
	}
	if x.place != placeProfile && !lists(h, "Anthropic-Beta", BetaName) {
		x.s.tally.violate(MissingBeta)
		return deny("OAuth authentication is currently not supported.")
	}
	switch state {
	case tokenUnknown:
		return deny("Invalid bearer token")
	case tokenExpired:
		return deny(msgExpired)
	case tokenRevoked:
		return deny(msgRevoked)
	case tokenLive:
	}
	return true
}

// headIsGood checks what a place wants besides a credential: a scope, a version,
// a content type.
func (x *exchange) headIsGood(token *accessToken) bool {
	scope := "user:inference"
	if x.place == placeProfile || x.place == placeUsage {
		scope = "user:profile"
	}
	if !slices.Contains(strings.Fields(token.family.scope), scope) {
		x.s.tally.violate(WrongScope)
		x.sendJSON(http.StatusForbidden, map[string]any{
			"type": "error", "request_id": x.id,
			"error": map[string]any{
				"type": "permission_error", "message": "OAuth token does not meet scope requirement " + scope,
				"details": map[string]string{"error_visibility": "user_facing"},
			},
		})
		return false
	}
	if x.place == placeProfile || x.place == placeUsage {
		return true
	}
	if x.r.Header.Get("Anthropic-Version") == "" {
		x.s.tally.violate(BadRequest)
		x.fail(http.StatusBadRequest, "invalid_request_error", "anthropic-version: header is required")
		return false
	}
	if x.place == placeModels {
		return true
	}
	if contentType, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || contentType != typeJSON {
		x.s.tally.violate(BadRequest)
		x.fail(http.StatusBadRequest, "invalid_request_error", "content-type: must be application/json")
		return false
	}
	return true
}

// modelNames are the models on offer.
var modelNames = []struct{ id, display string }{
	{"claude-opus-4-5", "Claude Opus 4.5"},
	{"claude-sonnet-4-5", "Claude Sonnet 4.5"},
	{"claude-haiku-4-5", "Claude Haiku 4.5"},
}

// serveModels is GET /v1/models.
func (s *Server) serveModels(x *exchange) {
	type model struct {
		Type    string `json:"type"`
		ID      string `json:"id"`
		Display string `json:"display_name"`
		Created string `json:"created_at"`
	}
	list := make([]model, len(modelNames))
	for i, m := range modelNames {
		list[i] = model{"model", m.id, m.display, "2025-10-01T00:00:00Z"}
	}
	st := x.account.look(x.began, "")
	st.write(x, "")
	x.sendJSON(http.StatusOK, map[string]any{
		"data": list, "has_more": false, "first_id": list[0].ID, "last_id": list[len(list)-1].ID,
	})
}

// planFacts are what the profile says of a plan (PROTOCOL 2.5).
var planFacts = map[string]struct {
	organization, tier string
	max, pro           bool
}{
	Max20x: {"claude_max", "default_claude_max_20x", true, false},
	Max5x:  {"claude_max", "default_claude_max_5x", true, false},
	Pro:    {"claude_pro", "default_claude_ai", false, true},
	Team:   {"claude_team", "default_claude_team_5x", false, false},
}

// serveProfile is GET /api/oauth/profile.
func (s *Server) serveProfile(x *exchange) {
	u := x.account.get()
	plan, known := planFacts[u.Plan]
	if !known {
		plan.organization, plan.tier = u.Plan, "default_"+u.Plan
	}
	x.sendJSON(http.StatusOK, map[string]any{
		"account": map[string]any{
			"uuid": u.AccountUUID, "full_name": u.Name, "display_name": u.Name, "email": u.Email,
			"has_claude_max": plan.max, "has_claude_pro": plan.pro, "created_at": "2025-01-02T03:04:05Z",
		},
		"organization": map[string]any{
			"uuid": u.OrgUUID, "name": u.Org, "organization_type": plan.organization,
			"billing_type": "stripe_subscription", "rate_limit_tier": plan.tier,
			"has_extra_usage_enabled": false, "subscription_status": "active",
		},
	})
}
