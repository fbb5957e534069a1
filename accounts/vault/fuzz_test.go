package vault

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzRecovery reads its input as files that dying processes left: for each of
// cred, cred.tmp, cred.new and cred.prev a generation, a family, a parent, and
// what was done to the bytes. Whatever it is, the newest record that belongs is
// found, it stays found, and nothing but an older record is ever replaced.
func FuzzRecovery(f *testing.F) {
	for g := range byte(4) {
		for damage := range byte(3) {
			f.Add([]byte{5, 1, damage, 5 + g, 1, 0, 0, 0, 0, 4, 1, 0})
			f.Add([]byte{5, 1, 0, 5 + g, 1, damage, 6, 1, 0, 0, 0, 0})
			f.Add([]byte{0, 0, 0, 5 + g, 2, damage, 6, 2, 1, 4, 1, 0})
			f.Add([]byte{5, 1, damage, 5 + g, 3, 0, 6, 1, damage, 4, 1, 0})
		}
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		seals := testSeals(t)
		d := newMemDisk()
		v := onDisk(t, d, seals)
		put(t, d, lockName, nil)
		var best entry
		var credBad uint64 // generation of an unreadable cred, as its header says
		var others []entry
		for i, name := range []string{credName, tmpName, newName, prevName} {
			if len(in) < 3*i+3 || in[3*i] == 0 {
				continue
			}
			generation, family, damage := uint64(in[3*i]), string('a'+rune(in[3*i+1]%4)), in[3*i+2]%3
			e := generationOf(generation, family, origin{string('a' + rune(in[3*i+1]/4%4)), generation - 1})
			data := sealed(t, seals, e)
			switch damage {
			case 1:
				data = data[:len(data)-1]
			case 2:
				data[len(data)-1] ^= 1
			}
			put(t, d, name, data)
			switch {
			case name == credName && damage == 0:
				best = e
			case name == credName:
				credBad = generation
			case name != prevName && damage == 0:
				others = append(others, e)
			}
		}
		// What descends from cred, in the order of generations; all, without one.
		slices.SortFunc(others, func(a, b entry) int { return cmp.Compare(a.Generation, b.Generation) })
		known, hasCred := []entry{best}, best.Generation > 0
		for _, e := range others {
			if hasCred && slices.ContainsFunc(known, e.follows) || !hasCred && e.Generation >= credBad {
				known = append(known, e)
				if e.Generation > best.Generation {
					best = e
				}
			}
		}
		want := error(nil)
		if best.Generation == 0 {
			want = ErrNotFound
			if credBad > 0 {
				want = ErrUnreadable
			}
		}
		for _, when := range []string{"at first", "again"} {
			r, err := v.Read(account)
			if !errors.Is(err, want) || r.Generation != best.Generation || r.RefreshToken != best.RefreshToken {
				t.Fatalf("%s: got %v, %v; want %v, %v", when, r, err, best.Record, want)
			}
			h := hold(t, v)
			r, err = h.Read()
			h.Release()
			if !errors.Is(err, want) || r.Generation != best.Generation {
				t.Fatalf("%s, under the lock: got %v, %v; want %v, %v", when, r, err, best.Record, want)
			}
		}
		if got := durable(d, seals); uint64(got) < best.Generation {
			t.Fatalf("generation %d is durable, of %d", got, best.Generation)
		}
		kept := func(name string) bool { return name == credName || strings.HasPrefix(name, badName) }
		if credBad > 0 && !slices.ContainsFunc(files(t, d), kept) {
			t.Fatal("an unreadable record is gone")
		}
	})
}

// FuzzIntent reads its input as the note of a renewal. Whatever it holds, it
// never says that nothing was sent: it is the note of another token, or this one
// was presented at least once.
func FuzzIntent(f *testing.F) {
	const token = "an HMAC"
	for _, count := range []string{"1", "0", "-1", "6", "1e1", "9223372036854775807", "-9223372036854775808", "1.5", `"1"`, "null"} {
		for _, answered := range []string{"0", "1", "-1"} {
			f.Add([]byte(`{"version":1,"generation":3,"token":"`+token+`","count":`+count+`,"answered":`+answered+`,"started_at":"2026-01-02T03:04:05Z","pid":7,"sender":"s","rescue":["/run/x"]}`), int64(0))
		}
	}
	for _, note := range []string{
		"", "{", "null", "[]", "\x00\x00", `{"version":2,"token":"an HMAC","count":1}`, `{"version":1,"token":"","count":1}`, `{"version":1,"token":"another HMAC","count":1}`,
		`{"version":1,"token":"an HMAC","count":1,"started_at":"9999-12-31T23:59:59Z"}`, `{"version":1,"token":"an HMAC","count":2,"started_at":"0001-01-01T00:00:00Z"}`,
	} {
		f.Add([]byte(note), int64(1<<40))
	}
	f.Fuzz(func(t *testing.T, note []byte, expires int64) {
		i := parseIntent(note)
		a := i.attempt(token)
		if i.Token != "" && i.Token != token {
			if a != (Attempt{}) {
				t.Fatalf("%q, of another token, says %+v", note, a)
			}
			return
		}
		if !a.Doubtful() || a.Count < 0 || a.Answered < 0 || a.Ambiguous != (a.Count > 0) {
			t.Fatalf("%q says %+v", note, a)
		}
		now := time.Unix(1_800_000_000, 0)
		expiry := now.Add(time.Duration(expires % int64(31*24*time.Hour)))
		if at := a.NotBefore(now, expiry); at.After(now.Add(time.Minute+31*24*time.Hour)) || a.Ambiguous && a.Count > 1 && at.Before(a.Last) && !a.Last.After(now) {
			t.Fatalf("%q of %v may be presented at %v", note, a.Last, at)
		}
	})
}

// BenchmarkStore measures how long an answer is only in memory, and what a
// whole renewal costs apart from the network.
func BenchmarkStore(b *testing.B) {
	v := onFiles(b)
	s := &server{}
	if err := login(b.Context(), v, s); err != nil {
		b.Fatal(err)
	}
	raw := bytes.Repeat([]byte("x"), 2048)
	for b.Loop() {
		b.StopTimer()
		h := hold(b, v)
		if _, err := h.Begin(token(s.issued)); err != nil {
			b.Fatal(err)
		}
		s.issued++
		b.StartTimer()
		if err := h.Store(Record{RefreshToken: token(s.issued), Raw: raw}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		h.Release()
		b.StartTimer()
	}
}

// BenchmarkRead measures what every look at a token costs.
func BenchmarkRead(b *testing.B) {
	v := onFiles(b)
	if err := login(b.Context(), v, &server{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := v.Read(account); err != nil {
			b.Fatal(err)
		}
	}
}
