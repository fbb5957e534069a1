// Command keytable writes the key table of the README from the dashboard's own
// keys, between two marks. It is run by go generate and takes the README's path.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/oauthmux/oauthmux/ui/dashboard"
)

const (
	begin = "<!-- keys: written by go generate -->\n"
	end   = "<!-- /keys -->"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: keytable README.md")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "keytable:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	from, to := bytes.Index(text, []byte(begin)), bytes.Index(text, []byte(end))
	if from < 0 || to < from {
		return errors.New("no marks in " + path)
	}
	var out bytes.Buffer
	out.Write(text[:from+len(begin)])
	out.WriteString(dashboard.KeyTable())
	out.Write(text[to:])
	return os.WriteFile(path, out.Bytes(), 0o644) //nolint:gosec // a README is for everybody
}
