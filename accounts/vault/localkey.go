package vault

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const (
	localKeyName   = "local.key"
	localKeyLock   = "local.lock"
	localKeyPrefix = "omx_"
	localKeySize   = 32

	localKeyPatience = 10 * time.Second // somebody else writes a line
)

// LocalKey returns the key that clients on this machine show to the proxy. It
// is made on first use, and is the same for every process of this home. It is
// no secret of a provider's, and needs no keyring. Read once, it stays in
// memory: a proxy asks for it with each request.
func (v *Vault) LocalKey() (string, error) {
	v.mu.Lock()
	key := v.localKey
	v.mu.Unlock()
	if key != "" {
		return key, nil
	}
	key, err := v.readLocalKey()
	if err != nil {
		return "", err
	}
	v.mu.Lock()
	v.localKey = key
	v.mu.Unlock()
	return key, nil
}

func (v *Vault) readLocalKey() (string, error) {
	root, err := v.open()
	if err != nil {
		return "", err
	}
	defer root.close()
	data, err := root.read(localKeyName)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = makeLocalKey(root)
	}
	if err != nil {
		return "", fmt.Errorf("read the local key: %w", err)
	}
	key := strings.TrimSpace(string(data))
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(key, localKeyPrefix))
	if err != nil || len(raw) != localKeySize || !strings.HasPrefix(key, localKeyPrefix) {
		return "", fmt.Errorf("%s is damaged: remove it, and a new one is made", root.path(localKeyName))
	}
	return key, nil
}

// makeLocalKey makes the key, unless another process is faster.
func makeLocalKey(root folder) ([]byte, error) {
	unlock, err := lockFile(root, localKeyLock, localKeyPatience)
	if err != nil {
		return nil, err
	}
	defer unlock()
	raw := make([]byte, localKeySize)
	_, _ = rand.Read(raw) // never fails
	err = publish(root, localKeyName, []byte(localKeyPrefix+base64.RawURLEncoding.EncodeToString(raw)+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return root.read(localKeyName)
}
