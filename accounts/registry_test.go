package accounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

func openRegistry(tb testing.TB, dir string, bus *Bus) *Registry {
	tb.Helper()
	r, err := OpenRegistry(RegistryOptions{Dir: dir, LockPath: filepath.Join(dir, "state.lock"), Bus: bus})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func add(tb testing.TB, r *Registry, a Account) Account {
	tb.Helper()
	if a.Provider == "" {
		a.Provider = "p"
	}
	added, err := r.Add(a)
	if err != nil {
		tb.Fatal(err)
	}
	return added
}

func labels(all []Account) []string {
	var out []string
	for _, a := range all {
		out = append(out, a.Label)
	}
	return out
}

func TestAnAccountComesBackAsItWasStored(t *testing.T) {
	dir := t.TempDir()
	r := openRegistry(t, dir, nil)
	at := time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.UTC)
	want := add(t, r, Account{
		Provider: "p", Identity: "who", Label: "work", Email: "a@b.example", Org: "Acme", Plan: "Max", Paused: true,
		NeedsLogin: LoginRevoked, NeedsLoginGen: 7, TokenExpiresAt: at, LoggedInAt: at,
		Cooldowns:  []Cooldown{{Until: at, Scope: "opus", Evidence: "429", Kind: CoolQuota}},
		Usage:      usage.Snapshot{At: at, Source: usage.SourcePoll, Windows: []usage.Window{{Name: usage.FiveHour, Used: 0.5, ResetsAt: at, Length: time.Hour}}},
		LastStatus: 200, PingsOff: "refused", Counts: Counts{Day: "2026-05-04", Requests: 3, Failovers: 1},
	})
	got, err := openRegistry(t, dir, nil).Get(want.ID)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestACopyOfAnAccountIsTheCallersOwn(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	a := add(t, r, Account{Cooldowns: []Cooldown{{Scope: "x"}}, Usage: usage.Snapshot{Windows: []usage.Window{{Name: "5h"}}}})
	for _, take := range []func() Account{
		func() Account { got, _ := r.Get(a.ID); return got },
		func() Account { return r.All()[0] },
		func() Account { got, _ := r.Find(a.Label); return got },
		func() Account {
			got, _ := r.Edit(a.ID, func(a *Account) error { a.LastStatus++; return nil })
			return got
		},
	} {
		copied := take()
		copied.Cooldowns[0].Scope, copied.Usage.Windows[0].Name = "changed", "changed"
		if now, _ := r.Get(a.ID); now.Cooldowns[0].Scope != "x" || now.Usage.Windows[0].Name != "5h" {
			t.Fatalf("the registry's own account changed: %+v", now)
		}
	}
	failed := errors.New("no")
	_, err := r.Edit(a.ID, func(a *Account) error { a.Cooldowns[0].Scope = "changed"; return failed })
	if now, _ := r.Get(a.ID); !errors.Is(err, failed) || now.Cooldowns[0].Scope != "x" {
		t.Errorf("an edit that failed (%v) left %+v", err, now)
	}
}

func TestASharedAccountIsReplacedNotChanged(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	a := add(t, r, Account{Label: "one", Cooldowns: []Cooldown{{Scope: "x"}}})
	add(t, r, Account{Label: "two"})
	all := r.AllShared()
	shared, err := r.Shared(a.ID)
	if err != nil || shared != all[0] || len(all) != 2 {
		t.Fatalf("got %p, %v, want the first of %v", shared, err, all)
	}
	want := shared.Clone()
	edit := func(a *Account) error { a.Email, a.Cooldowns[0].Scope = "x@y", "changed"; return nil }
	if _, err := r.Edit(a.ID, edit); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Rename(a.ID, "three"), r.Move(a.ID, 2), r.Remove(all[1].ID)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*shared, want) {
		t.Errorf("it became\n%+v, want\n%+v", *shared, want)
	}
	if now, err := r.Shared(a.ID); err != nil || now.Label != "three" || now.Email != "x@y" || now.Order != 1 || now.Cooldowns[0].Scope != "changed" {
		t.Errorf("the account is %+v, %v", now, err)
	}
	if _, err := r.Shared(all[1].ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("of the one that was removed: %v", err)
	}
}

func TestEditKeepsWhatIsNotItsOwn(t *testing.T) {
	r := openRegistry(t, t.TempDir(), nil)
	a, _ := add(t, r, Account{Label: "one"}), add(t, r, Account{Label: "two"})
	got, err := r.Edit(a.ID, func(a *Account) error {
		a.ID, a.Provider, a.Order, a.Email = "other", "other", 2, "x\x1b[31m@y"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != a.ID || got.Provider != a.Provider || got.Order != 1 || got.Email != "x[31m@y" {
		t.Errorf("got %+v", got)
	}
}

func TestOrderAndPreference(t *testing.T) {
	dir := t.TempDir()
	r := openRegistry(t, dir, nil)
	if got := r.Preferred("p"); got != "" {
		t.Errorf("without accounts %q is preferred", got)
	}
	ids := map[string]ID{}
	for _, a := range []Account{{Provider: "z", Label: "z1"}, {Label: "a"}, {Label: "b"}, {Label: "c"}, {Label: "d"}, {Provider: "m", Label: "m1"}} {
		ids[a.Label] = add(t, r, a).ID
	}
	for _, move := range []struct {
		label    string
		position int
		want     string
	}{
		{"d", 1, "m1 d a b c z1"},
		{"d", 3, "m1 a b d c z1"},
		{"a", 99, "m1 b d c a z1"},
		{"c", -5, "m1 c b d a z1"},
		{"c", 1, "m1 c b d a z1"},
		{"z1", 4, "m1 c b d a z1"},
	} {
		if err := r.Move(ids[move.label], move.position); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(labels(r.All()), " "); got != move.want {
			t.Errorf("after moving %s to %d: %s, want %s", move.label, move.position, got, move.want)
		}
	}
	for _, shift := range []struct {
		label string
		by    int
		want  string
	}{
		{"c", 1, "m1 b c d a z1"},
		{"a", -2, "m1 b a c d z1"},
		{"b", math.MaxInt, "m1 a c d b z1"},
		{"d", math.MinInt, "m1 d a c b z1"},
		{"c", -2, "m1 c d a b z1"},
		{"a", 1, "m1 c d b a z1"},
		{"b", -1, "m1 c b d a z1"},
	} {
		if err := r.Shift(ids[shift.label], shift.by); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(labels(r.All()), " "); got != shift.want {
			t.Errorf("after shifting %s by %d: %s, want %s", shift.label, shift.by, got, shift.want)
		}
	}
	if r.Chosen("p") {
		t.Error("somebody is said to be chosen")
	}
	if got := r.Preferred("p"); got != ids["c"] {
		t.Errorf("without a choice %q is preferred, want the first", got)
	}
	if err := r.Prefer(ids["d"]); err != nil {
		t.Fatal(err)
	}
	if err := r.Move(ids["d"], 9); err != nil {
		t.Fatal(err)
	}
	r = openRegistry(t, dir, nil)
	if got := r.Preferred("p"); got != ids["d"] {
		t.Errorf("after a restart %q is preferred, want the choice", got)
	}
	if r.Preferred("m") != ids["m1"] || r.Preferred("z") != ids["z1"] {
		t.Error("one provider's choice is another's")
	}
	if err := r.Remove(ids["d"]); err != nil {
		t.Fatal(err)
	}
	if got := r.Preferred("p"); got != ids["c"] {
		t.Errorf("after the choice is gone %q is preferred", got)
	}
	for i, a := range r.All()[1:4] {
		if a.Order != i+1 {
			t.Errorf("%s has order %d, want %d", a.Label, a.Order, i+1)
		}
	}
	for _, err := range []error{r.Move("gone", 1), r.Shift("gone", 1), r.Prefer("gone"), r.Remove("gone"), r.Rename("gone", "x")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("an account that is not there: %v", err)
		}
	}
}

func TestTerms(t *testing.T) {
	dir := t.TempDir()
	r := openRegistry(t, dir, nil)
	if r.TermsAccepted("p") {
		t.Error("something is accepted at the first start")
	}
	if err := r.AcceptTerms("p"); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Registry{r, openRegistry(t, dir, nil)} {
		if !r.TermsAccepted("p") || r.TermsAccepted("q") {
			t.Error("what was accepted is not")
		}
	}
}

func TestUnknownFieldsSurvive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	before := `{"version":1,"future":{"deep":[1,{"x":"é\u0000"}]},"accounts":[
	 {"id":"aaa","provider":"p","label":"one","Order":2,"colour":"red","nested":{"n":1e400}},
	 {"id":"bbb","provider":"p","label":"two","order":1}],"wide":12345678901234567890}`
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	r := openRegistry(t, dir, nil)
	if got := strings.Join(labels(r.All()), " "); got != "two one" {
		t.Errorf("the accounts are %s", got)
	}
	if _, err := r.Edit("bbb", func(a *Account) error { a.Paused = true; return nil }); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var after struct {
		Future   json.RawMessage              `json:"future"`
		Wide     json.RawMessage              `json:"wide"`
		Accounts []map[string]json.RawMessage `json:"accounts"`
	}
	if err := json.Unmarshal(raw, &after); err != nil {
		t.Fatal(err)
	}
	one := after.Accounts[1]
	for got, want := range map[string]string{
		string(after.Future): `{"deep":[1,{"x":"é\u0000"}]}`, string(after.Wide): "12345678901234567890",
		string(one["colour"]): `"red"`, string(one["nested"]): `{"n":1e400}`, string(one["label"]): `"one"`,
	} {
		if got != want {
			t.Errorf("a field is %s, was %s", got, want)
		}
	}
	if _, twice := one["Order"]; twice {
		t.Error("a field is there in two spellings")
	}
}

func TestTwoRegistriesWriteOneFile(t *testing.T) {
	dir := t.TempDir()
	first, second := openRegistry(t, dir, nil), openRegistry(t, dir, nil)
	a := add(t, first, Account{Label: "work"})
	const edits = 20
	var wg sync.WaitGroup
	for _, r := range []*Registry{first, second} {
		for range 2 {
			wg.Go(func() {
				for range edits {
					if _, err := r.Edit(a.ID, func(a *Account) error { a.Counts.Requests++; return nil }); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	got, err := openRegistry(t, dir, nil).Get(a.ID)
	if err != nil || got.Counts.Requests != 4*edits {
		t.Errorf("%d edits arrived, want %d (%v)", got.Counts.Requests, 4*edits, err)
	}
}

func TestAThousandAccountsTakeLittleMemory(t *testing.T) {
	dir := t.TempDir()
	writeThousand(t, dir)
	before := heapInUse()
	r := openRegistry(t, dir, nil)
	used := int64(heapInUse()) - int64(before)
	if used > 1<<20 {
		t.Errorf("they take %d KiB", used>>10)
	}
	runtime.KeepAlive(r)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func writeThousand(tb testing.TB, dir string) {
	tb.Helper()
	d := &document{}
	for i := range 1000 {
		d.accounts = append(d.accounts, &entry{Account: Account{
			ID: newID(), Provider: "p", Identity: fmt.Sprint("who", i), Label: fmt.Sprint("label ", i), Email: fmt.Sprintf("user%d@example.org", i), Order: i,
			Usage: usage.Snapshot{Windows: []usage.Window{{Name: usage.FiveHour}, {Name: usage.SevenDay}}},
		}})
	}
	raw, err := d.encode()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "accounts.json"), raw, 0o600); err != nil {
		tb.Fatal(err)
	}
}

func BenchmarkThousandAccounts(b *testing.B) {
	dir := b.TempDir()
	writeThousand(b, dir)
	r := openRegistry(b, dir, nil)
	last := r.All()[999]
	b.Run("Open", func(b *testing.B) {
		for b.Loop() {
			openRegistry(b, dir, nil)
		}
	})
	b.Run("Edit", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Edit(last.ID, func(a *Account) error { a.Counts.Requests++; return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("All", func(b *testing.B) {
		for b.Loop() {
			r.All()
		}
	})
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Get(last.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAWritersTurnIsNotWaitedForForEver has a writer of this process that does not end.
func TestAWritersTurnIsNotWaitedForForEver(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := openRegistry(t, dir, nil)
		a := add(t, r, Account{Label: "work"})
		r.turn <- struct{}{}
		ended := make(chan error, 1)
		go func() { ended <- r.Rename(a.ID, "play") }()
		time.Sleep(stateLockWait + time.Second)
		select {
		case err := <-ended:
			if !errors.Is(err, ErrStateBusy) {
				t.Errorf("got %v", err)
			}
			<-r.turn
		default:
			t.Error("it still waits")
			<-r.turn
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := r.Rename(a.ID, "play"); err != nil {
			t.Error(err)
		}
	})
}
