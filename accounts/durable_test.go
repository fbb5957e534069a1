package accounts

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestT30_ModesWhateverWasThere(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "accounts.json")
	if err := os.WriteFile(path, []byte(`{"version":1,"accounts":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	r := openRegistry(t, dir, nil)
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	if mode(dir) != 0o700 || mode(path) != 0o600 {
		t.Errorf("after opening: %v and %v", mode(dir), mode(path))
	}
	add(t, r, Account{})
	if mode(path) != 0o600 || mode(filepath.Join(dir, "state.lock")) != 0o600 {
		t.Errorf("after writing: %v and %v", mode(path), mode(filepath.Join(dir, "state.lock")))
	}
}

func TestAFolderThatItsOwnerMadeReadOnlyStaysSo(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.Join(t.TempDir(), "mine")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if err := MakePrivateDir(dir); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o500 {
		t.Errorf("it is %v, %v", info.Mode().Perm(), err)
	}
}

func TestT31_NothingButARegularFileIsRead(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte(`{"version":1,"accounts":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "accounts.json")
	for name, make := range map[string]func() error{
		"link":   func() error { return os.Symlink(outside, path) },
		"folder": func() error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := make(); err != nil {
				t.Skip(err)
			}
			defer func() { _ = os.Remove(path) }()
			if _, err := OpenRegistry(RegistryOptions{Dir: dir, LockPath: filepath.Join(dir, "state.lock")}); err == nil {
				t.Error("it was read")
			}
		})
	}
}

func TestAPlantedTemporaryFileIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := openRegistry(t, dir, nil)
	if err := os.Symlink(outside, filepath.Join(dir, "accounts.json.tmp")); err != nil {
		t.Skip(err)
	}
	add(t, r, Account{})
	if raw, err := os.ReadFile(outside); err != nil || string(raw) != "mine" {
		t.Errorf("the file outside is %q, %v", raw, err)
	}
	if openRegistry(t, dir, nil).Damage() != "" {
		t.Error("the file is damaged")
	}
}

func TestADiskThatRefusesChangesNothing(t *testing.T) {
	dir := t.TempDir()
	bus := &Bus{}
	r := openRegistry(t, dir, bus)
	a := add(t, r, Account{Label: "work"})
	// A folder that is not empty stands where the new file is written.
	if err := os.MkdirAll(filepath.Join(dir, "accounts.json.tmp", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	box := bus.Subscribe(10)
	defer box.Close()
	if err := r.Rename(a.ID, "play"); err == nil {
		t.Fatal("nothing was written, and nothing said")
	}
	if got, _ := r.Get(a.ID); got.Label != "work" {
		t.Errorf("what is not durable is visible: %q", got.Label)
	}
	if events, _ := box.Drain(); len(events) != 0 {
		t.Errorf("what is not durable was announced: %v", events)
	}
}

func TestDurableThenVisibleThenAnnounced(t *testing.T) {
	dir := t.TempDir()
	bus := &Bus{}
	r := openRegistry(t, dir, bus)
	a := add(t, r, Account{Label: "work"})
	box := bus.Subscribe(10)
	defer box.Close()
	if err := r.Rename(a.ID, "play"); err != nil {
		t.Fatal(err)
	}
	if events, _ := box.Drain(); !slices.Equal(events, []Event{{Kind: AccountsChanged, Account: a.ID}}) {
		t.Errorf("announced: %v", events)
	}
	if err := r.Rename(a.ID, "play"); err != nil {
		t.Fatal(err)
	}
	if events, _ := box.Drain(); len(events) != 0 {
		t.Errorf("a change that changed nothing was announced: %v", events)
	}
}
