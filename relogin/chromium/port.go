package chromium

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-rod/rod/lib/cdp"
)

// portWiring joins a browser by a port of this computer that the browser chooses,
// and writes with a secret path to its profile, which only its owner reads. It
// listens while the visit lasts, and no longer.
type portWiring struct{ profile string }

// portFile is where a browser writes its port, and the path on it.
const portFile = "DevToolsActivePort"

func (w *portWiring) prepare(cmd *exec.Cmd) error {
	// What an earlier browser wrote may be anybody's port by now.
	if err := os.Remove(filepath.Join(w.profile, portFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	cmd.Args = append(cmd.Args, "--remote-debugging-port=0")
	return nil
}

func (w *portWiring) join(ctx context.Context) (link, error) {
	for {
		if address, ok := readPort(filepath.Join(w.profile, portFile)); ok {
			ws := new(cdp.WebSocket)
			if err := ws.Connect(ctx, address, nil); err != nil {
				return nil, err
			}
			return ws, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (w *portWiring) drop() {}

// readPort returns the address that a browser wrote down; a file that is not yet
// whole holds none.
func readPort(file string) (string, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	port, path, ok := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if _, err := strconv.ParseUint(port, 10, 16); err != nil || !ok || !strings.HasPrefix(path, "/devtools/browser/") {
		return "", false
	}
	return "ws://127.0.0.1:" + port + strings.TrimSpace(path), true
}
