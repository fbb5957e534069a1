package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	patience = 45 * time.Second       // how long a screen may take to show what it must
	glance   = 200 * time.Millisecond // between two looks at it, and so between two frames
	tmuxConf = "set -g status off\nset -s escape-time 0\nset -g remain-on-exit on\n"
)

// terminal is a tmux server of its own with one program in it. All of its looks
// at the screen go into the recording, from the moment there is one.
type terminal struct {
	dir           string // its socket, and the program's home
	columns, rows int

	recording *recorder // nil: nothing is recorded
	began     time.Time // of the recording
}

// open starts a program in a terminal of that size. Close it.
func open(ctx context.Context, columns, rows int, program ...string) (*terminal, error) {
	dir, err := os.MkdirTemp("/tmp", "oauthmux-pictures-") // a short path: a socket's has a limit
	if err != nil {
		return nil, err
	}
	t := &terminal{dir: dir, columns: columns, rows: rows}
	conf := filepath.Join(dir, "tmux.conf")
	if err := os.WriteFile(conf, []byte(tmuxConf), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	args := []string{
		"-f", conf, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows),
		"env", "-i", "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"),
	}
	if _, err := t.tmux(ctx, append(args, program...)...); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

// close ends the program, by its key so that it tidies up itself, and removes what was
// the terminal's own.
func (t *terminal) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	t.recording = nil
	for ctx.Err() == nil {
		if dead, err := t.tmux(ctx, "display-message", "-p", "#{pane_dead}"); err != nil || strings.TrimSpace(dead) == "1" {
			break
		}
		key := "C-c"
		if _, text, err := t.look(ctx); err == nil && strings.Contains(text, "Quit?") {
			key = "y"
		}
		_ = t.press(ctx, key) // it may have ended just now
		pause(ctx, glance)
	}
	_, err := t.tmux(context.WithoutCancel(ctx), "kill-server")
	return errors.Join(err, os.RemoveAll(t.dir))
}

func (t *terminal) tmux(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-u", "-L", "pictures"}, args...)...) //nolint:gosec // the arguments are this program's
	cmd.Env = []string{"TMUX_TMPDIR=" + t.dir, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8", "SHELL=/bin/sh", "TERM=xterm-256color"}
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("tmux %s: %w %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return string(out), nil
}

// press presses keys, by tmux's names for them: Down, Escape, w.
func (t *terminal) press(ctx context.Context, keys ...string) error {
	_, err := t.tmux(ctx, append([]string{"send-keys"}, keys...)...)
	return err
}

// look is what the terminal shows, as a screen and as text without colors.
func (t *terminal) look(ctx context.Context) (*screen, string, error) {
	out, err := t.tmux(ctx, "capture-pane", "-e", "-N", "-p") // -N: with the spaces at the ends, which may have a background
	if err != nil {
		return nil, "", err
	}
	s := newScreen(t.columns, t.rows)
	s.write(out)
	if t.recording != nil {
		t.recording.look(time.Since(t.began), s)
	}
	return s, s.String(), nil
}

// shows waits until the screen matches, and returns it.
func (t *terminal) shows(ctx context.Context, pattern string) (*screen, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; pause(ctx, glance) {
		s, text, err := t.look(ctx)
		if err != nil || re.MatchString(text) {
			return s, err
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("waited in vain for %q; the screen shows:\n%s", pattern, text)
		}
	}
}

// stay goes on looking for as long as a reader of the picture needs.
func (t *terminal) stay(ctx context.Context, d time.Duration) error {
	for end := time.Now().Add(d); time.Now().Before(end); pause(ctx, glance) {
		if _, _, err := t.look(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// record begins a recording.
func (t *terminal) record(title string) {
	t.recording = &recorder{cast: cast{Columns: t.columns, Rows: t.rows, Title: title}}
	t.began = time.Now()
}

// caption says in the recording what is to be seen from now on.
func (t *terminal) caption(text string) {
	t.recording.mark(time.Since(t.began), text)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
