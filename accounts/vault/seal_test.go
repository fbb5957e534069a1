package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func fullEntry() entry {
	return entry{
		Record: Record{
			Generation: 7, Provider: "p", Identity: "i", Label: "wörk", Email: "e@x", Org: "o", Plan: "max", Order: 3, Paused: true, For: "a-1", Unproven: true,
			TokenURL: "https://t.example/token", LoggedInAt: time.Unix(1, 0).UTC(), ReceivedAt: time.Unix(2, 5).UTC(),
			RefreshToken: "r\xff\x00\n\"", Raw: []byte("{\"refresh_token\":\"r\"}\xff"),
		},
		family: "f", parent: origin{"e", 6},
	}
}

func TestARecordComesBackAsItWas(t *testing.T) {
	s := testSeals(t)
	want := fullEntry()
	data := sealed(t, s, want)
	for _, padding := range []int{0, 1, 4096} {
		got, err := s.unsealEntry(account, append(slices.Clone(data), make([]byte, padding)...))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("with %d bytes after it: %+v, %v", padding, got.parent, err)
		}
	}
	if bytes.Contains(data, []byte("t.example")) || bytes.Equal(data, sealed(t, s, want)) {
		t.Error("the record is not sealed, or twice with one nonce")
	}
}

// TestARecordOfAnEarlierVersion lacks what came later.
func TestARecordOfAnEarlierVersion(t *testing.T) {
	s := testSeals(t)
	got, err := s.unsealEntry(account, s.seal(account, 7, []byte(`{"family":"f","provider":"p","label":"work","order":2,"refresh":"cg=="}`)))
	if err != nil || got.Paused || got.For != "" || got.Unproven || got.Label != "work" || got.Order != 2 || got.RefreshToken != "r" {
		t.Errorf("it is labelled %q, number %d, paused %v, %v", got.Label, got.Order, got.Paused, err)
	}
}

func TestNoBitOfARecordCanBeChanged(t *testing.T) {
	s := testSeals(t)
	data := sealed(t, s, generationOf(1, "f", origin{}))
	for i := range len(data) * 8 {
		changed := slices.Clone(data)
		changed[i/8] ^= 1 << (i % 8)
		if _, err := s.unsealEntry(account, changed); err == nil {
			t.Fatalf("bit %d of byte %d is not covered", i%8, i/8)
		}
	}
	for n := range data {
		if _, err := s.unsealEntry(account, data[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes are a record", n, len(data))
		}
	}
}

func TestARecordIsOfOneAccountAndOneVault(t *testing.T) {
	st, key, err := newStore()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSealer(key, st.id())
	if err != nil {
		t.Fatal(err)
	}
	data := sealed(t, s, fullEntry())
	if _, err := s.unsealEntry("acct-2", data); err == nil {
		t.Error("another account's record is taken")
	}
	// The same key in another store is another key.
	other := st.id()
	other[0] ^= 1
	o, err := newSealer(key, other)
	if err != nil {
		t.Fatal(err)
	}
	moved := slices.Clone(data)
	copy(moved[offStore:], other[:])
	for name, data := range map[string][]byte{"as it is": data, "renamed": moved} {
		if _, err := o.unsealEntry(account, data); err == nil {
			t.Errorf("another vault's record is taken, %s", name)
		}
	}
	if o.check == s.check || o.token("x") == s.token("x") {
		t.Error("two stores derive the same from one key")
	}
}

func TestARecordPrintsNoToken(t *testing.T) {
	const canary = "canary-refresh-token"
	r := Record{Generation: 3, RefreshToken: canary, Raw: []byte(canary)}
	e := entry{Record: r}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "record", r)
	for _, out := range []string{
		fmt.Sprint(r), fmt.Sprintf("%v %+v %#v %s %q", r, r, r, r, r), fmt.Sprintf("%v %+v %#v", &r, e, &e), log.String(),
	} {
		if strings.Contains(out, canary) || strings.Contains(out, "99 97 110") {
			t.Errorf("it prints %s", out)
		}
	}
}

func TestALengthThatIsNotThereCostsNothing(t *testing.T) {
	s := testSeals(t)
	data := sealed(t, s, fullEntry())
	binary.BigEndian.PutUint32(data[offLength:], 1<<32-1)
	cost := allocated(func() {
		if _, err := s.unsealEntry(account, data); err == nil {
			t.Error("it is a record")
		}
	})
	if cost > 4*len(data)+4096 {
		t.Errorf("to refuse %d bytes, %d were allocated", len(data), cost)
	}
}

// allocated returns how many bytes f has allocated, whether or not it kept them.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

func FuzzUnseal(f *testing.F) {
	var store [storeSize]byte
	copy(store[:], "a store of tests")
	s, err := newSealer(bytes.Repeat([]byte{7}, keySize), store)
	if err != nil {
		f.Fatal(err)
	}
	good := sealed(f, s, fullEntry())
	f.Add(good, uint16(0), byte(0))
	for _, at := range []int{0, 3, offVersion, offStore, offStore + 15, offGeneration, offGeneration + 7, offLength, offLength + 1, offLength + 3, headerSize, headerSize + 23, headerSize + 24, len(good) - 1} {
		f.Add(good, uint16(at), byte(1))
		f.Add(good, uint16(at), byte(0xff))
	}
	for _, n := range []int{0, 1, 4, 5, offStore, headerSize, headerSize + 24, sealOverhead - 1, sealOverhead, len(good) - 1} {
		f.Add(good[:n], uint16(0), byte(0))
	}
	huge := slices.Clone(good)
	binary.BigEndian.PutUint32(huge[offLength:], 1<<32-1)
	f.Add(huge, uint16(0), byte(0))
	f.Add(append(slices.Clone(good), make([]byte, 1000)...), uint16(0), byte(0))
	f.Add([]byte("OMXV\x01"+strings.Repeat("\x00", 100)), uint16(0), byte(0))

	f.Fuzz(func(t *testing.T, data []byte, at uint16, flip byte) {
		data = slices.Clone(data)
		if len(data) > 0 {
			data[int(at)%len(data)] ^= flip
		}
		var e entry
		var err error
		cost := allocated(func() { e, err = s.unsealEntry(account, data) })
		if err == nil && !reflect.DeepEqual(e, fullEntry()) {
			t.Fatalf("it took %x for a record", data)
		}
		if cost > 4*len(data)+16<<10 { // the entry itself, and what decoding one takes at any size
			t.Fatalf("for %d bytes, %d were allocated", len(data), cost)
		}
		peek(data)
	})
}
