package vault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

const account = "acct-1"

// onDisk returns a vault as a process would open it, with the key in hand.
func onDisk(tb testing.TB, d disk, seals *sealer) *Vault {
	tb.Helper()
	v, err := openOn(Options{Dir: "/vault", Memory: true, Rescue: []string{"/rescue"}}, d)
	if err != nil {
		tb.Fatal(err)
	}
	v.seals, v.state = seals, KeyOK
	return v
}

func testSeals(tb testing.TB) *sealer {
	tb.Helper()
	s, key, err := newStore()
	if err != nil {
		tb.Fatal(err)
	}
	seals, err := newSealer(key, s.id())
	if err != nil {
		tb.Fatal(err)
	}
	return seals
}

// server issues one token after the other. Asked again with the one before the
// newest it repeats its answer, as a server within its grace does.
type server struct {
	issued int
	stale  []string // presentations of tokens that were superseded on disk
	floor  func() int
	asked  func(refreshToken string)
}

func token(n int) string { return fmt.Sprintf("refresh-%d", n) }

func (s *server) present(refreshToken string) string {
	var n int
	if _, err := fmt.Sscanf(refreshToken, "refresh-%d", &n); err != nil {
		panic(err)
	}
	if s.floor != nil && n < s.floor() {
		s.stale = append(s.stale, fmt.Sprintf("%d presented, %d was durable", n, s.floor()))
	}
	if s.asked != nil {
		s.asked(refreshToken)
	}
	s.issued = max(s.issued, n+1)
	return token(n + 1)
}

// login stores the first token.
func login(ctx context.Context, v *Vault, s *server) error {
	h, err := v.Lock(ctx, account)
	if err != nil {
		return err
	}
	defer h.Release()
	if err := h.Prepare(); err != nil {
		return err
	}
	s.issued = max(s.issued, 1)
	return h.Store(Record{Provider: "p", Label: "work", RefreshToken: token(1), Raw: []byte(`{"n":1}`)})
}

// renew presents the token in force and stores its successor.
func renew(ctx context.Context, v *Vault, s *server) error {
	h, err := v.Lock(ctx, account)
	if err != nil {
		return err
	}
	defer h.Release()
	r, err := h.Read()
	if err != nil {
		return err
	}
	if _, err := h.Begin(r.RefreshToken); err != nil {
		return err
	}
	r.Generation = 0
	r.RefreshToken = s.present(r.RefreshToken)
	return h.Store(r)
}

// run calls f and reports whether the process was killed in it.
func run(f func() error) (dead bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			dead = true
		}
	}()
	return false, f()
}

// killAt has the process die before its n-th change of the disk.
func killAt(d *memDisk, n int) {
	d.setHook(func(string) error {
		if n--; n < 0 {
			panic(killed{})
		}
		return nil
	})
}

// generation is what a process that starts on this disk reads.
func generation(t *testing.T, d *memDisk, seals *sealer) int {
	t.Helper()
	r, err := onDisk(t, d, seals).Read(account)
	if errors.Is(err, ErrNotFound) {
		return 0
	}
	if err != nil {
		t.Fatalf("the record cannot be read: %v", err)
	}
	if want := token(int(r.Generation)); r.RefreshToken != want {
		t.Fatalf("generation %d has %q", r.Generation, r.RefreshToken)
	}
	return int(r.Generation)
}

// durable is the newest generation that would survive a power loss now. It
// looks for itself, and does not ask the code under test.
func durable(d *memDisk, seals *sealer) int {
	newest := 0
	for _, dir := range d.afterPowerLoss(nil).dirs {
		for _, node := range dir.live {
			if e, err := seals.unsealEntry(account, node.live); err == nil {
				newest = max(newest, int(e.Generation))
			}
		}
	}
	return newest
}

func TestI2I4I7KilledAtEveryStep(t *testing.T) {
	seals := testSeals(t)
	var steps int
	for n := 0; ; n++ {
		d, s := newMemDisk(), &server{}
		s.floor = func() int { return durable(d, seals) }
		killAt(d, n)
		dead, err := run(func() error {
			v := onDisk(t, d, seals)
			return errors.Join(login(t.Context(), v, s), renew(t.Context(), v, s), renew(t.Context(), v, s))
		})
		if err != nil {
			t.Fatal(err)
		}
		floor := s.floor()
		// The next process is killed as well, at every step of its own.
		for m := 0; ; m++ {
			d := d.afterKill()
			if got := generation(t, d, seals); got < floor {
				t.Fatalf("killed at step %d (%v): generation %d is left of %d", n, d.trace, got, floor)
			}
			s := &server{issued: s.issued, floor: func() int { return durable(d, seals) }}
			killAt(d, m)
			deadAgain, err := run(func() error { return afterwards(t, d, s, seals) })
			if err != nil {
				t.Fatalf("killed at step %d, then at %d: %v", n, m, err)
			}
			last := d.afterKill()
			if got := generation(t, last, seals); got < floor {
				t.Fatalf("killed at step %d, then at %d: generation %d is left of %d", n, m, got, floor)
			}
			if err := afterwards(t, last, s, seals); err != nil {
				t.Fatalf("killed at step %d, then at %d: %v", n, m, err)
			}
			if len(s.stale) > 0 {
				t.Fatalf("killed at step %d, then at %d: %v", n, m, s.stale)
			}
			if !deadAgain {
				break
			}
		}
		if !dead {
			steps = n
			break
		}
	}
	if steps < 30 {
		t.Errorf("only %d steps: the disk is not asked as it was", steps)
	}
}

// afterwards is what a process does that finds the disk: log in if nothing is
// there, else renew.
func afterwards(t *testing.T, d *memDisk, s *server, seals *sealer) error {
	t.Helper()
	v := onDisk(t, d, seals)
	if _, err := v.Read(account); errors.Is(err, ErrNotFound) {
		return login(t.Context(), v, s)
	}
	return renew(t.Context(), v, s)
}

func TestI2I4PowerLostAtEveryStep(t *testing.T) {
	const images = 40 // of the disk, at each step
	seals := testSeals(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	d, s := newMemDisk(), &server{}
	floor := 0
	look := func(when string) {
		least := durable(d, seals)
		for range images {
			image := d.afterPowerLoss(rnd)
			got := generation(t, image, seals)
			if got < floor {
				t.Fatalf("power lost before %q: generation %d is left of %d", when, got, floor)
			}
			least = min(least, got)
			if err := afterwards(t, image, &server{}, seals); err != nil {
				t.Fatalf("power lost before %q: %v", when, err)
			}
		}
		floor = max(floor, least)
	}
	// Whoever finds the disk after a token was sent knows that it was.
	s.asked = func(refreshToken string) {
		for range images {
			h, err := onDisk(t, d.afterPowerLoss(rnd), seals).Lock(t.Context(), account)
			if err != nil {
				t.Fatal(err)
			}
			if earlier, err := h.Earlier(refreshToken); err != nil || earlier.Count != 1 || !earlier.Mine {
				t.Fatalf("power lost while %s was presented: the next process knows %+v of it, %v", refreshToken, earlier, err)
			}
			h.Release()
		}
	}
	d.setHook(func(op string) error { look(op); return nil })
	v := onDisk(t, d, seals)
	for want := 1; want <= 3; want++ {
		do := renew
		if want == 1 {
			do = login
		}
		if err := do(t.Context(), v, s); err != nil {
			t.Fatal(err)
		}
		// Once Store has returned, no image may lack it.
		if look("the end"); floor != want {
			t.Fatalf("after record %d was stored, only %d was durable", want, floor)
		}
	}
}

func TestI4EveryDiskErrorAtEveryStep(t *testing.T) {
	seals := testSeals(t)
	inVault := func(op string) bool {
		return !strings.Contains(op, rescueSuffix) && !strings.HasSuffix(op, " /rescue")
	}
	for _, kind := range []struct {
		name  string
		fault func(nth *int, op string) error
	}{
		{"once", func(nth *int, _ string) error {
			if *nth--; *nth == -1 {
				return syscall.EIO
			}
			return nil
		}},
		{"half a write", func(nth *int, _ string) error {
			if *nth--; *nth == -1 {
				return errHalf
			}
			return nil
		}},
		{"from there on, in the vault", func(nth *int, op string) error {
			if *nth--; *nth < 0 && inVault(op) {
				return syscall.ENOSPC
			}
			return nil
		}},
		{"from there on, everywhere", func(nth *int, _ string) error {
			if *nth--; *nth < 0 {
				return syscall.EROFS
			}
			return nil
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			var stored, refused, unsaved int
			for n := 0; ; n++ {
				synctest.Test(t, func(t *testing.T) {
					d, s := newMemDisk(), &server{}
					v := onDisk(t, d, seals)
					defer v.Close()
					if err := errors.Join(login(t.Context(), v, s), renew(t.Context(), v, s)); err != nil {
						t.Fatal(err)
					}
					nth := n
					d.setHook(func(op string) error { return kind.fault(&nth, op) })
					err := renew(t.Context(), v, s)
					got, readErr := v.Read(account)
					if readErr != nil || int(got.Generation) != s.issued {
						t.Fatalf("step %d: the server issued %d, %v is read, %v", n, s.issued, got, readErr)
					}
					switch {
					case err == nil:
						stored++
						if s.issued != 3 {
							t.Fatalf("step %d: success, and nothing was presented", n)
						}
					case errors.Is(err, ErrUnsaved) && s.issued == 3:
						unsaved++
						if !slices.Equal(v.Unsaved(), []string{account}) {
							t.Fatalf("step %d: unsaved are %v", n, v.Unsaved())
						}
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						defer cancel()
						if _, err := v.Lock(ctx, account); !errors.Is(err, ErrBusy) {
							t.Fatalf("step %d: the lock of an unsaved record was had: %v", n, err)
						}
					case s.issued == 2:
						refused++
					default:
						t.Fatalf("step %d: %v, after the server issued %d", n, err, s.issued)
					}
					if got := generation(t, d.afterKill(), seals); got < s.issued && (err == nil || kind.name != "from there on, everywhere") {
						t.Fatalf("step %d: the next process reads %d of %d", n, got, s.issued)
					}
					d.setHook(nil)
					if err := v.Flush(t.Context()); err != nil {
						t.Fatal(err)
					}
					if got := generation(t, d.afterPowerLoss(nil), seals); got != s.issued {
						t.Fatalf("step %d: with the disk well again, %d of %d is durable", n, got, s.issued)
					}
					if err := renew(t.Context(), v, s); err != nil {
						t.Fatalf("step %d: the renewal after that: %v", n, err)
					}
					if nth >= 0 {
						n = -1 // the fault came too late to happen
					}
				})
				if n < 0 {
					break
				}
			}
			if stored == 0 || refused == 0 || unsaved == 0 && strings.HasPrefix(kind.name, "from") {
				t.Errorf("stored %d, refused %d, unsaved %d: some outcome never came", stored, refused, unsaved)
			}
		})
	}
}
