package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/99designs/keyring"
)

// put writes a file of the account, durably.
func put(tb testing.TB, d disk, name string, data []byte) {
	tb.Helper()
	root, err := d.open("/vault", true)
	if err != nil {
		tb.Fatal(err)
	}
	dir, err := root.sub(account, true)
	if err != nil {
		tb.Fatal(err)
	}
	if err := errors.Join(removeAny(dir, name), writeNew(dir, name, data), dir.sync()); err != nil {
		tb.Fatal(err)
	}
}

func files(tb testing.TB, d disk) []string {
	tb.Helper()
	dir, err := d.open("/vault/"+account, false)
	if err != nil {
		tb.Fatal(err)
	}
	names, err := dir.names()
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func sealed(tb testing.TB, s *sealer, e entry) []byte {
	tb.Helper()
	data, err := s.sealEntry(account, e)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func generationOf(n uint64, family string, parent origin) entry {
	return entry{Record: Record{Generation: n, RefreshToken: token(int(n))}, family: family, parent: parent}
}

func TestRecoveryChoosesTheNewestRecordOfTheSameHistory(t *testing.T) {
	seals := testSeals(t)
	five := sealed(t, seals, generationOf(5, "a", origin{"a", 4}))
	six := sealed(t, seals, generationOf(6, "a", origin{"a", 5}))
	sixLogin := sealed(t, seals, generationOf(6, "b", origin{"a", 5}))
	nineForeign := sealed(t, seals, generationOf(9, "c", origin{"c", 8}))
	otherStore := sealed(t, testSeals(t), generationOf(6, "a", origin{"a", 5}))
	cut := six[:len(six)-1]
	flipped := slices.Clone(five)
	flipped[len(flipped)-1] ^= 1
	reserved := make([]byte, 4096)
	impossible := slices.Clone(five)
	binary.BigEndian.PutUint64(impossible[offGeneration:], math.MaxUint64)

	for _, tt := range []struct {
		name                 string
		cred, tmp, new, prev []byte
		want                 uint64
		err                  error
	}{
		{"cred alone", five, nil, nil, nil, 5, nil},
		{"a newer one written aside", five, six, nil, nil, 6, nil},
		{"a newer one written after the disk refused", five, reserved, six, nil, 6, nil},
		{"a login over it", five, sixLogin, nil, nil, 6, nil},
		{"an older one aside", six, five, nil, nil, 6, nil},
		{"an empty reservation", five, reserved, nil, nil, 5, nil},
		{"a cut one aside", five, cut, nil, nil, 5, nil},
		{"one of another history", five, nineForeign, nil, nil, 5, nil},
		{"one of another vault", five, otherStore, nil, nil, 5, nil},
		{"a first login, killed before the rename", nil, six, nil, nil, 6, nil},
		{"a damaged cred and a newer one", flipped, six, nil, nil, 6, nil},
		{"a damaged cred and an older one", flipped, sealed(t, seals, generationOf(4, "a", origin{})), nil, nil, 0, ErrUnreadable},
		{"a cred whose header is damaged, and a newer one", impossible, six, nil, nil, 6, nil},
		{"a damaged cred", flipped, nil, nil, nil, 0, ErrUnreadable},
		{"a damaged cred and the one before it", flipped, nil, nil, five, 0, ErrUnreadable},
		{"an empty cred", []byte{}, nil, nil, nil, 0, ErrUnreadable},
		{"cred of another vault", otherStore, nil, nil, nil, 0, ErrUnreadable},
		{"nothing", nil, nil, nil, nil, 0, ErrNotFound},
		{"a reservation alone", nil, reserved, nil, nil, 0, ErrNotFound},
		{"only the one before", nil, nil, nil, five, 0, ErrNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newMemDisk()
			v := onDisk(t, d, seals)
			for name, data := range map[string][]byte{credName: tt.cred, tmpName: tt.tmp, newName: tt.new, prevName: tt.prev} {
				if data != nil {
					put(t, d, name, data)
				}
			}
			unlocked, err := v.Read(account)
			if unlocked.Generation != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("without the lock: %v, %v", unlocked, err)
			}
			h, err := v.Lock(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			defer h.Release()
			locked, err := h.Read()
			if locked.Generation != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("under the lock: %v, %v", locked, err)
			}
			if tt.want == 0 {
				return
			}
			// It is where it belongs now, for whoever reads cred alone.
			data, err := h.dir.read(credName)
			if err != nil {
				t.Fatal(err)
			}
			if e, err := seals.unsealEntry(account, data); err != nil || e.Generation != tt.want {
				t.Errorf("cred holds %v, %v", e, err)
			}
		})
	}
}

func TestI7UnreadableRecordsAreKept(t *testing.T) {
	seals := testSeals(t)
	bad := sealed(t, seals, generationOf(5, "a", origin{"a", 4}))
	bad[len(bad)-1] ^= 1
	kept := func(t *testing.T, d *memDisk) {
		t.Helper()
		dir, err := d.open("/vault/"+account, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files(t, d) {
			if strings.HasPrefix(name, badName) {
				if data, err := dir.read(name); err == nil && slices.Equal(data, bad) {
					return
				}
			}
		}
		t.Errorf("the unreadable record is gone: %v", files(t, d))
	}

	t.Run("a login replaces it", func(t *testing.T) {
		d := newMemDisk()
		put(t, d, credName, bad)
		v := onDisk(t, d, seals)
		h, err := v.Lock(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
		if _, err := h.Begin(token(5)); !errors.Is(err, ErrNotFound) {
			t.Errorf("a token of an unreadable record may be presented: %v", err)
		}
		if err := h.Store(Record{RefreshToken: token(1)}); err != nil {
			t.Fatal(err)
		}
		r, err := v.Read(account)
		if err != nil || r.Generation != 6 { // above what the damaged header says
			t.Errorf("got %v, %v", r, err)
		}
		kept(t, d)
	})
	t.Run("a recovered one replaces it", func(t *testing.T) {
		d := newMemDisk()
		put(t, d, credName, bad)
		put(t, d, tmpName, sealed(t, seals, generationOf(6, "a", origin{"a", 5})))
		h, err := onDisk(t, d, seals).Lock(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		defer h.Release()
		if r, err := h.Read(); err != nil || r.Generation != 6 {
			t.Errorf("got %v, %v", r, err)
		}
		kept(t, d)
	})
	t.Run("a login that the disk refuses at first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newMemDisk()
			put(t, d, credName, bad)
			v := onDisk(t, d, seals)
			defer v.Close()
			d.setHook(func(op string) error {
				if strings.HasPrefix(op, "rename") {
					return syscall.EIO
				}
				return nil
			})
			if err := login(t.Context(), v, &server{}); !errors.Is(err, ErrUnsaved) {
				t.Fatal(err)
			}
			d.setHook(nil)
			if err := v.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			kept(t, d)
		})
	})
}

// The record before is within reach until the new one has been read back.
func TestTheRecordBeforeIsLinkedUntilTheNewOneIsRead(t *testing.T) {
	seals := testSeals(t)
	d, s := newMemDisk(), &server{}
	v := onDisk(t, d, seals)
	if err := login(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	d.setHook(func(op string) error {
		if op == "rename cred.tmp cred" || op == "sync folder /vault/"+account && s.issued == 2 {
			if !slices.Contains(files(t, d), prevName) {
				t.Errorf("before %q there is no %s: %v", op, prevName, files(t, d))
			}
		}
		return nil
	})
	if err := renew(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	if got, want := files(t, d), []string{credName}; !slices.Equal(got, want) {
		t.Errorf("a renewal leaves %v, want %v", got, want)
	}
}

func TestRecoveryOnADiskThatRefuses(t *testing.T) {
	seals := testSeals(t)
	const noRename = 20 // one error at each of the steps before, and then for good
	for n := range noRename + 1 {
		d, s := newMemDisk(), &server{}
		v := onDisk(t, d, seals)
		if err := login(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		// A renewal is killed with its answer durable in cred.tmp.
		d.setHook(func(op string) error {
			if op == "link cred cred.prev" {
				panic(killed{})
			}
			return nil
		})
		if dead, _ := run(func() error { return renew(t.Context(), v, s) }); !dead {
			t.Fatal("it was not killed")
		}
		d = d.afterKill()
		s.floor = func() int { return durable(d, seals) }
		nth := n
		d.setHook(func(op string) error {
			if nth--; nth == -1 || n == noRename && strings.HasPrefix(op, "rename") {
				return syscall.EIO
			}
			return nil
		})
		v = onDisk(t, d, seals)
		if r, err := v.Read(account); err != nil || r.Generation != 2 {
			t.Fatalf("read %v, %v", r, err)
		}
		_ = renew(t.Context(), v, s)
		d.setHook(nil)
		if got := min(durable(d, seals), generation(t, d.afterKill(), seals)); got < 2 {
			t.Fatalf("an error at step %d of the recovery: generation %d is left", n, got)
		}
		if err := renew(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		if len(s.stale) > 0 {
			t.Fatal(s.stale)
		}
	}
}

func TestI2BeginRefusesWhatIsNotInForce(t *testing.T) {
	d, s := newMemDisk(), &server{}
	v := onDisk(t, d, testSeals(t))
	if err := errors.Join(login(t.Context(), v, s), renew(t.Context(), v, s)); err != nil {
		t.Fatal(err)
	}
	h, err := v.Lock(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	for _, refreshToken := range []string{token(1), token(3), "", token(2) + " "} {
		if _, err := h.Begin(refreshToken); !errors.Is(err, ErrSuperseded) {
			t.Errorf("%q may be presented: %v", refreshToken, err)
		}
	}
	if slices.Contains(files(t, d), intentName) {
		t.Error("a refused presentation is on record")
	}
	if _, err := h.Begin(token(2)); err != nil {
		t.Error(err)
	}
}

// counter is a log handler that counts.
type counter struct {
	slog.Handler
	n *int
}

func (c counter) Handle(context.Context, slog.Record) error { *c.n++; return nil }
func (c counter) Enabled(context.Context, slog.Level) bool  { return true }

func TestI5StoreTouchesOnlyTheDisk(t *testing.T) {
	d, s := newMemDisk(), &server{}
	logged, asked := 0, 0
	v, err := openOn(Options{
		Dir: "/vault", Log: slog.New(counter{slog.DiscardHandler, &logged}),
		OpenKeyring: func(keyring.Config) (keyring.Keyring, error) { asked++; return nil, keyring.ErrNoAvailImpl },
	}, d)
	if err != nil {
		t.Fatal(err)
	}
	v.seals, v.state = testSeals(t), KeyOK
	if err := login(t.Context(), v, s); err != nil {
		t.Fatal(err)
	}
	h, err := v.Lock(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Release()
	if _, err := h.Begin(token(1)); err != nil {
		t.Fatal(err)
	}
	d.trace, logged = nil, 0
	locks := len(d.locks)
	d.setHook(func(op string) error {
		if op == "link cred cred.prev" && (logged > 0 || asked > 0 || len(d.locks) != locks) {
			t.Errorf("before the record was durable: %d logs, %d keyrings, %d locks", logged, asked, len(d.locks))
		}
		return nil
	})
	if err := h.Store(Record{RefreshToken: token(2)}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"write cred.tmp", "truncate cred.tmp", "sync cred.tmp", // durable
		"remove cred.prev", "link cred cred.prev", "rename cred.tmp cred", "sync folder /vault/" + account, // committed
		"remove intent", "remove intent.next", "remove cred.prev", "remove cred.tmp", "remove cred.new",
	}
	if !slices.Equal(d.trace, want) {
		t.Errorf("Store did\n%q, want\n%q", d.trace, want)
	}
}

// TestALoginReplacesACredOfAnImpossibleGeneration has a header that says of itself
// that nothing can come after it.
func TestALoginReplacesACredOfAnImpossibleGeneration(t *testing.T) {
	seals := testSeals(t)
	for _, generation := range []uint64{math.MaxUint64, math.MaxUint64 - 1, maxGeneration + 1, maxGeneration} {
		d := newMemDisk()
		v := onDisk(t, d, seals)
		data := sealed(t, seals, generationOf(5, "a", origin{"a", 4}))
		binary.BigEndian.PutUint64(data[offGeneration:], generation)
		put(t, d, credName, data)
		if err := login(t.Context(), v, &server{}); err != nil {
			t.Errorf("after generation %d: %v", generation, err)
		}
		want := uint64(1)
		if generation == maxGeneration { // it may be
			want += generation
		}
		if r, err := v.Read(account); err != nil || r.Generation != want {
			t.Errorf("after generation %d: %v, %v", generation, r, err)
		}
	}
}
