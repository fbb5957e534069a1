// Package early makes the start of the program harmless. Two libraries do
// their damage in init, before main can help it: keyring dials the D-Bus
// session bus and waits for ever on a bus that accepts and says nothing, and
// Bubble Tea asks the terminal for its background colour, which writes stray
// bytes to whoever reads our output and costs five seconds on a terminal that
// does not answer.
//
// Go initialises packages in the order of their import paths, each as soon as
// its imports are ready. This package imports only os and syscall, so it is
// ready before keyring and Bubble Tea are, and it comes before every package
// they still wait for (os/exec, to name one). It asks the bus with a deadline
// and hides a dead one; it hides the terminal's name; Restore undoes both.
//
// It must be imported wherever one of the two libraries is.
package early

import "os"

const (
	busVariable  = "DBUS_SESSION_BUS_ADDRESS"
	termVariable = "TERM"

	nowhere = "unix:path=/nonexistent" // an address that fails at once, and starts no bus
)

// busHealth is what the probe found.
type busHealth int

const (
	busAlive  busHealth = iota // it speaks D-Bus, or there is none on this system by design
	busAbsent                  // nobody listens
	busMute                    // somebody listens and says nothing
)

// variable is an environment variable as the program was given it.
type variable struct {
	name, value string
	set         bool
}

var (
	bus    = remember(busVariable)
	term   = remember(termVariable)
	health busHealth
)

func init() {
	var address string
	address, health = findBus(bus.value)
	switch {
	case health != busAlive:
		setenv(busVariable, nowhere)
	case bus.set && address != bus.value:
		// Of several addresses keyring takes the first that connects, which
		// may be a mute one: leave it no choice.
		setenv(busVariable, address)
	}
	setenv(termVariable, "dumb")
}

// Restore gives this process, and so its children, the variables as they were
// when it started. Call it first in main.
func Restore() {
	bus.restore()
	term.restore()
}

// BusDead reports whether there was no session bus that answers, so that
// keyrings behind it could not be registered.
func BusDead() bool { return health != busAlive }

// BusMute reports whether the session bus accepted us and said nothing: what
// lies behind it is unknown, not absent.
func BusMute() bool { return health == busMute }

func remember(name string) variable {
	value, set := os.LookupEnv(name)
	return variable{name: name, value: value, set: set}
}

func (v variable) restore() {
	if v.set {
		setenv(v.name, v.value)
		return
	}
	// The name is a constant without "=" or NUL: neither call can fail.
	_ = os.Unsetenv(v.name)
}

func setenv(name, value string) { _ = os.Setenv(name, value) }
