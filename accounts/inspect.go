package accounts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Inspection is accounts.json as it lies on the disk.
type Inspection struct {
	Accounts []Account // by provider, then order
	Missing  bool      // there is no file
	Damage   string    // why the file cannot be used; "": it can
	Kept     []string  // names of damaged ones that were moved aside, sorted, so the oldest first
}

// Inspect reads accounts.json as OpenRegistry does, and changes nothing: a
// damaged file stays where it is, and so does a mode that is too wide.
func Inspect(dir string) (Inspection, error) {
	r := &Registry{path: filepath.Join(dir, "accounts.json")}
	var in Inspection
	entries, _ := os.ReadDir(dir) // what cannot be listed cannot be read either, and that is said below
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(r.path)+".bad-") {
			in.Kept = append(in.Kept, e.Name())
		}
	}
	doc, _, err := r.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.Missing = true
		return in, nil
	case isDamage(err):
		in.Damage = err.Error()
		return in, nil
	case err != nil:
		return in, err
	}
	r.state.doc = doc
	in.Accounts = r.All()
	return in, nil
}
