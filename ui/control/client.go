package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrNoEngine says that nobody listens on the control socket.
var ErrNoEngine = errors.New("no oauthmux runs for this home")

// helloTimeout is how long an engine may take to say that it is there.
const helloTimeout = 3 * time.Second

// Client is an Engine in another process. Each call has a connection of its
// own, so a call is given up by closing it, and none waits behind another.
type Client struct {
	path string
}

// Dial finds the engine that listens at path and checks that both speak the
// same version. ErrNoEngine: there is none; an *Error: there is, but it is no use.
func Dial(ctx context.Context, path string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	c := &Client{path: path}
	if _, err := c.ask(ctx, call{Method: methodHello}); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &Error{
				Code:    CodeEngineSilent,
				Message: "the oauthmux that runs does not answer",
				Hint:    "it may be suspended; look for its process",
			}
		}
		return nil, err
	}
	return c, nil
}

// State implements Engine.
func (c *Client) State(ctx context.Context) (State, error) {
	a, err := c.ask(ctx, call{Method: methodState})
	if err != nil {
		return State{}, err
	}
	if a.State == nil {
		return State{}, errors.New("control socket: an answer without a state")
	}
	return *a.State, nil
}

// Do implements Engine.
func (c *Client) Do(ctx context.Context, r Request) (Reply, error) {
	a, err := c.ask(ctx, call{Method: methodDo, Request: &r})
	if err != nil {
		return Reply{}, err
	}
	if a.Reply == nil {
		return Reply{}, errors.New("control socket: an answer without a reply")
	}
	return *a.Reply, nil
}

// Watch implements Engine. The goroutine behind the channel ends with ctx or
// with the engine.
func (c *Client) Watch(ctx context.Context) (<-chan State, error) {
	conn, err := c.open(ctx, call{Method: methodWatch})
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	r := bufio.NewReader(conn)
	first, err := next(ctx, r)
	if err != nil {
		stop()
		_ = conn.Close()
		return nil, err
	}
	states := make(chan State, 1)
	go func() {
		defer close(states)
		defer conn.Close() //nolint:errcheck // it was only read from
		defer stop()
		for a := first; err == nil; a, err = next(ctx, r) {
			if a.State != nil {
				replace(states, *a.State)
			}
		}
	}()
	return states, nil
}

// Hold returns nil when the engine has gone, however it went, and otherwise
// when ctx ends. It costs the engine nothing meanwhile.
func (c *Client) Hold(ctx context.Context) error {
	_, err := c.ask(ctx, call{Method: methodHold})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeVersion {
		return err
	}
	return nil
}

// replace puts s into a channel of one place, in place of an unread one. There
// is one sender.
func replace(states chan State, s State) {
	select {
	case <-states:
	default:
	}
	states <- s
}

// ask sends one call and returns its one answer.
func (c *Client) ask(ctx context.Context, q call) (answer, error) {
	conn, err := c.open(ctx, q)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close() //nolint:errcheck // the answer was read or is not wanted
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	return next(ctx, bufio.NewReader(conn))
}

// open connects and sends q.
func (c *Client) open(ctx context.Context, q call) (net.Conn, error) {
	q.Protocol = protocol
	data, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("encode call: %w", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.path)
	if err != nil {
		return nil, dialError(ctx, err)
	}
	if err := checkPeer(conn); err != nil {
		_ = conn.Close()
		return nil, &Error{
			Code:    CodeEngineSilent,
			Message: "control.sock belongs to somebody else",
			Hint:    "remove " + c.path + " if you do not know whose it is",
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if _, err := conn.Write(append(data, '\n')); err != nil {
		_ = conn.Close()
		return nil, lost(ctx, err)
	}
	return conn, nil
}

// next reads one answer.
func next(ctx context.Context, r *bufio.Reader) (answer, error) {
	frame, err := readFrame(r, maxAnswer)
	if err != nil {
		return answer{}, lost(ctx, err)
	}
	return decodeAnswer(frame)
}

// dialError tells "there is no engine" from everything else.
func dialError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case nobodyListens(err):
		return ErrNoEngine
	case errors.Is(err, os.ErrPermission):
		return &Error{Code: CodeEngineSilent, Message: "control.sock may not be opened by this user"}
	}
	return fmt.Errorf("reach the oauthmux that runs: %w", err)
}

// nobodyListens reports whether that is why a connection was not made.
func nobodyListens(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) || refusedHere(err)
}

// lost is the error of a connection that ended before its answer.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errFrameTooLong) {
		return errors.New("control socket: the answer is too long")
	}
	return &Error{
		Code:    CodeEngineSilent,
		Message: "the oauthmux that runs ended before it answered",
		Hint:    "try again",
	}
}
