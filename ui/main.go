// Package ui is what a person and a script see: the commands, the dashboard
// (ui/dashboard), the configuration (ui/config), the control socket
// (ui/control), and App, the object graph. It knows everybody; nobody imports
// it but main.
//
// Main owns every goroutine of the program and returns after they have ended,
// renewals in flight included. Nothing here ends the process or touches the
// standard streams behind the caller's back: they come in an Env.
package ui

import (
	"bufio"
	"context"
	"io"
	"os"

	"github.com/oauthmux/oauthmux/ui/control"
)

// Env is the world around the program.
type Env struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(name string) string
	Environ        func() []string // for children
	Passphrase     string          // OAUTHMUX_PASSPHRASE
	Version        string
	OpenURL        func(ctx context.Context, url string) error // opens a page in the usual browser
}

// System is the world of a process. Call it once, first thing: it takes the
// passphrase out of the environment.
func System(version string) Env {
	return Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Environ: os.Environ, Passphrase: takePassphrase(),
		Version: versionOf(version), OpenURL: openURL,
	}
}

// Main runs one command and returns its exit status.
func Main(ctx context.Context, env Env) int {
	p := &program{Env: env, in: bufio.NewReader(env.Stdin)}
	p.connect = p.reach
	root := p.root() //nolint:contextcheck // cobra hands ctx to the command
	root.SetArgs(env.Args)
	command, err := root.ExecuteContextC(ctx)
	return p.exit(command, err)
}

// program is one run of the program.
type program struct {
	Env
	in   *bufio.Reader // Stdin; a line at a time
	json bool          // print documents for programs

	configFlags map[string]string // flags of configuration keys that were given

	// connect returns the engine to speak to and what to call when it is no longer
	// needed. Tests put another one in its place.
	connect func(ctx context.Context) (control.Engine, func(), error)
}
