package history

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

func save(t *testing.T, s *Store, news map[accounts.ID]usage.Past, gone ...accounts.ID) {
	t.Helper()
	if err := s.Save(news, gone); err != nil {
		t.Fatal(err)
	}
}

// load is what another process finds.
func load(t *testing.T, path string) map[accounts.ID]usage.Past {
	t.Helper()
	all, err := New(path, nil).Load()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func filled(now time.Time) map[accounts.ID]usage.Past {
	week := series(now, 7)
	week.Name, week.Length, week.Scope = usage.SevenDay, 7*24*time.Hour, "opus"
	var tally usage.Tally
	tally.Add(now, 10*time.Minute, 3)
	tally.Add(now.Add(-time.Hour), 10*time.Minute, 70000)
	return map[accounts.ID]usage.Past{
		"a": {Series: []usage.Series{series(now, 5), week}, Tally: tally},
		"b": {Series: []usage.Series{series(now, 1)}},
		"c": {Tally: tally},
	}
}

func TestWhatIsSavedSurvives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	if all := load(t, path); len(all) != 0 {
		t.Errorf("before anything was saved: %v", all)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("to read made the file: %v", err)
	}
	want := filled(time.Now())
	s := New(path, nil)
	save(t, s, want)
	if got := load(t, path); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}

	// What comes is put behind what is there; an account that goes takes all with it.
	more := series(time.Now().Add(2*time.Minute), 2)
	save(t, s, map[accounts.ID]usage.Past{"b": {Series: []usage.Series{more}}}, "a", "nobody")
	got := load(t, path)
	if _, there := got["a"]; there || len(got) != 2 {
		t.Errorf("after a is gone: %+v", got)
	}
	if n := len(got["b"].Series[0].Readings); n != 3 {
		t.Errorf("b has %d readings, want 3", n)
	}
	if err := s.Forget("c"); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path); len(got) != 1 {
		t.Errorf("after c was forgotten: %+v", got)
	}
}

func TestForgetMakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	if err := New(path, nil).Forget("a"); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it made the file: %v", err)
	}
}

// A name that begins like another one is another account.
func TestOnlyTheOneThatIsGoneGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := New(path, nil)
	save(t, s, map[accounts.ID]usage.Past{"ab": {Series: []usage.Series{series(time.Now(), 1)}}, "a": {Series: []usage.Series{series(time.Now(), 1)}}})
	save(t, s, nil, "a")
	if got := load(t, path); len(got) != 1 || len(got["ab"].Series) != 1 {
		t.Errorf("left: %+v", got)
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := New(path, nil)
	now := time.Now()
	put := func(n usage.Series) []usage.Reading {
		save(t, s, map[accounts.ID]usage.Past{"a": {Series: []usage.Series{n}}})
		return load(t, path)["a"].Series[0].Readings
	}
	long := series(now.Add(-4*time.Hour), 200)
	if got := put(long); len(got) != 200 {
		t.Errorf("%d readings of 200", len(got))
	}
	if got := put(series(now.Add(-2*time.Hour), 100)); len(got) != maxReadings {
		t.Errorf("%d readings, want the newest %d", len(got), maxReadings)
	}
	got := put(series(now, 1))
	if oldest := got[0].At; now.Sub(oldest) > 5*time.Hour+time.Second || len(got) < 100 {
		t.Errorf("%d readings, the oldest from %v before: those of one window are enough", len(got), now.Sub(oldest))
	}
	if got := put(series(now.Add(-3*time.Hour), 1)); !got[len(got)-1].At.Equal(now.Add(-3 * time.Hour).UTC().Truncate(time.Millisecond)) {
		t.Errorf("after the clock was set back the newest is from %v", got[len(got)-1].At)
	}
}

func TestWhatIsOutOfDateGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	now := time.Now()
	var old usage.Tally
	old.Add(now.Add(-9*24*time.Hour), 10*time.Minute, 3)
	s := New(path, nil)
	s.pruned = now // today already
	save(t, s, map[accounts.ID]usage.Past{
		"old": {Series: []usage.Series{series(now.Add(-9*24*time.Hour), 3)}, Tally: old},
		"new": {Series: []usage.Series{series(now, 3)}},
		"not": {Series: []usage.Series{series(now.Add(24*time.Hour), 3)}}, // another clock's
	})
	if got := load(t, path); len(got["old"].Series) != 0 || len(got["not"].Series) != 0 || len(got["new"].Series) != 1 {
		t.Errorf("shown: %+v", got)
	}
	s = New(path, nil)
	save(t, s, nil)
	size := 0
	err := s.read(func(tx *bolt.Tx) error {
		for _, table := range [][]byte{readings, tallies} {
			each(tx, table, func(_, _ []byte) { size++ })
		}
		return nil
	})
	if err != nil || size != 1 {
		t.Errorf("%d records are left, %v; want 1", size, err)
	}
}

// A thousand accounts, each with all that can be kept of it.
func TestAThousandAccountsFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := New(path, nil)
	now := time.Now()
	random := rand.New(rand.NewPCG(1, 2))
	news := make(map[accounts.ID]usage.Past)
	for i := range 1000 {
		var past usage.Past
		for _, scope := range []string{"", "opus", "sonnet"} {
			one := series(now, maxReadings)
			one.Scope, one.Length = scope, 7*24*time.Hour
			for j := range one.Readings {
				one.Readings[j].Used = random.Float64()
			}
			past.Series = append(past.Series, one)
		}
		past.Tally.Add(now, time.Minute, i+1)
		news[accounts.ID(fmt.Sprintf("account-%04d", i))] = past
	}
	for range 3 { // pages that are free are used again
		save(t, s, news)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("1,000 accounts with 3 windows of %d readings take %.1f MiB", maxReadings, float64(info.Size())/(1<<20))
	if info.Size() > fileLimit/2 {
		t.Errorf("they take %d bytes", info.Size())
	}
	if got := load(t, path); len(got) != 1000 {
		t.Errorf("%d accounts are read back", len(got))
	}
}

// another starts this test binary as another process.
func another(t *testing.T, variable, path string) (said *bufio.Reader, end func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), variable+"="+path)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	end = func() {
		_ = c.Process.Kill()
		_ = in.Close()
		_ = c.Wait()
	}
	t.Cleanup(end)
	return bufio.NewReader(out), end
}

func TestAKilledWriterLeavesAReadableFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	for round := range 5 {
		said, kill := another(t, writerVariable, path)
		for range 3 + 7*round { // each time at another moment of a write
			line, err := said.ReadString('\n')
			if err != nil || strings.HasPrefix(line, "error") {
				t.Fatalf("round %d: the writer says %q, %v", round, line, err)
			}
		}
		kill()
		got := load(t, path)
		if len(got) != 1 || len(got["a"].Series) != 1 || len(got["a"].Series[0].Readings) < 3 {
			t.Fatalf("round %d: %+v", round, got)
		}
	}
	left, err := filepath.Glob(path + ".*")
	if err != nil || len(left) > 0 {
		t.Errorf("files beside it: %v, %v", left, err)
	}
}

func TestAFileThatSomebodyHoldsCostsAMoment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	s := New(path, nil)
	save(t, s, filled(time.Now()))
	said, release := another(t, holderVariable, path)
	if line, err := said.ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("the holder says %q, %v", line, err)
	}
	if _, err := s.Load(); !errors.Is(err, ErrBusy) {
		t.Errorf("Load: %v", err)
	}
	if err := s.Save(filled(time.Now()), nil); !errors.Is(err, ErrBusy) {
		t.Errorf("Save: %v", err)
	}
	release()
	if got := load(t, path); len(got) != 3 {
		t.Errorf("afterwards: %+v", got)
	}
	save(t, s, nil, "a")
}

func TestWithoutItsFolder(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "gone", "history.db"), nil)
	if all, err := s.Load(); err != nil || len(all) > 0 {
		t.Errorf("Load: %v, %v", all, err)
	}
	if err := s.Save(filled(time.Now()), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Save: %v", err)
	}
}

func TestWhereNothingCanBeWritten(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("modes keep nobody out here")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "history.db")
	s := New(path, nil)
	save(t, s, filled(time.Now()))
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path); len(got) != 3 {
		t.Errorf("read: %+v", got)
	}
	if err := s.Save(nil, []accounts.ID{"a"}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Save: %v", err)
	}
	if left, err := filepath.Glob(path + ".bad-*"); err != nil || len(left) > 0 {
		t.Errorf("a file that is only to be read was moved aside: %v, %v", left, err)
	}
}
