package rotation

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"net/http"
	"strings"
	"sync"

	"github.com/oauthmux/oauthmux/accounts"
)

// Claims are what a session key says besides "let me in". The zero value says
// nothing.
type Claims struct {
	Session string      // keeps what the client sends together; "": as the request itself says
	Account accounts.ID // the only account that may serve it; "": any
}

const (
	sessionKeyPrefix = "omx_"
	// sessionKeyDomain keeps a signature made here from meaning anything
	// elsewhere, should the local key ever sign something else.
	sessionKeyDomain = "oauthmux session key v1\x00"
)

var keyEncoding = base64.RawURLEncoding

// SessionKey derives a key from the local key that carries claims:
// omx_<claims>.<HMAC-SHA256>. It opens the proxy as the local key does, and
// nobody without the local key can make or change one.
func SessionKey(localKey string, c Claims) string {
	claims := keyEncoding.EncodeToString([]byte(c.Session + "\x00" + string(c.Account)))
	return sessionKeyPrefix + claims + "." + keyEncoding.EncodeToString(newSigner(localKey).sign(nil, claims))
}

// signer makes the signatures of one local key.
type signer struct {
	mac  hash.Hash
	sums [2][sha256.Size]byte // room for a signature made and one presented
	text []byte
}

func newSigner(localKey string) *signer {
	return &signer{mac: hmac.New(sha256.New, []byte(localKey))}
}

func (s *signer) sign(to []byte, claims string) []byte {
	s.mac.Reset()
	s.text = append(append(s.text[:0], sessionKeyDomain...), claims...)
	s.mac.Write(s.text)
	return s.mac.Sum(to)
}

// verifier checks the keys that clients present against one local key.
type verifier struct {
	localKey string
	signers  sync.Pool
}

func newVerifier(localKey string) *verifier {
	v := &verifier{localKey: localKey}
	v.signers.New = func() any { return newSigner(localKey) }
	return v
}

// check reports whether key is the local key or was derived from it, and what
// it claims. How long it takes says nothing about the secret part of a key.
func (v *verifier) check(key string) (Claims, bool) {
	if v.localKey == "" {
		return Claims{}, false // no key is set up: nobody has it
	}
	if equalSecret(key, v.localKey) {
		return Claims{}, true
	}
	claims, signature, ok := cutSessionKey(key)
	if !ok {
		return Claims{}, false
	}
	s, _ := v.signers.Get().(*signer)
	defer v.signers.Put(s)
	want := s.sign(s.sums[0][:0], claims)
	s.text = append(s.text[:0], signature...)
	if n, err := keyEncoding.Strict().Decode(s.sums[1][:], s.text); err != nil || n != len(want) || !hmac.Equal(s.sums[1][:], want) {
		return Claims{}, false
	}
	return readClaims(claims)
}

// toldIn reports whether text holds the local key, or one derived from it.
func (v *verifier) toldIn(text string) bool {
	if v == nil || v.localKey == "" {
		return false
	}
	if strings.Contains(text, v.localKey) {
		return true
	}
	for {
		at := strings.Index(text, sessionKeyPrefix)
		if at < 0 {
			return false
		}
		text = text[at:]
		end := strings.IndexByte(text, '.') + 1 + keyEncoding.EncodedLen(sha256.Size)
		if end <= len(text) && end <= longestTold {
			if _, ok := v.check(text[:end]); ok {
				return true
			}
		}
		text = text[len(sessionKeyPrefix):]
	}
}

// longestTold is the longest key that is looked for in what a client sends: a
// field full of beginnings must not cost a signature over all of it for each.
const longestTold = 1 << 10

// cutSessionKey splits a key into what it claims and the signature on that.
func cutSessionKey(key string) (claims, signature string, ok bool) {
	rest, ok := strings.CutPrefix(key, sessionKeyPrefix)
	if !ok {
		return "", "", false
	}
	claims, signature, ok = strings.Cut(rest, ".")
	return claims, signature, ok && len(signature) == keyEncoding.EncodedLen(sha256.Size)
}

func readClaims(claims string) (Claims, bool) {
	text, err := keyEncoding.DecodeString(claims)
	if err != nil {
		return Claims{}, false
	}
	session, account, ok := strings.Cut(string(text), "\x00")
	return Claims{Session: session, Account: accounts.ID(account)}, ok
}

func equalSecret(a, b string) bool {
	return len(a) == len(b) && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// presentedKeys returns what a request offers as its key, in either of the two
// fields that clients use; some send both (PROTOCOL 3.9). A field that is there
// twice offers nothing: it is not clear who would read which.
func presentedKeys(h http.Header) (bearer, apiKey string) {
	if values := h["Authorization"]; len(values) == 1 {
		scheme, credential, _ := strings.Cut(values[0], " ")
		if strings.EqualFold(scheme, "Bearer") {
			bearer = strings.TrimLeft(credential, " ")
		}
	}
	if values := h["X-Api-Key"]; len(values) == 1 {
		apiKey = values[0]
	}
	return bearer, apiKey
}
