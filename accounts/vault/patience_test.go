package vault

import (
	"testing"
	"testing/synctest"
	"time"
)

// A busy machine takes its time to decrypt a file. That is no keyring that hangs.
func TestTheEncryptedFileIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := newMemDisk(), newRing()
		r.setHook(func(string) error { time.Sleep(2 * quickPatience); return nil })
		for _, what := range []string{"made", "read again"} {
			v, err := openOn(Options{Dir: "/vault", Backend: backendFile, Passphrase: "x", OpenKeyring: r.open, Rescue: []string{}}, d)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			if got := stateIn(v.Unlock(t.Context(), "", false)); got != KeyOK {
				t.Errorf("the key that is %s: %s", what, got)
			}
		}
	})
}
