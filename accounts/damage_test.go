package accounts

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/oauthmux/oauthmux/accounts/vault"
)

// whole is an accounts.json that nothing is wrong with.
const whole = `{"version":1,"accounts":[{"id":"aaa","provider":"p","label":"work","order":1}]}`

func utf16LE(s string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(s)) {
		b = append(b, byte(unit), byte(unit>>8))
	}
	return string(b)
}

var damagedFiles = map[string]string{
	"empty":               "",
	"white":               " \n",
	"null":                "null",
	"list":                "[]",
	"list of accounts":    `[{"id":"aaa"}]`,
	"truncated":           whole[:len(whole)-20],
	"garbage":             "\x00\x01\x02 not JSON",
	"byte order mark":     "\xef\xbb\xbf" + whole,
	"UTF-16":              utf16LE(whole),
	"two versions":        `{"version":1,"version":1,"accounts":[]}`,
	"two lists":           `{"version":1,"accounts":[],"ACCOUNTS":[]}`,
	"two labels":          `{"version":1,"accounts":[{"id":"aaa","provider":"p","label":"a","label":"b"}]}`,
	"an escaped twin":     `{"version":1,"accounts":[{"id":"aaa","provider":"p","label":"a","l\u0061bel":"b"}]}`,
	"a folded twin":       `{"version":1,"accounts":[],"accountſ":[]}`, // encoding/json takes the long s for one
	"no version":          `{"accounts":[]}`,
	"version of tomorrow": `{"version":2,"accounts":[]}`,
	"version as a word":   `{"version":"1","accounts":[]}`,
	"no list":             `{"version":1}`,
	"null list":           `{"version":1,"accounts":null}`,
	"list of numbers":     `{"version":1,"accounts":[1]}`,
	"account is null":     `{"version":1,"accounts":[null]}`,
	"no id":               `{"version":1,"accounts":[{"provider":"p"}]}`,
	"id as a path":        `{"version":1,"accounts":[{"id":"../x","provider":"p"}]}`,
	"no provider":         `{"version":1,"accounts":[{"id":"aaa"}]}`,
	"one id twice":        `{"version":1,"accounts":[{"id":"aaa","provider":"p"},{"id":"aaa","provider":"p"}]}`,
	"label is a number":   `{"version":1,"accounts":[{"id":"aaa","provider":"p","label":1}]}`,
	"bytes after the end": whole + "{}",
	"a second document":   whole + "\n" + whole,
	"deep":                `{"version":1,"accounts":[],"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
}

// allDamaged has those as well that take a while to make: the processes that tests
// start have to begin quickly.
func allDamaged() map[string]string {
	all := maps.Clone(damagedFiles)
	all["deeper"] = strings.Repeat(`{"a":`, 1_000_000)
	all["huge"] = `{"version":1,"accounts":[],"x":"` + strings.Repeat("x", documentLimit) + `"}`
	return all
}

// seal plants the sealed record of an account.
func seal(t *testing.T, dir, id string) {
	t.Helper()
	folder := filepath.Join(dir, "vault", id)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "cred"), []byte("sealed"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func badFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "accounts.json.bad-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestADamagedFileIsKeptAndRebuilt(t *testing.T) {
	t.Parallel()
	for name, content := range allDamaged() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "accounts.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			seal(t, dir, "bbb")
			r := openRegistry(t, dir, nil)
			bad := badFiles(t, dir)
			if len(bad) != 1 {
				t.Fatalf("kept aside: %v", bad)
			}
			if raw, err := os.ReadFile(bad[0]); err != nil || string(raw) != content {
				t.Errorf("what is kept aside is not what was there: %d bytes, %v", len(raw), err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("something was written in its place: %v", err)
			}
			if !strings.Contains(r.Damage(), "damaged") || !strings.Contains(r.Damage(), filepath.Base(bad[0])) {
				t.Errorf("Damage says %q", r.Damage())
			}
			if err := r.AcceptTerms("p"); !errors.Is(err, ErrDamaged) {
				t.Errorf("a write before the rebuild: %v", err)
			}
			if _, err := r.Add(Account{Provider: "p"}); !errors.Is(err, ErrDamaged) {
				t.Errorf("an account added before the rebuild: %v", err)
			}
			if again := openRegistry(t, dir, nil); !strings.Contains(again.Damage(), filepath.Base(bad[0])) {
				t.Errorf("after a restart Damage says %q", again.Damage())
			}
			if err := r.Rebuild(map[ID]vault.Record{"bbb": {Provider: "p", Identity: "who", Label: "work", Email: "a@b", Order: 1}}); err != nil {
				t.Fatal(err)
			}
			for _, r := range []*Registry{r, openRegistry(t, dir, nil)} {
				if got, err := r.Find("work"); err != nil || got.ID != "bbb" || got.Email != "a@b" || r.Damage() != "" {
					t.Errorf("after the rebuild: %+v, %v, %q", got, err, r.Damage())
				}
			}
			if len(badFiles(t, dir)) != 1 {
				t.Error("the damaged file is gone")
			}
		})
	}
}

// A file of a gigabyte, all of it a hole, is kept as it is and read no further
// than a file of ours can be.
func TestAFileOfAGigabyteIsNotRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	seal(t, dir, "bbb")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := openRegistry(t, dir, nil)
	runtime.ReadMemStats(&after)
	if cost := after.TotalAlloc - before.TotalAlloc; cost > 10*documentLimit {
		t.Errorf("%d MiB were allocated", cost>>20)
	}
	bad := badFiles(t, dir)
	if len(bad) != 1 || !strings.Contains(r.Damage(), "larger than") {
		t.Fatalf("kept aside: %v; Damage says %q", bad, r.Damage())
	}
	if info, err := os.Stat(bad[0]); err != nil || info.Size() != 1<<30 {
		t.Errorf("what is kept is %v, %v", info, err)
	}
	if err := r.Rebuild(map[ID]vault.Record{"bbb": {Provider: "p", Label: "work"}}); err != nil || len(r.All()) != 1 {
		t.Errorf("after the rebuild: %+v, %v", r.All(), err)
	}
}

func TestADamagedFileWithoutSealedAccountsIsKept(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	if err := os.WriteFile(path, []byte(whole[:30]), 0o600); err != nil {
		t.Fatal(err)
	}
	r := openRegistry(t, dir, nil)
	bad := badFiles(t, dir)
	if len(bad) != 1 {
		t.Fatalf("kept: %v", bad)
	}
	again := openRegistry(t, dir, nil) // whoever looks next finds no file at all
	for _, r := range []*Registry{r, again} {
		if said := r.Damage(); !strings.Contains(said, filepath.Base(bad[0])+" in "+dir) {
			t.Errorf("Damage says %q, kept: %v", said, bad)
		}
	}
	add(t, r, Account{Label: "new"}) // there is nothing that the file would lack
	if r.Damage() != "" {
		t.Errorf("once a whole file is there Damage says %q", r.Damage())
	}
}

func TestT30_ADamagedFileIsKeptForItsOwnerAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	openRegistry(t, dir, nil)
	bad := badFiles(t, dir)
	if len(bad) != 1 {
		t.Fatalf("kept aside: %v", bad)
	}
	if info, err := os.Stat(bad[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode().Perm(), err)
	}
}

func TestAMissingFileIsDamageOnlyIfTheVaultHasAccounts(t *testing.T) {
	dir := t.TempDir()
	if r := openRegistry(t, dir, nil); r.Damage() != "" {
		t.Errorf("at the first start Damage says %q", r.Damage())
	}
	if _, err := os.Lstat(filepath.Join(dir, "accounts.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the first start wrote a file: %v", err)
	}
	seal(t, dir, "bbb")
	r := openRegistry(t, dir, nil)
	if got := r.Damage(); !strings.Contains(got, "missing") || !strings.Contains(got, "one account") || !r.Hollow() {
		t.Errorf("Damage says %q, hollow %v", got, r.Hollow())
	}
	if err := r.AcceptTerms("p"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a write before the rebuild: %v", err)
	}
}

func TestAFileThatCannotBeMovedAsideIsLeftAlone(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root moves everything")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "accounts.json")
	lock := filepath.Join(t.TempDir(), "state.lock")
	if err := os.WriteFile(path, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	r, err := OpenRegistry(RegistryOptions{Dir: dir, LockPath: lock})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Damage(), "could not be moved aside") {
		t.Errorf("Damage says %q", r.Damage())
	}
	if _, err := r.Add(Account{Provider: "p"}); err == nil {
		t.Error("something was written over it")
	}
}

func TestDamageWhileRunningIsMendedFromMemory(t *testing.T) {
	for name, content := range map[string]string{"truncated": whole[:40], "garbage": "garbage", "empty": ""} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "accounts.json")
			r := openRegistry(t, dir, nil)
			add(t, r, Account{Label: "work"})
			seal(t, dir, "aaa")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			add(t, r, Account{Label: "play"})
			if got := strings.Join(labels(openRegistry(t, dir, nil).All()), " "); got != "work play" {
				t.Errorf("the accounts are %q", got)
			}
			if bad := badFiles(t, dir); len(bad) != 1 {
				t.Errorf("kept aside: %v", bad)
			}
		})
	}
	t.Run("removed", func(t *testing.T) {
		dir := t.TempDir()
		r := openRegistry(t, dir, nil)
		add(t, r, Account{Label: "work"})
		seal(t, dir, "aaa")
		if err := os.Remove(filepath.Join(dir, "accounts.json")); err != nil {
			t.Fatal(err)
		}
		add(t, r, Account{Label: "play"})
		if got := strings.Join(labels(openRegistry(t, dir, nil).All()), " "); got != "work play" {
			t.Errorf("the accounts are %q", got)
		}
	})
}

func TestRebuildAddsOnlyWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	r := openRegistry(t, dir, nil)
	here := add(t, r, Account{ID: "here", Label: "work", Identity: "ada", Email: "new@b"})
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, id := range []string{"here", "copy", "twin", "lost", "lost2", "none"} {
		seal(t, dir, id)
	}
	err := r.Rebuild(map[ID]vault.Record{
		"here":   {Provider: "p", Label: "old", Email: "old@b", RefreshToken: "r1"},
		"copy":   {Provider: "p", RefreshToken: "r1"},                  // left by a sign-in that was cut short
		"twin":   {Provider: "p", Identity: "ada", RefreshToken: "r2"}, // and another
		"lost":   {Provider: "p", Identity: "bob", Label: "WORK", RefreshToken: "r3", LoggedInAt: at, ReceivedAt: at, Raw: []byte(`{"access_token":"x","expires_in":60}`)},
		"lost2":  {Provider: "p", RefreshToken: "r3"},
		"../bad": {Provider: "p"},
		"none":   {},
		"gone":   {Provider: "p", Identity: "carol"}, // removed since it was read
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := r.Get(here.ID); got.Label != "work" || got.Email != "new@b" {
		t.Errorf("the account that was here became %+v", got)
	}
	all := r.All()
	if len(all) != 2 || all[1].ID != "lost" || all[1].Label != "WORK 2" || !all[1].LoggedInAt.Equal(at) || !all[1].TokenExpiresAt.Equal(at.Add(time.Minute)) {
		t.Errorf("the accounts are %+v", all)
	}
}

func TestRebuildKeepsTheOrderOfLogins(t *testing.T) {
	dir := t.TempDir()
	records := map[ID]vault.Record{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for n, id := range []string{"d", "a", "c", "b"} {
		seal(t, dir, id)
		records[ID(id)] = vault.Record{Provider: "p", Identity: id, Label: id, LoggedInAt: at.Add(time.Duration(n) * time.Hour)}
	}
	r := openRegistry(t, dir, nil)
	if err := r.Rebuild(records); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(labels(r.All()), ""); got != "dacb" {
		t.Errorf("the order is %s", got)
	}
}

func TestAnAccountIsForgottenWhenNothingSpeaksOfIt(t *testing.T) {
	dir := t.TempDir()
	mine, other := openRegistry(t, dir, nil), openRegistry(t, dir, nil)
	a := add(t, mine, Account{Label: "work"})
	late := add(t, other, Account{Label: "late"})
	for id, name := range map[string]string{"sealed": "cred", "aside": "cred.bad-1", "before": "cred.prev", "nothing": "lock", "room": "cred.tmp"} {
		seal(t, dir, id)
		folder := filepath.Join(dir, "vault", id)
		if err := os.Rename(filepath.Join(folder, "cred"), filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[ID]bool{
		a.ID: false, late.ID: false, "sealed": false, "aside": false, "before": false, "nothing": true, "room": true, "gone": true, "": false, "../x": false,
	} {
		if got := mine.Forgotten(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "accounts.json"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if mine.Forgotten("gone") {
		t.Error("a damaged file says what is gone")
	}
	if openRegistry(t, dir, nil).Forgotten("gone") {
		t.Error("a file that was damaged says what is gone")
	}
}
