package accounts

import (
	"testing"
	"time"
)

func TestATokenIsSpentAMinuteBeforeItsEnd(t *testing.T) {
	for _, c := range []struct {
		life, left time.Duration
		valid      bool
	}{
		{8 * time.Hour, 2 * time.Minute, true},
		{8 * time.Hour, 61 * time.Second, true},
		{8 * time.Hour, 59 * time.Second, false},
		{8 * time.Hour, -time.Hour, false},
		{100 * time.Second, 11 * time.Second, true}, // a tenth of a shorter life
		{100 * time.Second, 9 * time.Second, false},
		{time.Second, 200 * time.Millisecond, true},
		{0, 0, false},
		{-time.Hour, time.Second, true}, // the clock was set back: the server will say
	} {
		token := Token{AccessToken: "a", ReceivedAt: receivedAt, Expiry: receivedAt.Add(c.life)}
		if got := token.Valid(token.Expiry.Add(-c.left)); got != c.valid {
			t.Errorf("of %s, with %s left, it is valid: %v", c.life, c.left, got)
		}
		token.AccessToken = ""
		if token.Valid(receivedAt) {
			t.Error("no token is valid")
		}
	}
}

func TestAMarginIsNeverMoreThanHalfALife(t *testing.T) {
	token := Token{AccessToken: "a", ReceivedAt: receivedAt, Expiry: receivedAt.Add(10 * time.Minute)}
	if !token.ValidFor(receivedAt, 10*time.Minute) {
		t.Error("a new token is due for renewal at once")
	}
	if token.ValidFor(receivedAt.Add(6*time.Minute), 10*time.Minute) {
		t.Error("a token past half its life is not due for renewal")
	}
}

func TestTokenErrorWords(t *testing.T) {
	for want, te := range map[string]TokenError{
		"token endpoint answered 500":                  {StatusCode: 500},
		"token endpoint answered 400 invalid_grant":    {StatusCode: 400, ErrorCode: "invalid_grant"},
		"token endpoint answered 400 invalid_grant: x": {StatusCode: 400, ErrorCode: "invalid_grant", ErrorDescription: "x"},
	} {
		if te.Error() != want {
			t.Errorf("it says %q, want %q", te.Error(), want)
		}
	}
	for status, want := range map[int]bool{302: false, 400: false, 401: false, 403: false, 404: false, 429: true, 500: true, 502: true, 503: true, 529: true} {
		if te := (&TokenError{StatusCode: status}); te.Temporary() != want {
			t.Errorf("%d is temporary: %v", status, te.Temporary())
		}
	}
}
