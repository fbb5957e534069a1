package vault

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// seedVariable repeats the run whose seed a failure has named.
const seedVariable = "OAUTHMUX_TEST_SEED"

// seedOf returns the seed of a run: another one each time, which a failure names.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if asked := os.Getenv(seedVariable); asked != "" {
		var err error
		if seed, err = strconv.ParseUint(asked, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	return seed
}

// sector is what a disk writes whole or not at all.
const sector = 64 // records are small here

// afterPowerLossBySector is afterPowerLoss on a disk that writes the sectors of a
// file in any order: each of them is old, new, or one of zeros, as where a file
// grew and what it grew by was not written.
func (d *memDisk) afterPowerLossBySector(rnd *rand.Rand) *memDisk {
	return d.image(func(ops int) []bool {
		some := make([]bool, ops)
		for i := range some {
			some[i] = rnd.IntN(2) == 0
		}
		return some
	}, func(n *memNode) []byte {
		if slices.Equal(n.live, n.durable) {
			return n.durable
		}
		mixed := make([]byte, max(len(n.live), len(n.durable)))
		for at := 0; at < len(mixed); at += sector {
			from := [][]byte{n.live, n.durable}[rnd.IntN(2)]
			if at < len(from) && (len(n.durable) > at || rnd.IntN(4) > 0) {
				copy(mixed[at:min(at+sector, len(mixed))], from[at:])
			}
		}
		return mixed
	})
}

// losingPower plays one history of an account until the power fails, some times
// over. Each life of the machine does a few renewals, on a disk that may refuse
// something now and then, and ends at a random change of the disk.
type losingPower struct {
	t      *testing.T
	rnd    *rand.Rand
	seals  *sealer
	disk   *memDisk
	before *memDisk // the one that the last life had
	server *server
	floor  int  // the newest token that was ever durable
	synced bool // since floor was looked at

	images, kills, refused, unsaved, torn int
}

// look notes what is durable now.
func (p *losingPower) look() int {
	found := p.disk.afterPowerLoss(nil)
	for _, dir := range found.dirs {
		maps.DeleteFunc(dir.durable, func(name string, _ *memNode) bool {
			// On its way to a name that recovery knows; what it is a copy of may be there.
			return name == homeName || strings.HasSuffix(name, rescueNext)
		})
	}
	p.floor = max(p.floor, durable(found, p.seals))
	return p.floor
}

// life runs until the power fails, and leaves the disk as it is found then.
func (p *losingPower) life() {
	p.before = p.disk
	v := onDisk(p.t, p.disk, p.seals)
	defer v.Close() // frees the goroutine that would save what the disk refused
	steps := p.rnd.IntN(70)
	faulty := p.rnd.IntN(3) == 0
	p.disk.setHook(func(op string) error {
		if p.synced { // what a sync has made durable counts from its end on
			p.look()
		}
		p.synced = strings.HasPrefix(op, "sync")
		switch steps--; {
		case steps < 0:
			panic(killed{})
		case faulty && p.rnd.IntN(12) == 0:
			return []error{syscall.EIO, syscall.ENOSPC, errHalf}[p.rnd.IntN(3)]
		}
		return nil
	})
	dead, err := run(func() error {
		for {
			err := renewOrLogin(p.t, v, p.server)
			if errors.Is(err, ErrUnsaved) || errors.Is(err, ErrLostResponse) {
				return err
			}
			if err != nil && !faulty {
				return err
			}
		}
	})
	switch {
	case dead:
	case errors.Is(err, ErrUnsaved):
		p.unsaved++ // and the power fails before the disk has recovered
	default:
		p.t.Fatalf("on a disk that refuses nothing: %v", err)
	}
	if faulty {
		p.refused++
	}
	p.look()
	p.disk.setHook(nil)
	switch p.rnd.IntN(5) {
	case 0: // only the process ends: what was not synced is there, and is not durable
		p.kills++
		clear(p.disk.locks)
	case 1, 2:
		p.images++
		p.torn++
		p.disk = p.disk.afterPowerLossBySector(p.rnd)
	default:
		p.images++
		p.disk = p.disk.afterPowerLoss(p.rnd)
	}
}

// renewOrLogin logs in where nothing is, else renews.
func renewOrLogin(t *testing.T, v *Vault, s *server) error {
	t.Helper()
	if _, err := v.Read(account); errors.Is(err, ErrNotFound) {
		return login(t.Context(), v, s)
	}
	return renew(t.Context(), v, s)
}

// TestC09_NoPowerLossLosesALogin kills the process, or lets the power fail, at random
// moments, several times in one history: every image that is found is one that the next life of the
// machine works with, and breaks in its turn. I4: nothing that was durable is lost.
// I2: no token is presented when a later one was ever durable.
func TestC09_NoPowerLossLosesALogin(t *testing.T) {
	t.Parallel()
	histories, lives, least := 250, 4, 200
	if testing.Short() {
		histories, least = 50, 40
	}
	seed, seals := seedOf(t), testSeals(t)
	var sum losingPower
	for n := range histories {
		synctest.Test(t, func(t *testing.T) {
			p := &losingPower{t: t, rnd: rand.New(rand.NewPCG(seed, uint64(n))), seals: seals, disk: newMemDisk(), server: &server{}}
			p.server.floor = p.look
			for range lives {
				p.life()
				if _, err := onDisk(t, p.disk, seals).Read(account); err != nil && !errors.Is(err, ErrNotFound) {
					t.Fatalf("history %d: %v; the last life did %q", n, err, p.before.trace)
				}
				if got := generation(t, p.disk, seals); got < p.floor {
					t.Fatalf("history %d: generation %d is left of %d; the last life did %q", n, got, p.floor, p.before.trace)
				}
				if len(p.server.stale) > 0 {
					t.Fatalf("history %d: %v; the last life did %q", n, p.server.stale, p.before.trace)
				}
			}
			// The machine stays on: whatever was found, it is worked with.
			if err := renewOrLogin(t, onDisk(t, p.disk, seals), p.server); err != nil && !errors.Is(err, ErrLostResponse) {
				t.Fatalf("history %d: the renewal after all that: %v", n, err)
			}
			sum.images += p.images
			sum.kills += p.kills
			sum.refused += p.refused
			sum.unsaved += p.unsaved
			sum.torn += p.torn
			sum.floor += p.floor
		})
	}
	t.Logf("%d images, %d of them by the sector, and %d kills; %d lives on a disk that refused something, %d ended with an unsaved record; %d tokens were durable",
		sum.images, sum.torn, sum.kills, sum.refused, sum.unsaved, sum.floor)
	if sum.images < least || sum.unsaved == 0 || sum.refused == 0 || sum.floor < sum.images/2 {
		t.Errorf("some of what is to be tested never came: %+v", sum)
	}
}

// TestI4KilledAndThenThePowerLost kills a process at every step, and lets the power
// fail at every step of the one that comes after it: what the first had written, and
// not synced, can be read until then.
func TestI4KilledAndThenThePowerLost(t *testing.T) {
	seals, rnd := testSeals(t), rand.New(rand.NewPCG(3, 4))
	for n, dead := 0, true; dead; n++ {
		p := &losingPower{t: t, seals: seals, disk: newMemDisk(), server: &server{}}
		killAt(p.disk, n)
		var err error
		dead, err = run(func() error {
			v := onDisk(t, p.disk, seals)
			return errors.Join(login(t.Context(), v, p.server), renew(t.Context(), v, p.server))
		})
		if err != nil {
			t.Fatal(err)
		}
		clear(p.disk.locks)
		p.server.floor = p.look
		p.disk.setHook(func(op string) error {
			floor := p.look()
			for _, image := range []*memDisk{p.disk.afterPowerLoss(nil), p.disk.afterPowerLoss(rnd), p.disk.afterPowerLossBySector(rnd)} {
				if got := generation(t, image, seals); got < floor {
					t.Fatalf("killed at step %d, power lost before %q: generation %d is left of %d", n, op, got, floor)
				}
			}
			return nil
		})
		if err := renewOrLogin(t, onDisk(t, p.disk, seals), p.server); err != nil {
			t.Fatalf("killed at step %d: %v", n, err)
		}
		if len(p.server.stale) > 0 {
			t.Fatalf("killed at step %d: %v", n, p.server.stale)
		}
	}
}
