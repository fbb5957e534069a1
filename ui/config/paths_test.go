package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestOneHomeHoldsEverything(t *testing.T) {
	home := t.TempDir()
	p, err := FindPaths(func(name string) string { return map[string]string{"OAUTHMUX_HOME": home}[name] })
	if err != nil {
		t.Fatal(err)
	}
	want := Paths{
		ConfigFile: filepath.Join(home, "config.toml"), Data: home, State: home, Vault: filepath.Join(home, "vault"), Browsers: filepath.Join(home, "browsers"),
		Log: filepath.Join(home, "oauthmux.log"), History: filepath.Join(home, "history.db"), EngineLock: filepath.Join(home, "engine.lock"), StateLock: filepath.Join(home, "state.lock"),
		NoticeLock: filepath.Join(home, "notices.lock"),
	}
	if p != want {
		t.Errorf("got %+v", p)
	}
}

func TestXDGFolders(t *testing.T) {
	root := t.TempDir()
	env := map[string]string{
		"HOME": root, "XDG_CONFIG_HOME": filepath.Join(root, "c"),
		"XDG_DATA_HOME": filepath.Join(root, "d"), "XDG_STATE_HOME": filepath.Join(root, "s"),
	}
	p, err := FindPaths(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if p.ConfigFile != filepath.Join(root, "c", "oauthmux", "config.toml") ||
		p.Data != filepath.Join(root, "d", "oauthmux") || p.State != filepath.Join(root, "s", "oauthmux") {
		t.Errorf("got %+v", p)
	}
}

func TestPlacesThatCannotBeMeantAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name, variable, want string
		env                  map[string]string
	}{
		{"relative home", "OAUTHMUX_HOME", "not an absolute path", map[string]string{"OAUTHMUX_HOME": "here"}},
		{"line break", "OAUTHMUX_HOME", "line break", map[string]string{"OAUTHMUX_HOME": "/tmp/a\nb"}},
		{"relative XDG", "XDG_DATA_HOME", "not an absolute path", map[string]string{"HOME": "/root", "XDG_DATA_HOME": "data"}},
		{"line break in XDG", "XDG_STATE_HOME", "line break", map[string]string{"HOME": "/root", "XDG_STATE_HOME": "/tmp/a\nb"}},
		{"no HOME", "HOME", "is not set", map[string]string{}},
		{"no HOME and one of three", "HOME", "is not set", map[string]string{"XDG_CONFIG_HOME": "/tmp/c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if runtime.GOOS == "windows" && tt.variable == "HOME" {
				t.Skip("Windows has no HOME")
			}
			_, err := FindPaths(func(name string) string { return tt.env[name] })
			pe, ok := errors.AsType[*PathError](err)
			if !ok || pe.Variable != tt.variable || !strings.Contains(pe.Problem, tt.want) || pe.Hint == "" {
				t.Errorf("got %+v (%v)", pe, err)
			}
		})
	}
}

func TestT30FoldersEndPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on Windows")
	}
	for before, want := range map[fs.FileMode]fs.FileMode{
		0: 0o700, 0o700: 0o700, 0o755: 0o700, 0o777: 0o700,
		0o500: 0o500, // its owner's choice
	} {
		home := filepath.Join(t.TempDir(), "home")
		if before != 0 {
			if err := os.Mkdir(home, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(home, before); err != nil {
				t.Fatal(err)
			}
		}
		if err := (Paths{Data: home, State: home}).Create(); err != nil {
			t.Errorf("%o: %v", before, err)
		}
		info, err := os.Stat(home)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%o became %v, %v; want %o", before, info.Mode(), err, want)
		}
	}
}

func TestFoldersThatAreNotOurs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no mode bits on Windows")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Paths{Data: file, State: file}).Create(); err == nil {
		t.Error("a file was taken for a folder")
	}
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(open, "home")
	if err := (Paths{Data: inside, State: inside}).Create(); err == nil || !strings.Contains(err.Error(), "others may replace it") {
		t.Errorf("in a folder that everybody may write to: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(other, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := (Paths{Data: other, State: other}).Create(); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("another user's folder: %v", err)
	}
}
