package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Limits of what is read from a provider's answers.
const (
	answerLimit    = 1 << 20 // bytes of an answer to a question of our own
	jsonDepthLimit = 100
)

// Limits of the waits that a server may ask for (DESIGN 3, SAFETY 3.4).
const (
	minWait         = time.Second
	maxQuotaWait    = 8 * 24 * time.Hour
	maxThrottleWait = time.Hour
)

var (
	errTooLong   = errors.New("the answer is too long")
	errNotObject = errors.New("the answer is not a JSON object")
)

// UsageError is the refusal of a usage endpoint. It speaks of that endpoint
// alone: it says nothing about the account's quota for requests.
type UsageError struct {
	StatusCode int
	RetryAfter time.Duration // 0: none was sent
}

func (e *UsageError) Error() string {
	return fmt.Sprintf("usage endpoint answered %d", e.StatusCode)
}

// answer is a whole answer to a question of our own.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// question is a GET for JSON, without a credential.
func question(ctx context.Context, address string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	return r, nil
}

// askUpstream asks p's upstream with the account's token.
func askUpstream(ctx context.Context, c Doer, p *Provider, path string, a Account, t Token) (answer, error) {
	r, err := question(ctx, p.Upstream+path)
	if err != nil {
		return answer{}, err
	}
	p.Authorize(r, a, t)
	return ask(c, r)
}

// ask sends r and reads the answer. c must not follow redirects: r may carry a
// credential.
func ask(c Doer, r *http.Request) (answer, error) {
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit+1))
	if err != nil {
		return answer{}, err
	}
	if len(body) > answerLimit {
		return answer{}, errTooLong
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: body}, nil
}

// decodeObject reads a JSON object as far as it fits: a field of another type
// stays empty, because one odd field must not cost the others. The error never
// repeats what was read.
func decodeObject(body []byte, into any) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' || tooDeep(body) {
		return errNotObject
	}
	err := json.Unmarshal(body, into)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !odd {
		return errNotObject
	}
	return nil
}

// tooDeep reports whether a JSON text nests deeper than anything honest. The
// decoder of the standard library would follow it 10,000 levels down.
func tooDeep(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			if depth++; depth > jsonDepthLimit {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}
