//go:build !linux && !(darwin && cgo)

package vault

const secretCollection = "" // no Secret Service on this system

// systemState knows no errors of this system's own.
func systemState(error) (KeyState, bool) { return "", false }

// askFirst has nobody to ask: there is no Secret Service on this system.
func askFirst(bool, bool) error { return nil }
