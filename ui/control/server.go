package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	callTimeout  = 10 * time.Second       // for a client to say what it wants
	readPatience = time.Minute            // for a watcher to take a state
	leaveTimeout = time.Second            // for last answers when the server ends
	maxClients   = 128                    // calls under way at a time
	maxHolds     = 1024                   // clients that only wait for the engine's end
	acceptPause  = 100 * time.Millisecond // after a failed accept: no file descriptors left, mostly
)

// Server offers an Engine on a listener. Its zero Log is silent.
type Server struct {
	Engine Engine
	Log    *slog.Logger
}

// Serve answers the clients of l, closes it when ctx ends, and returns when the
// last client has its answer or a second has passed.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	log := s.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var clients sync.WaitGroup
	defer clients.Wait()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()

	slots, holds := make(chan struct{}, maxClients), make(chan struct{}, maxHolds)
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if conn != nil {
				_ = conn.Close()
			}
			return ctx.Err()
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			log.Warn("control socket does not accept", "error", err)
			select {
			case <-time.After(acceptPause):
			case <-ctx.Done():
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			_ = conn.SetWriteDeadline(time.Now().Add(leaveTimeout))
			_ = send(conn, answer{Error: errTooMany})
			_ = conn.Close()
			continue
		}
		clients.Go(func() {
			free := sync.OnceFunc(func() { <-slots })
			defer free()
			defer conn.Close() //nolint:errcheck // nothing was buffered
			// A client that only waits for the engine's end does no work here: it gives
			// its slot back, so that any number of them leaves room for calls.
			wait := func() bool {
				select {
				case holds <- struct{}{}:
					free()
					return true
				default:
					return false
				}
			}
			held, err := s.serve(ctx, conn, log, wait)
			if held {
				<-holds
			}
			if err != nil {
				log.Debug("control client", "error", err)
			}
		})
	}
}

// errTooMany is the answer of a full house.
var errTooMany = &Error{Code: CodeBusy, Message: "too many programs speak to oauthmux at once", Hint: "try again in a moment"}

// serve answers one client: one call, and its answer or answers. One that only
// waits for the engine's end asks wait first, and reports held if it may.
func (s *Server) serve(ctx context.Context, conn net.Conn, log *slog.Logger, wait func() bool) (held bool, err error) {
	if err := checkPeer(conn); err != nil {
		log.Warn("control socket refused a client", "error", err)
		return false, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// When the server ends, a client that does not read must not hold it up.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now().Add(leaveTimeout)) })()

	_ = conn.SetReadDeadline(time.Now().Add(callTimeout))
	r := bufio.NewReader(conn)
	frame, err := readFrame(r, maxCall)
	if err != nil {
		return false, fmt.Errorf("read call: %w", err)
	}
	_ = conn.SetReadDeadline(time.Time{})
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	// A client says one thing and then only listens: whatever comes next, its end
	// above all, means that nobody waits for the answer any more.
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = r.ReadByte()
		cancel()
	}()
	defer func() {
		_ = conn.Close()
		<-gone
	}()
	// A panic in the engine costs this client its answer and nobody else anything.
	defer func() {
		if p := recover(); p != nil {
			log.Error("panic in a control call", "panic_type", fmt.Sprintf("%T", p))
			err = send(conn, answer{Error: &Error{Code: CodeInternal, Message: "the engine failed at this", Hint: "its log may say more"}})
		}
	}()

	c, refused := decodeCall(frame)
	if refused != nil {
		return false, send(conn, answer{Error: refused})
	}
	switch c.Method {
	case methodWatch:
		return false, s.watch(ctx, conn)
	case methodHold:
		if !wait() {
			return false, send(conn, answer{Error: errTooMany})
		}
		<-ctx.Done()
		return true, nil
	default:
		return false, send(conn, s.answer(ctx, c))
	}
}

// answer carries out a call that has one answer.
func (s *Server) answer(ctx context.Context, c call) answer {
	switch c.Method {
	case methodState:
		state, err := s.Engine.State(ctx)
		if err != nil {
			return answer{Error: forPeople(err)}
		}
		return answer{State: &state}
	case methodDo:
		reply, err := s.Engine.Do(ctx, *c.Request)
		if err != nil {
			return answer{Error: forPeople(err)}
		}
		return answer{Reply: &reply}
	}
	return answer{} // methodHello: the protocol number is the answer
}

// watch sends states until the client or the engine leaves. A client that reads
// slowly misses states, newest wins: the engine's channel keeps one.
func (s *Server) watch(ctx context.Context, conn net.Conn) error {
	states, err := s.Engine.Watch(ctx)
	if err != nil {
		return send(conn, answer{Error: forPeople(err)})
	}
	for state := range states {
		_ = conn.SetWriteDeadline(time.Now().Add(readPatience)) // a reader that stopped gives its slot back
		if err := send(conn, answer{State: &state}); err != nil {
			return err
		}
	}
	return nil
}

func send(w io.Writer, a answer) error {
	a.Protocol = protocol
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if _, err := w.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// forPeople is what a client may read of an engine's error.
func forPeople(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error()}
}
