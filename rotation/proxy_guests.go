package rotation

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// maxConns is how many connections one client may have, and how many there may
	// be that have not shown a key.
	maxConns = 256
	// writeLimit is how long a client may take for what is written to it at once.
	writeLimit = time.Minute
)

// guests are the connections that are open. All of them come from this machine,
// so an address tells no two clients apart: the key does. A connection is a
// stranger's until a request on it showed one. Strangers cannot keep anybody out:
// when there are too many, the one that has been one for longest has to go
// (SAFETY, T11).
type guests struct {
	writeLimit time.Duration

	mu        sync.Mutex // guards what follows, and a conn's place, client and counted
	strangers list.List  // of *conn, in the order in which they came
	clients   map[string]int
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	guests *guests

	place    *list.Element // among the strangers; nil: it is none
	client   string        // whose it is
	counted  bool          // among the client's
	admitted bool          // it was counted; for the goroutine that serves it alone

	writeUntil time.Time // the deadline that is set; only the writer touches it

	reading   sync.Mutex    // guards what follows
	bodyLimit time.Duration // how long the client may pause; 0: no body is awaited
	hurried   bool          // a deadline is set for that
}

// come takes in a new connection.
func (g *guests) come(c net.Conn) *conn {
	guest := &conn{Conn: c, guests: g}
	g.mu.Lock()
	guest.place = g.strangers.PushBack(guest)
	var oldest *conn
	if g.strangers.Len() > maxConns {
		oldest, _ = g.strangers.Front().Value.(*conn)
	}
	g.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // it has said nothing that could be answered
	}
	return guest
}

// admit notes that a request on c showed the key of a client, and reports whether
// that client may have one more connection. A c of nil is not counted.
func (g *guests) admit(c *conn, client string) bool {
	if c == nil || c.admitted {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.clients[client] >= maxConns || c.place == nil {
		return false
	}
	if g.clients == nil {
		g.clients = make(map[string]int)
	}
	g.clients[client]++
	g.strangers.Remove(c.place)
	c.place, c.client, c.counted, c.admitted = nil, client, true, true
	return true
}

func (g *guests) leave(c *conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case c.place != nil:
		g.strangers.Remove(c.place)
		c.place = nil
	case c.counted:
		c.counted = false
		if g.clients[c.client]--; g.clients[c.client] == 0 {
			delete(g.clients, c.client)
		}
	}
}

// dismissStrangers closes the connections that have not shown a key.
func (g *guests) dismissStrangers() {
	g.mu.Lock()
	var all []*conn
	for e := g.strangers.Front(); e != nil; e = e.Next() {
		if c, ok := e.Value.(*conn); ok {
			all = append(all, c)
		}
	}
	g.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // it has said nothing that could be answered
	}
}

// Write implements net.Conn, within a limit for each write rather than for a
// whole answer, which may go on for hours. The limit is renewed when a quarter of
// it is used up: most writes need no timer of their own.
func (c *conn) Write(b []byte) (int, error) {
	if now := time.Now(); c.writeUntil.Sub(now) < c.guests.writeLimit*3/4 {
		c.writeUntil = now.Add(c.guests.writeLimit)
		if err := c.SetWriteDeadline(c.writeUntil); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(b)
}

// awaitBody says that a request's body is read from now on, and how long the
// client may pause in it; 0: no longer. The server goes on reading after a body,
// to see the client leave, and that may take as long as the answer does. A c of
// nil has no limits.
func (c *conn) awaitBody(limit time.Duration) {
	if c == nil {
		return
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	c.bodyLimit = limit
	if limit == 0 && c.hurried {
		c.hurried = false
		_ = c.SetReadDeadline(time.Time{}) // it fails on a closed connection only
	}
}

// Read implements net.Conn. A small body is there with its head, so that most
// requests never come here for it, and need no timer.
func (c *conn) Read(b []byte) (int, error) {
	c.reading.Lock()
	if c.bodyLimit > 0 {
		c.hurried = true
		_ = c.SetReadDeadline(time.Now().Add(c.bodyLimit)) // it fails on a closed connection only
	}
	c.reading.Unlock()
	return c.Conn.Read(b)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.guests.leave(c)
	return c.Conn.Close()
}

// CloseWrite lets the server end an answer politely while a client still sends.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// breakOff makes Close a reset: for a client that would take the mere end of the
// connection for the end of the answer.
func (c *conn) breakOff() {
	if c == nil {
		return
	}
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // then it is closed as it is
	}
}

// listener makes the connections it accepts guests.
type listener struct {
	net.Listener
	guests *guests
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.guests.come(c), nil
}

type connKey struct{}

// connOf returns the connection that a request came on; nil when another server
// than ours serves it.
func connOf(r *http.Request) *conn {
	c, _ := r.Context().Value(connKey{}).(*conn)
	return c
}
