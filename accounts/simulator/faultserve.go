package simulator

import "net/http"

// Pages of the edge, which knows nothing of JSON.
const (
	tooLargePage = "<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n" +
		"<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
	captivePage = "<!DOCTYPE html><html><head><title>Welcome to the guest network</title></head>" +
		"<body><form action=\"/login\"><input name=\"room\"><button>Connect</button></form></body></html>"
)

// dress puts a fault's own fields on the answer.
func (x *exchange) dress(f *Fault) {
	for name, values := range f.Header {
		x.header()[http.CanonicalHeaderKey(name)] = values
	}
}

// bluntFault is what goes wrong in the same way everywhere. It reports whether
// the request has its answer, or never gets one.
func (x *exchange) bluntFault(f *Fault) (answered bool) {
	switch f.Kind {
	case CutBefore:
		if x.place == placeMessages {
			x.s.tally.generated(x.marker) // for all the client knows, it was
		}
		x.cut()
	case Captive:
		x.send(http.StatusOK, typeHTML, []byte(captivePage))
	case TooLarge:
		x.send(http.StatusRequestEntityTooLarge, typeHTML, []byte(tooLargePage))
	case Answer:
		if x.header().Get("Content-Type") == "" {
			x.put("Content-Type", typeJSON)
		}
		x.send(orElse(f.Status, http.StatusOK), x.header().Get("Content-Type"), []byte(f.Body))
	default:
		return false
	}
	return true
}

// apiFault answers an API request as a fault says. It reports false for what
// only spoils the answer that comes anyhow: Slow and the stream kinds.
func (x *exchange) apiFault(f *Fault) (answered bool) {
	x.s.tally.fault(f.Kind)
	x.dress(f)
	switch f.Kind {
	case QuotaFiveHour, QuotaSevenDay, QuotaScoped:
		x.quotaFault(f)
	case Throttle:
		if f.RetryAfter != "" {
			x.put("Retry-After", f.RetryAfter)
		}
		x.fail(http.StatusTooManyRequests, "rate_limit_error", "Rate limited. Please try again later.")
	case OutOfCredits:
		st := x.account.look(x.began, x.family)
		st.overage = "out_of_credits"
		st.write(x, x.family)
		x.put(unifiedPrefix+"Representative-Claim", "overage")
		x.fail(http.StatusTooManyRequests, "rate_limit_error", "Extra usage is required for this request.")
	case Overloaded:
		st := x.account.look(x.began, x.family)
		st.write(x, x.family)
		x.fail(statusOverloaded, "overloaded_error", "Overloaded")
	case ServerError:
		x.fail(http.StatusInternalServerError, "api_error", "Internal server error")
	case Expired:
		x.fail(http.StatusUnauthorized, "authentication_error", msgExpired)
	case Revoked:
		x.fail(http.StatusUnauthorized, "authentication_error", msgRevoked)
	case Rejected:
		x.fail(http.StatusUnauthorized, "authentication_error", "Invalid authentication credentials")
	case OrgForbidden:
		x.fail(http.StatusForbidden, "permission_error",
			"OAuth authentication is currently not allowed for this organization.")
	case OrgDisabled:
		x.fail(http.StatusBadRequest, "invalid_request_error", "This organization has been disabled.")
	default:
		return x.bluntFault(f)
	}
	return true
}

// quotaFault answers as if a window were full, and leaves the window alone.
func (x *exchange) quotaFault(f *Fault) {
	st := x.account.look(x.began, x.family)
	claim, length := "5h", fiveHours
	switch f.Kind {
	case QuotaSevenDay:
		claim, length = "7d", sevenDays
	case QuotaScoped:
		claim, length = x.scopedClaim(&st), sevenDays
	default:
	}
	for i := range st.list() {
		if w := &st.windows[i]; w.claim == claim {
			w.used = max(w.used, 1)
			if f.ResetsIn > 0 || w.resets.IsZero() {
				w.resets = x.began.Add(x.s.span(orElse(f.ResetsIn, length)))
			}
		}
	}
	st.rejected = true
	x.exhausted(&st, f.RetryAfter)
}

// scopedClaim is the model family's window of a user; one is made up for a user
// who has none.
func (x *exchange) scopedClaim(st *standing) string {
	for i := range st.list() {
		if w := &st.windows[i]; w.family != "" && w.concerns(x.family) {
			return w.claim
		}
	}
	st.n = min(st.n, maxWindows-1)
	st.windows[st.n] = window{
		claim: "7d_oi", name: "seven_day_" + x.family, family: x.family,
		length: x.s.span(sevenDays), headers: headersOf("7d_oi"),
	}
	st.n++
	return "7d_oi"
}

// exhausted is the 429 of a full window (PROTOCOL 3.3).
func (x *exchange) exhausted(st *standing, retryAfter string) {
	st.write(x, x.family)
	switch retryAfter {
	case "":
		x.put("Retry-After", number10(st.retryAfter(x.began, x.family)))
	case NoRetryAfter:
	default:
		x.put("Retry-After", retryAfter)
	}
	x.fail(http.StatusTooManyRequests, "rate_limit_error",
		"This request would exceed your account's rate limit. Please try again later.")
}
