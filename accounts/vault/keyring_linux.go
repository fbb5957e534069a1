package vault

import (
	"errors"
	"strings"

	"github.com/godbus/dbus"
)

// secretCollection is the one that a desktop login unlocks.
const secretCollection = "login"

const (
	secretService  = "org.freedesktop.secrets"
	collectionPath = "/org/freedesktop/secrets/collection/" + secretCollection
	lockedProperty = "org.freedesktop.Secret.Collection.Locked"
)

// systemState names the errors of D-Bus and of the Secret Service. Their names
// are all that tells a locked keyring from one that is not there; keyring's own
// Open hides them.
func systemState(err error) (KeyState, bool) {
	if errors.Is(err, dbus.ErrClosed) {
		return KeyAbsent, true
	}
	var de dbus.Error
	if !errors.As(err, &de) {
		return "", false
	}
	name := strings.TrimPrefix(de.Name, "org.freedesktop.DBus.Error.")
	switch {
	case de.Name == "org.freedesktop.Secret.Error.IsLocked":
		return KeyLocked, true
	case de.Name == "org.freedesktop.Secret.Error.NoSession",
		name == "ServiceUnknown", name == "NameHasNoOwner", name == "Disconnected", name == "NoServer",
		strings.HasPrefix(name, "Spawn."):
		return KeyAbsent, true
	case name == "NoReply", name == "Timeout", name == "TimedOut":
		return KeyTimeout, true
	case name == "AccessDenied", name == "AuthFailed", name == "InteractiveAuthorizationRequired":
		return KeyDenied, true
	}
	return "", false
}

// askFirst asks the Secret Service whether it is there and unlocked. keyring
// would put a prompt on the screen and wait for it without end, also when
// nobody asked for anything: from cron, or in the background.
func askFirst(interactive, making bool) error {
	bus, err := dbus.SessionBus()
	if err != nil {
		return &KeyError{State: stateOf(err, interactive, KeyAbsent), Err: err}
	}
	locked, err := bus.Object(secretService, collectionPath).GetProperty(lockedProperty)
	if err != nil {
		if state, ok := systemState(err); ok {
			return &KeyError{State: state, Err: err}
		}
		// The service is there, the collection is not.
		if making && !interactive {
			return &KeyError{State: KeyAbsent, Err: errors.New("the keyring has no " + secretCollection + " collection, and nobody is there to make one")}
		}
		return nil
	}
	if is, ok := locked.Value().(bool); ok && is && !interactive {
		return &KeyError{State: KeyLocked}
	}
	return nil
}
