package accounts

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

var errSealed = errors.New("the request was given up before it was sent")

// onceBody is the body of a token request. A transport reads it when the
// connection stands, name, TCP, TLS and proxy included, so its first read is the
// last moment at which nothing of the token has been sent: there first is called,
// to write down what is about to happen, and if that fails nothing is sent. What
// went wrong earlier is a plain network error; after it, an answer that does not
// come leaves open what the server did (SAFETY 2.2, steps 6 to 8).
type onceBody struct {
	first func() error // nil: nothing to do

	mu     sync.Mutex // guards what follows, and keeps first and seal apart
	rest   []byte
	begun  bool
	sealed bool
	err    error // of first
}

// Read gives the body out, once.
func (b *onceBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.err != nil:
		return 0, b.err
	case b.sealed:
		return 0, errSealed
	case !b.begun:
		if b.err = b.begin(); b.err != nil {
			return 0, b.err
		}
		b.begun = true
	}
	if len(b.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// begin runs first in a goroutine of the transport, where a panic would end the
// program.
func (b *onceBody) begin() (err error) {
	if b.first == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s", FaultWords(p))
		}
	}()
	return b.first()
}

// Close does nothing: what was not read is sealed by its owner.
func (b *onceBody) Close() error { return nil }

// seal keeps everything that was not read yet from being sent, even by a
// transport that has not noticed its end. It reports whether sending had begun,
// and why it was refused if it was.
func (b *onceBody) seal() (begun bool, refused error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed = true
	b.rest = nil
	return b.begun, b.err
}
