//go:build darwin && cgo

package vault

import (
	"errors"

	keychain "github.com/99designs/go-keychain"
)

const secretCollection = "" // no Secret Service on this system

// userCanceled is errSecUserCanceled, which the package does not name.
const userCanceled = keychain.Error(-128)

// systemState names the errors of the Keychain.
func systemState(err error) (KeyState, bool) {
	var code keychain.Error
	if !errors.As(err, &code) {
		return "", false
	}
	switch code {
	case keychain.ErrorInteractionNotAllowed:
		return KeyLocked, true
	case userCanceled:
		return KeyDismissed, true
	case keychain.ErrorAuthFailed, keychain.ErrorNoAccessForItem:
		return KeyDenied, true
	case keychain.ErrorNotAvailable, keychain.ErrorNoSuchKeychain:
		return KeyAbsent, true
	}
	return "", false
}

// askFirst has nothing to ask: the Keychain decides by itself whether to prompt.
func askFirst(bool, bool) error { return nil }
