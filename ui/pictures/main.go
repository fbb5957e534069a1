// Command pictures makes the pictures of the README and of the page of screens. It
// builds the program, runs its demo in terminals of fixed sizes, plays a story on
// its keys, and writes what was to be seen: a recording in asciinema's format, a
// moving picture of it, and a still of each size.
//
// It is run in the repository's top folder, and needs Go and tmux:
//
//	go run ./ui/pictures
//
// With -cast FILE it draws that recording again and plays nothing.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"
)

const (
	folder = ".github/pictures"
	ending = 2 * time.Second // how long the film's last frame stays
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	again := flag.String("cast", "", "draw this `FILE` again instead of recording the demo")
	flag.Parse()
	err := run(ctx, *again)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, again string) error {
	if again != "" {
		return redraw(again)
	}
	dir, err := os.MkdirTemp("", "oauthmux-pictures-")
	if err != nil {
		return err
	}
	program := filepath.Join(dir, "oauthmux")
	if out, buildErr := exec.CommandContext(ctx, "go", "build", "-o", program, ".").CombinedOutput(); buildErr != nil { //nolint:gosec // its own temporary folder
		err = fmt.Errorf("build the program: %w\n%s", buildErr, out)
	} else {
		err = record(ctx, program)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// redraw makes the moving picture of a recording that is there.
func redraw(file string) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	c, err := readCast(in)
	if err := errors.Join(err, in.Close()); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	return save("demo.svg", svg(develop(c, ending)))
}

// record makes all of the pictures: first the film, which has stills of its own.
func record(ctx context.Context, program string) error {
	films := filepath.Join(folder, "demo.cast")
	err := in(ctx, program, size{110, 30, "110x30"}, func(t *terminal) error {
		if _, err := t.shows(ctx, served); err != nil {
			return err
		}
		t.record("oauthmux demo")
		stills, err := act(ctx, t, story)
		if err != nil {
			return err
		}
		if err := saveCast(films, t.recording.cast); err != nil {
			return err
		}
		for name, s := range stills {
			if err := save(name+".svg", still(s, "oauthmux demo, 110x30")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, s := range sizes {
		if err := in(ctx, program, s, func(t *terminal) error { return portray(ctx, t, s) }); err != nil {
			return fmt.Errorf("at %s: %w", s.name, err)
		}
	}
	return redraw(films)
}

// portray makes the still of a size, while an account cools.
func portray(ctx context.Context, t *terminal, s size) error {
	seen, err := t.shows(ctx, limited)
	if err != nil {
		return err
	}
	if err := save(s.name+".svg", still(seen, "oauthmux demo, "+s.name)); err != nil {
		return err
	}
	if s.name != "80x24" {
		return nil
	}
	add, err := act(ctx, t, []step{{keys: []string{"a"}, shows: adding, stay: 2 * glance, still: "add"}})
	if err != nil {
		return err
	}
	return save("add.svg", still(add["add"], "oauthmux demo, "+s.name))
}

// in runs the demo in a terminal of that size for as long as what is done in it.
func in(ctx context.Context, program string, s size, do func(*terminal) error) error {
	t, err := open(ctx, s.columns, s.rows, program, "demo")
	if err != nil {
		return err
	}
	return errors.Join(do(t), t.close(ctx))
}

// still is the picture of one screen.
func still(s *screen, title string) string {
	r := recorder{cast: cast{Columns: s.columns, Rows: s.rows, Title: title}}
	r.look(0, s)
	return svg(develop(r.cast, time.Second))
}

func save(name, picture string) error {
	return write(filepath.Join(folder, name), []byte(picture))
}

func saveCast(path string, c cast) error {
	var out bytes.Buffer
	if err := c.write(&out); err != nil {
		return err
	}
	return write(path, out.Bytes())
}

func write(path string, what []byte) error {
	if err := os.WriteFile(path, what, 0o644); err != nil { //nolint:gosec // pictures are for everybody
		return err
	}
	fmt.Printf("%s  %d KB\n", path, (len(what)+1023)/1024)
	return nil
}
