package vault

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/99designs/keyring"

	"github.com/oauthmux/oauthmux/accounts/early"
)

const (
	backendFile          = string(keyring.FileBackend)
	backendPass          = string(keyring.PassBackend)
	backendKWallet       = string(keyring.KWalletBackend)
	backendSecretService = string(keyring.SecretServiceBackend)
	backendKeychain      = string(keyring.KeychainBackend)
	backendWinCred       = string(keyring.WinCredBackend)

	serviceName = "oauthmux"
)

// knownBackends are keyring's, but for the kernel's: it forgets at reboot.
var knownBackends = []string{backendKeychain, backendSecretService, backendKWallet, backendWinCred, backendPass, backendFile}

// Backends returns the names that Options.Backend may have.
func Backends() []string { return slices.Clone(knownBackends) }

// candidates returns the keyrings that a new key may go to, best first.
func (v *Vault) candidates() []string {
	if v.options.Backend != "" {
		return []string{v.options.Backend}
	}
	switch runtime.GOOS {
	case "darwin":
		return []string{backendKeychain, backendPass, backendFile}
	case "windows":
		return []string{backendWinCred, backendFile}
	}
	return []string{backendSecretService, backendKWallet, backendPass, backendFile}
}

// FirstUse reports whether there is no key yet, so that Unlock would make one.
// A passphrase is then a new one, and worth asking for twice.
func (v *Vault) FirstUse() bool {
	_, err := v.readStore()
	return errors.Is(err, errNoStore)
}

// getKey reads the store's key from its keyring, and never writes.
func (v *Vault) getKey(s store, f *flight) ([]byte, error) {
	if v.options.Backend != "" && v.options.Backend != s.Backend {
		v.log.Warn("the key stays in the keyring it was made in", "backend", s.Backend, "configured", v.options.Backend)
	}
	if s.Backend == backendFile && !v.replacedKeyring() {
		root, err := v.open()
		if err != nil {
			return nil, &KeyError{State: KeyDenied, Err: err}
		}
		defer root.close()
		if err := checkItem(root, s.Item); err != nil {
			return nil, &KeyError{State: KeyDenied, Err: err}
		}
	}
	ring, err := v.openRing(s.Backend, f, false)
	if err != nil {
		return nil, err
	}
	return getItem(ring, s, f)
}

func getItem(ring keyring.Keyring, s store, f *flight) ([]byte, error) {
	item, err := ring.Get(s.Item)
	switch {
	case err == nil && len(item.Data) == keySize:
		return slices.Clone(item.Data), nil // it will be wiped, and is the keyring's
	case err == nil:
		return nil, &KeyError{State: KeyMismatch, Err: errors.New("the item has another length")}
	case s.Backend == backendFile && !errors.Is(err, keyring.ErrKeyNotFound) && !errors.Is(err, fs.ErrPermission):
		if !s.Canary.sings(f.passphrase) {
			return nil, &KeyError{State: KeyWrongPassphrase}
		}
		return nil, &KeyError{State: KeyMismatch, Err: errors.New("the encrypted file is damaged")}
	}
	return nil, &KeyError{State: stateOf(err, f.interactive, KeyDenied), Err: err}
}

// makeKeyIn makes a key in one keyring: written, read back through a keyring
// opened anew, compared, and only then named in store.json.
func (v *Vault) makeKeyIn(root folder, backend string, f *flight) (store, []byte, error) {
	s, key, err := newStore()
	if err != nil {
		return s, nil, &KeyError{State: KeyUnwritable, Err: err}
	}
	s.Backend = backend
	if backend == backendFile && f.passphrase != "" {
		if s.Canary, err = newCanary(f.passphrase); err != nil {
			return s, nil, &KeyError{State: KeyUnwritable, Err: err}
		}
		dir, err := root.sub(keyringFolder, true)
		if err != nil {
			return s, nil, &KeyError{State: KeyUnwritable, Err: err}
		}
		dir.close()
	}
	ring, err := v.openRing(backend, f, true)
	if err != nil {
		return s, nil, err
	}
	err = ring.Set(keyring.Item{
		Key: s.Item, Data: slices.Clone(key), Label: serviceName,
		Description: "opens the sealed accounts of " + v.options.Dir,
	})
	if err != nil {
		return s, nil, &KeyError{State: stateOf(err, f.interactive, KeyUnwritable), Err: err}
	}
	err = v.verifyKey(root, s, key, f)
	if err == nil {
		if err = s.publish(root); err == nil {
			return s, key, nil
		}
		err = &KeyError{State: KeyUnwritable, Err: err}
	}
	// Nothing was ever sealed with it. But a store.json that could be renamed
	// and not synced may be there, and names it.
	if _, there := root.read(storeName); errors.Is(there, fs.ErrNotExist) {
		_ = ring.Remove(s.Item)
	}
	return s, nil, err
}

// verifyKey makes sure that the key is where it can be found again.
func (v *Vault) verifyKey(root folder, s store, key []byte, f *flight) error {
	if err := v.syncItem(root, s); err != nil {
		return &KeyError{State: KeyUnwritable, Err: err}
	}
	ring, err := v.openRing(s.Backend, f, true)
	if err != nil {
		return err
	}
	back, err := getItem(ring, s, f)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(back, key) == 0 {
		return &KeyError{State: KeyUnwritable, Err: errors.New("another value came back")}
	}
	return nil
}

// syncItem makes durable what keyring writes to plain files without fsync.
func (v *Vault) syncItem(root folder, s store) error {
	switch {
	case v.replacedKeyring():
	case s.Backend == backendPass:
		return syncPath(filepath.Join(passStore(), serviceName, s.Item+".gpg"))
	case s.Backend == backendFile:
		path := filepath.Join(v.options.Dir, keyringFolder, s.Item)
		if err := os.Chmod(path, 0o600); err != nil { // the umask may have taken bits away
			return err
		}
		if err := checkItem(root, s.Item); err != nil {
			return err
		}
		return syncPath(path)
	}
	return nil
}

// checkItem makes sure that the encrypted file, if there is one, is ours and
// private before keyring opens it by its path.
func checkItem(root folder, item string) error {
	dir, err := root.sub(keyringFolder, false)
	if err == nil {
		defer dir.close()
		_, err = dir.read(item)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncPath fsyncs a file and its folder.
func syncPath(path string) error {
	for _, path := range []string{path, filepath.Dir(path)} {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = syncOpen(f)
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// openRing opens one keyring and no other.
func (v *Vault) openRing(backend string, f *flight, making bool) (keyring.Keyring, error) {
	switch {
	case backend == backendFile && f.passphrase == "":
		return nil, &KeyError{State: KeyPassphraseNeeded}
	case v.replacedKeyring():
	case backend == backendPass && !hasPassStore():
		return nil, &KeyError{State: KeyAbsent, Err: errors.New("pass has no store")}
	case onBus(backend) && early.BusMute():
		// Unknown, which is not the same as absent: the next one must not be
		// taken in its place.
		return nil, &KeyError{State: KeyTimeout, Err: errors.New("the session bus does not answer")}
	case backend == backendSecretService && !early.BusDead():
		if err := askFirst(f.interactive, making); err != nil {
			return nil, err
		}
	}
	config := keyring.Config{
		AllowedBackends:                []keyring.BackendType{keyring.BackendType(backend)},
		ServiceName:                    serviceName,
		KeychainTrustApplication:       true,
		KeychainAccessibleWhenUnlocked: true,
		KWalletAppID:                   serviceName,
		KWalletFolder:                  serviceName,
		LibSecretCollectionName:        secretCollection,
		PassPrefix:                     serviceName,
		WinCredPrefix:                  serviceName,
		FileDir:                        filepath.Join(v.options.Dir, keyringFolder),
		FilePasswordFunc:               keyring.FixedStringPrompt(f.passphrase),
	}
	if backend == backendKWallet {
		config.ServiceName = "" // the user's own wallet, not one of ours
	}
	ring, err := v.openKeyring(config)
	if err != nil {
		return nil, &KeyError{State: stateOf(err, f.interactive, KeyAbsent), Err: fmt.Errorf("%s: %w", backend, err)}
	}
	return ring, nil
}

func (v *Vault) replacedKeyring() bool { return v.options.OpenKeyring != nil }

func (v *Vault) openKeyring(c keyring.Config) (keyring.Keyring, error) {
	if v.replacedKeyring() {
		return v.options.OpenKeyring(c)
	}
	return keyring.Open(c)
}

func onBus(backend string) bool {
	return backend == backendSecretService || backend == backendKWallet
}

// stateOf names what a keyring's error means.
func stateOf(err error, interactive bool, otherwise KeyState) KeyState {
	locked := KeyLocked
	if interactive {
		locked = KeyDismissed // it asked, and is locked still
	}
	if state, ok := systemState(err); ok {
		if state == KeyLocked {
			return locked
		}
		return state
	}
	var (
		exit   *exec.ExitError
		syntax *json.SyntaxError
		typed  *json.UnmarshalTypeError
		base   base64.CorruptInputError
	)
	switch {
	case errors.Is(err, keyring.ErrNoAvailImpl):
		return KeyAbsent
	case errors.Is(err, keyring.ErrKeyNotFound):
		return KeyMissing
	case errors.Is(err, fs.ErrPermission):
		return KeyDenied
	case errors.As(err, &exit): // pass: gpg has no key, or nobody to ask for its passphrase
		return locked
	case errors.As(err, &syntax), errors.As(err, &typed), errors.As(err, &base):
		return KeyMismatch // an item, but none that keyring wrote, or half of one
	}
	return otherwise
}

// passStore returns where pass keeps its files.
func passStore() string {
	if dir := os.Getenv("PASSWORD_STORE_DIR"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".password-store")
}

// hasPassStore reports whether pass was ever set up: that it is installed says
// nothing.
func hasPassStore() bool {
	_, err := os.Stat(filepath.Join(passStore(), ".gpg-id"))
	return err == nil
}
