//go:build unix

package chromium

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// pipeWiring joins a browser by two pipes, which it has as its descriptors 3 and
// 4. It listens nowhere, and it ends when our ends of them are gone, so also when
// this process is killed.
type pipeWiring struct {
	theirs [2]*os.File
	ours   *pipe
	joined bool
}

func (w *pipeWiring) prepare(cmd *exec.Cmd) error {
	commands, toBrowser, err := os.Pipe()
	if err != nil {
		return err
	}
	fromBrowser, answers, err := os.Pipe()
	if err != nil {
		return errors.Join(err, commands.Close(), toBrowser.Close())
	}
	w.theirs = [2]*os.File{commands, answers}
	w.ours = &pipe{w: toBrowser, file: fromBrowser, r: bufio.NewReaderSize(fromBrowser, 64<<10)}
	cmd.ExtraFiles = w.theirs[:]
	cmd.Args = append(cmd.Args, "--remote-debugging-pipe")
	keepOthers()
	return nil
}

func (w *pipeWiring) join(context.Context) (link, error) {
	w.joined = true
	return w.ours, nil
}

// drop closes the browser's ends. Ours are closed with the link, if there is one.
func (w *pipeWiring) drop() {
	if !w.joined {
		_ = w.ours.Close()
	}
	for _, f := range w.theirs {
		_ = f.Close()
	}
}

// keepOthers keeps descriptors that this process inherited from a browser. Those
// that it opened itself are kept already.
func keepOthers() {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// pipe is a link of messages that end with a zero byte.
type pipe struct {
	mu sync.Mutex // one message is written at a time
	w  *os.File

	file *os.File
	r    *bufio.Reader
}

var errGarbage = errors.New("the browser's message is not JSON, or is too long")

func (p *pipe) Send(message []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.w.Write(append(message, 0))
	return err
}

// messageLimit bounds a message: a picture of a page is the longest.
const messageLimit = 64 << 20

func (p *pipe) Read() ([]byte, error) {
	var message []byte
	for {
		part, err := p.r.ReadSlice(0)
		message = append(message, part...)
		switch {
		case len(message) > messageLimit:
			return nil, errGarbage
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return nil, err
		}
		message = message[:len(message)-1]
		if !json.Valid(message) { // the client panics at it
			return nil, errGarbage
		}
		return message, nil
	}
}

// Close ends a Read or Send that waits.
func (p *pipe) Close() error { return errors.Join(p.w.Close(), p.file.Close()) }
