package accounts

import (
	"slices"
	"sync"
)

// EventKind says where to look again.
type EventKind int

// The places to look at again.
const (
	AccountsChanged EventKind = iota // a record of the registry
	TokenChanged                     // a token was stored
	PoolChanged                      // cooldowns, readings, what is in flight
	JournalChanged                   // a new entry in the journal
	KeyChanged                       // the state of the vault's key
	FlowChanged                      // a login under way
)

// Event says "look again", never what changed: the owner of the data does.
type Event struct {
	Kind    EventKind
	Account ID // "": all
}

// Bus carries events to whoever subscribed. Publish never blocks: a mailbox
// that is full loses its oldest event and counts it. The zero value is ready.
type Bus struct {
	mu    sync.Mutex // guards boxes
	boxes map[*Mailbox]struct{}
}

// Mailbox is one subscriber's bounded queue.
type Mailbox struct {
	bus    *Bus
	size   int
	kinds  []EventKind // what is wanted; none: everything
	ready  chan struct{}
	mu     sync.Mutex // guards events and missed
	events []Event
	missed int
}

// Subscribe returns a mailbox that keeps the newest size events of these kinds,
// or of all kinds when none is named. Close it.
func (b *Bus) Subscribe(size int, kinds ...EventKind) *Mailbox {
	m := &Mailbox{bus: b, size: max(size, 1), kinds: kinds, ready: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.boxes == nil {
		b.boxes = make(map[*Mailbox]struct{})
	}
	b.boxes[m] = struct{}{}
	return m
}

// Publish tells every subscriber.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for m := range b.boxes {
		m.put(e)
	}
}

func (m *Mailbox) put(e Event) {
	if len(m.kinds) > 0 && !slices.Contains(m.kinds, e.Kind) {
		return
	}
	m.mu.Lock()
	if len(m.events) == m.size {
		m.events = append(m.events[:0], m.events[1:]...)
		m.missed++
	}
	m.events = append(m.events, e)
	m.mu.Unlock()
	select {
	case m.ready <- struct{}{}:
	default: // one wake-up is pending already, and Drain takes all there is
	}
}

// Ready receives when there may be something to drain.
func (m *Mailbox) Ready() <-chan struct{} { return m.ready }

// Drain takes all waiting events and the number that had to be dropped since
// the last call.
func (m *Mailbox) Drain() (events []Event, missed int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	events, missed = m.events, m.missed
	m.events, m.missed = nil, 0
	return events, missed
}

// Close ends the subscription.
func (m *Mailbox) Close() {
	m.bus.mu.Lock()
	defer m.bus.mu.Unlock()
	delete(m.bus.boxes, m)
}
