package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// judge loads a document as it lies in a file, and fails the test for what no
// file may bring about, whatever it holds: a panic, a listener for others, an
// error without its place or with control characters, a provider whose name is
// not that of one folder, and a file that is no longer what it was.
func judge(t *testing.T, dir string, document []byte) (loaded bool) {
	t.Helper()
	file := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), Sources{
		File:   file,
		Getenv: func(string) string { return "" },
		Lookup: func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") },
	})
	if after, err := os.ReadFile(file); err != nil || string(after) != string(document) {
		t.Fatalf("the file was changed: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("beside the file there is %v, %v", entries, err)
	}
	if err == nil {
		if !strings.HasPrefix(c.Proxy.Listen, "127.") && !strings.HasPrefix(c.Proxy.Listen, "[::1") {
			t.Errorf("listens on %q", c.Proxy.Listen)
		}
		for id := range c.Providers { // it is the name of a folder, too
			if name := string(id); !filepath.IsLocal(name) || filepath.Base(name) != name || name == "." {
				t.Errorf("%q is the name of a provider", id)
			}
		}
		return true
	}
	ce, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%T: %v", err, err)
	}
	if lines := strings.Count(string(document), "\n") + 1; ce.Line < 1 || ce.Line > lines || ce.Column < 1 {
		t.Errorf("%v: line %d of %d, column %d", ce, ce.Line, lines, ce.Column)
	}
	if strings.ContainsAny(ce.Error(), "\x00\x1b\n") {
		t.Errorf("control characters in %q", ce.Error())
	}
	return false
}

func FuzzLoad(f *testing.F) {
	whole, err := os.ReadFile("testdata/whole.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	for _, m := range mistakes {
		f.Add([]byte(m.document))
	}
	for _, seed := range []string{
		"", "\xef\xbb\xbf", "# nothing", "[proxy]\nlisten = \":0\"\n[[ui]]\n", "a.b.c = { d = [ { e = 1 } ] }\n",
		ownProvider("https://login.mycorp.example/authorize"), strings.ReplaceAll(ownProvider("https://a.example/"), "mycorp]", `"../../x"]`),
		strings.ReplaceAll(ownProvider("https://a.example/"), "mycorp]", `"."]`), strings.ReplaceAll(ownProvider("https://a.example/"), "mycorp]", `"/etc"]`),
		"[relogin]\nbrowser = \"../../bin/sh\"\n", "[proxy]\nlisten = \"localhost:1\"\n", "[proxy]\nlisten = \"[::ffff:7f00:1]:1\"\n",
	} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, document []byte) { judge(t, dir, document) })
}

// FuzzPaths: whatever the environment says, either there is a reason why not, or
// every file lies in the folder that was named for it, and in no other.
func FuzzPaths(f *testing.F) {
	for _, folder := range []string{
		"", "/", "//", "/home/ada", "/home/ada/", "/home/ada/..", "/home/../..", "/home/./ada", "/home//ada", "/..", "/../..", "/a/../b", "/.", "/...",
		".", "..", "../x", "~", "~/x", "$HOME", "home", "./home", "a/b", " /home", "/ho me", "/home ", "/home\n", "/ho\nme", "/home\x00", "/home\x00/../x", "/home\x1b[2J", "/home\t", "/home\u0085",
		"/hömé", "/\xff\xfe", "/\u202e/x", `C:\Users\ada`, `\\server\share`, `C:x`, `/a\..\b`, "/%2e%2e/x", "file:///home", "/dev/null", "/proc/self/cwd", "/" + strings.Repeat("x/", 3000), "/" + strings.Repeat("x", 300),
	} {
		f.Add(folder, "", "")
		f.Add("", folder, "/data")
	}
	f.Fuzz(func(t *testing.T, home, config, data string) {
		set := map[string]string{"OAUTHMUX_HOME": home, "XDG_CONFIG_HOME": config, "XDG_DATA_HOME": data, "XDG_STATE_HOME": "/state", "HOME": "/home/ada"}
		p, err := FindPaths(func(name string) string { return set[name] })
		if err != nil {
			if pe, ok := errors.AsType[*PathError](err); !ok || pe.Hint == "" || strings.ContainsAny(pe.Error(), "\x00\x1b\n") {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		inside := func(folder, path string) {
			below, err := filepath.Rel(filepath.Clean(folder), path)
			if err != nil || !filepath.IsAbs(path) || !filepath.IsLocal(below) || filepath.Clean(path) != path || strings.ContainsAny(path, "\x00\n\x1b") {
				t.Errorf("%q is not a place in %q", path, folder)
			}
		}
		for _, path := range []string{p.Vault, p.Browsers} {
			inside(p.Data, path)
		}
		for _, path := range []string{p.Log, p.History, p.EngineLock, p.StateLock} {
			inside(p.State, path)
		}
		if home != "" {
			config, data = home, home
			inside(home, p.State)
		}
		if config != "" {
			inside(config, p.ConfigFile)
		}
		if data != "" {
			inside(data, p.Data)
		}
	})
}
