package rotation

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/oauthmux/oauthmux/accounts"
)

// errorBody is an error document of ours in the shape that clients of the
// provider know; p may be nil.
func errorBody(p *accounts.Provider, status int, message string) []byte {
	if p != nil && p.ErrorBody != nil {
		return p.ErrorBody(status, message)
	}
	body, err := json.Marshal(map[string]any{"error": map[string]any{"code": status, "message": message}})
	if err != nil {
		return nil // strings always encode
	}
	return body
}

// respond answers a request here, with no word from any upstream.
func respond(w http.ResponseWriter, p *accounts.Provider, status int, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch status {
	case http.StatusUnauthorized:
		h.Set("Www-Authenticate", `Bearer realm="oauthmux"`) // RFC 9110, section 11.6.1
	case http.StatusMethodNotAllowed:
		h.Set("Allow", "GET, HEAD, POST")
	case http.StatusUpgradeRequired:
		h.Set("Upgrade", "HTTP/1.1") // RFC 9110, section 15.5.22
		h.Set("Connection", "Upgrade")
	}
	w.WriteHeader(status)
	// A client that has gone is nobody to tell.
	_, _ = w.Write(append(errorBody(p, status, "oauthmux: "+message), '\n'))
}

// describe puts a failure of the network in words that hold nothing of what was
// sent or received.
func describe(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke"
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return untrusted.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	return "the request failed"
}
