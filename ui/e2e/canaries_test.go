//go:build unix

package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// canaries are the secrets of one home, and everything in which they might turn
// up: what its commands print and the files they leave.
//
// A secret counts as found when any stretch of it is, as it is or encoded. The
// sealed files are searched like the rest: sealed, they hold nothing of it.
type canaries struct {
	h *home

	mu      sync.Mutex // guards what follows
	outputs []*output
	more    map[string]string // other places, by name
	issued  []string          // secrets besides those of the simulated provider
}

// add makes the search look for another secret.
func (c *canaries) add(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issued = append(c.issued, secret)
}

// output keeps one stream of a command.
func (c *canaries) output(stream string, args []string) *output {
	o := &output{name: stream, args: args}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outputs = append(c.outputs, o)
	return o
}

// note keeps another place to look at.
func (c *canaries) note(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.more == nil {
		c.more = map[string]string{}
	}
	c.more[name] += text
}

// Kinds of secrets. What may show one of them shows no other.
const (
	ofProvider = "a token or code of the provider"
	ofVault    = "the passphrase"
	ofMachine  = "the local key"
)

// allowed is the kind of secret that a command prints because it is asked for it.
func allowed(o *output) string {
	command := ""
	for _, arg := range o.args {
		if !strings.HasPrefix(arg, "-") {
			command = arg
			break
		}
	}
	switch {
	case o.name == "stdout" && command == "token":
		return ofProvider
	case o.name == "stdout" && command == "env":
		return ofMachine
	}
	return ""
}

// sweep looks everywhere, and fails the test for what it finds.
func (c *canaries) sweep() {
	t := c.h.t
	found := c.secrets()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.outputs {
		found.search(t.Errorf, fmt.Sprintf("%s of oauthmux %s", o.name, strings.Join(o.args, " ")), o.String(), allowed(o))
	}
	for name, text := range c.more {
		found.search(t.Errorf, name, text, "")
	}
	err := filepath.WalkDir(c.h.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		may := ""
		if path == filepath.Join(c.h.dir, "vault", "local.key") {
			may = ofMachine
		}
		found.search(t.Errorf, path, path+"\x00"+string(text), may)
		return nil
	})
	if err != nil {
		t.Errorf("search the files: %v", err)
	}
}

// Lengths of the stretches that are looked for. Hexadecimal says half as much.
const (
	stretch    = 12
	stretchHex = 20
)

// secrets is an index of stretches of secrets, with their kind.
type secrets struct {
	plain, hex map[string]string
}

func (c *canaries) secrets() secrets {
	s := secrets{map[string]string{}, map[string]string{}}
	s.add(ofVault, c.h.passphrase)
	if key, err := os.ReadFile(filepath.Join(c.h.dir, "vault", "local.key")); err == nil {
		s.add(ofMachine, strings.TrimPrefix(strings.TrimSpace(string(key)), "omx_"))
	}
	c.mu.Lock()
	for _, text := range c.issued {
		s.add(ofProvider, text)
	}
	c.mu.Unlock()
	if c.h.provider != nil {
		for _, text := range c.h.provider.Secrets() {
			// What the tokens of a kind have in common is no secret.
			s.add(ofProvider, text[strings.LastIndexByte(text, '-')+1:])
		}
	}
	return s
}

// add indexes a secret in every form in which somebody might write it.
func (s secrets) add(kind, text string) {
	forms := []string{text, url.QueryEscape(text), url.PathEscape(text)}
	for shift := range 3 { // where the secret begins within three bytes of what is encoded
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			whole := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + text))
			// The characters at both ends depend on what is beside the secret.
			if from, to := shift*2, len(whole)-2; from < to {
				forms = append(forms, whole[from:to])
			}
		}
	}
	for _, form := range forms {
		for i := 0; i+stretch <= len(form); i++ {
			s.plain[form[i:i+stretch]] = kind
		}
	}
	for _, form := range []string{hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))} {
		for i := 0; i+stretchHex <= len(form); i++ {
			s.hex[form[i:i+stretchHex]] = kind
		}
	}
}

// search reports what of the secrets is in a text, once a kind. It does not show it.
func (s secrets) search(report func(string, ...any), where, text, may string) {
	reported := map[string]bool{may: true}
	for i := range len(text) {
		kind := ""
		if i+stretch <= len(text) {
			kind = s.plain[text[i:i+stretch]]
		}
		if kind == "" && i+stretchHex <= len(text) {
			kind = s.hex[text[i:i+stretchHex]]
		}
		if kind != "" && !reported[kind] {
			reported[kind] = true
			report("%s holds %s, at byte %d of %d", where, kind, i, len(text))
		}
	}
}
