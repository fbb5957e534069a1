package vault

// KeyState says how far the vault's key is from being in our hands. A state
// that is not KeyOK never means that there are no accounts.
type KeyState string

// The states of the key.
const (
	KeyUnasked          KeyState = "unasked"           // nobody has asked for it yet
	KeyOK               KeyState = "ok"                // it is in memory
	KeyLocked           KeyState = "locked"            // the keyring is locked, and nobody was there to unlock it
	KeyAbsent           KeyState = "absent"            // there is no such keyring on this system, or its service does not run
	KeyDismissed        KeyState = "dismissed"         // the person closed the keyring's prompt
	KeyTimeout          KeyState = "timeout"           // the keyring did not answer: unknown, never "not found"
	KeyMissing          KeyState = "missing"           // the keyring answers, but does not have our item
	KeyMismatch         KeyState = "mismatch"          // the item is not the key of this store: another one, or damaged
	KeyDenied           KeyState = "denied"            // the keyring refuses us
	KeyPassphraseNeeded KeyState = "passphrase_needed" // the key is in an encrypted file and no passphrase was given
	KeyWrongPassphrase  KeyState = "wrong_passphrase"  // the passphrase does not open the file
	KeyDamaged          KeyState = "damaged"           // store.json, which says where the key is, cannot be read
	KeyUnwritable       KeyState = "unwritable"        // a new key could not be written, or did not come back as written
)

// Describe returns what happened and what to do about it, for a person.
func (s KeyState) Describe() (message, hint string) {
	switch s {
	case KeyUnasked:
		return "the keyring has not been asked yet", ""
	case KeyOK:
		return "the vault is unlocked", ""
	case KeyLocked:
		return "the keyring is locked", "unlock it, for example by logging in to the desktop, and try again"
	case KeyAbsent:
		return "the keyring is not there", "start its service and try again; over ssh or in cron it often does not run"
	case KeyDismissed:
		return "the keyring's prompt was closed", "try again and unlock the keyring when it asks"
	case KeyTimeout:
		return "the keyring did not answer in time", "see whether it waits for a prompt, or restart its service, and try again"
	case KeyMissing:
		return "the keyring does not have this vault's key", "open the keyring that held it, or restore it from a backup; the sealed files are untouched"
	case KeyMismatch:
		return "the key in the keyring does not belong to this vault", "restore the keyring or the vault from the same backup; the sealed files are untouched"
	case KeyDenied:
		return "the keyring refuses access", "allow this program to use its item, and try again"
	case KeyPassphraseNeeded:
		return "the vault needs its passphrase", "set OAUTHMUX_PASSPHRASE, or run it on a terminal to be asked"
	case KeyWrongPassphrase:
		return "the passphrase is wrong", "try again; nothing was changed"
	case KeyDamaged:
		return "the vault's store.json cannot be used", "restore it from a backup; the sealed files are untouched"
	case KeyUnwritable:
		return "the keyring could not keep a new key", "choose another one with keyring.backend, for example \"file\""
	}
	return "the keyring is in an unknown state", ""
}

// KeyError says why there is no key. It never holds a secret.
type KeyError struct {
	State    KeyState
	Err      error // the cause, when there is more to say than the state
	FirstUse bool  // there is no key yet, and none could be made
}

func (e *KeyError) Error() string {
	message, _ := e.State.Describe()
	if e.Err != nil {
		return message + ": " + e.Err.Error()
	}
	return message
}

// Unwrap returns the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// Hint says what to do. Before there is a key, another keyring may be chosen.
func (e *KeyError) Hint() string {
	_, hint := e.State.Describe()
	switch e.State {
	case KeyLocked, KeyAbsent, KeyDismissed, KeyTimeout, KeyDenied:
		if e.FirstUse {
			return hint + `; or keep the key in an encrypted file: keyring.backend = "file"`
		}
	default:
	}
	return hint
}
