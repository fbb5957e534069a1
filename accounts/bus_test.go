package accounts

import (
	"slices"
	"sync"
	"testing"
)

func TestAMailboxKeepsTheNewest(t *testing.T) {
	var b Bus
	b.Publish(Event{}) // to nobody
	box := b.Subscribe(3)
	defer box.Close()
	select {
	case <-box.Ready():
		t.Error("a new mailbox is ready")
	default:
	}
	for _, id := range []ID{"a", "b", "c", "d", "e"} {
		b.Publish(Event{Kind: TokenChanged, Account: id})
	}
	<-box.Ready()
	events, missed := box.Drain()
	if want := []Event{{TokenChanged, "c"}, {TokenChanged, "d"}, {TokenChanged, "e"}}; !slices.Equal(events, want) || missed != 2 {
		t.Errorf("drained %v and %d missed, want %v and 2", events, missed, want)
	}
	if events, missed := box.Drain(); len(events) != 0 || missed != 0 {
		t.Errorf("drained again: %v and %d missed", events, missed)
	}
	b.Publish(Event{Kind: KeyChanged})
	<-box.Ready()
	if events, _ := box.Drain(); len(events) != 1 {
		t.Errorf("after a drain: %v", events)
	}
}

func TestAMailboxGetsTheKindsItWants(t *testing.T) {
	var b Bus
	box := b.Subscribe(5, TokenChanged, FlowChanged)
	defer box.Close()
	for _, kind := range []EventKind{AccountsChanged, TokenChanged, PoolChanged, JournalChanged, KeyChanged, FlowChanged} {
		b.Publish(Event{Kind: kind})
	}
	if events, missed := box.Drain(); !slices.Equal(events, []Event{{Kind: TokenChanged}, {Kind: FlowChanged}}) || missed != 0 {
		t.Errorf("drained %v and %d missed", events, missed)
	}
}

func TestAClosedMailboxGetsNothing(t *testing.T) {
	var b Bus
	closed, open := b.Subscribe(5), b.Subscribe(0)
	defer open.Close()
	closed.Close()
	closed.Close()
	b.Publish(Event{})
	if events, _ := closed.Drain(); len(events) != 0 {
		t.Errorf("the closed one has %v", events)
	}
	if events, _ := open.Drain(); len(events) != 1 {
		t.Errorf("the open one, of the smallest size, has %v", events)
	}
}

func TestPublishNeverBlocks(t *testing.T) {
	var b Bus
	box := b.Subscribe(2)
	defer box.Close()
	const each = 500
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				b.Publish(Event{})
			}
		})
		wg.Go(func() { b.Subscribe(1).Close() })
	}
	wg.Wait() // nobody has drained anything
	if events, missed := box.Drain(); len(events)+missed != 4*each {
		t.Errorf("%d events and %d missed of %d", len(events), missed, 4*each)
	}
}

func TestTheJournalNumbersAndAnnouncesItsEntries(t *testing.T) {
	var b Bus
	box := b.Subscribe(1)
	defer box.Close()
	j := &Journal{Bus: &b}
	var silent Journal
	silent.Add(Entry{})
	for range journalSize + 3 {
		j.Add(Entry{Kind: EntryNotice, Account: "a"})
	}
	all := j.Since(0)
	if len(all) != journalSize || all[0].Seq != 4 || all[len(all)-1].Seq != journalSize+3 || all[0].At.IsZero() {
		t.Errorf("it has %d entries, from %d to %d", len(all), all[0].Seq, all[len(all)-1].Seq)
	}
	if got := j.Since(journalSize + 2); len(got) != 1 || got[0].Seq != journalSize+3 {
		t.Errorf("since the last but one: %v", got)
	}
	if got := j.Since(journalSize + 3); len(got) != 0 {
		t.Errorf("since the last: %v", got)
	}
	all[0].Evidence = "changed"
	if j.Since(0)[0].Evidence != "" {
		t.Error("what Since returns is the journal's own")
	}
	if events, _ := box.Drain(); len(events) != 1 || events[0] != (Event{Kind: JournalChanged, Account: "a"}) {
		t.Errorf("announced: %v", events)
	}
}
