package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// cast is a recording in asciinema's format, asciicast v2: a line of JSON about
// the terminal, then one for each event.
type cast struct {
	Columns, Rows int
	Title         string
	Events        []event
}

// event is what happened At that time after the beginning: output ("o") to the
// terminal, or a marker ("m"), which here is what the picture says of the scene.
type event struct {
	At   time.Duration
	Kind string
	Data string
}

type castHeader struct {
	Version int               `json:"version"`
	Width   int               `json:"width"`
	Height  int               `json:"height"`
	Title   string            `json:"title,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
}

func (c cast) write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	header := castHeader{2, c.Columns, c.Rows, c.Title, map[string]string{"TERM": "xterm-256color"}}
	if err := enc.Encode(header); err != nil {
		return err
	}
	for _, e := range c.Events {
		if err := enc.Encode([]any{e.At.Round(time.Millisecond).Seconds(), e.Kind, e.Data}); err != nil {
			return err
		}
	}
	return nil
}

func readCast(r io.Reader) (cast, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() {
		return cast{}, errors.Join(errors.New("no header"), lines.Err())
	}
	var h castHeader
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return cast{}, fmt.Errorf("read the header: %w", err)
	}
	if h.Version != 2 {
		return cast{}, fmt.Errorf("version %d is not 2", h.Version)
	}
	c := cast{Columns: h.Width, Rows: h.Height, Title: h.Title}
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var at float64
		var e event
		if err := json.Unmarshal(lines.Bytes(), &[]any{&at, &e.Kind, &e.Data}); err != nil {
			return cast{}, fmt.Errorf("read event %d: %w", len(c.Events)+1, err)
		}
		e.At = time.Duration(at * float64(time.Second)).Round(time.Millisecond)
		c.Events = append(c.Events, e)
	}
	return c, lines.Err()
}

// recorder makes a cast of captured screens: only the rows that changed are in it.
type recorder struct {
	cast cast
	last [][]cell
}

func (r *recorder) look(at time.Duration, now *screen) {
	var out strings.Builder
	for i, row := range now.cells {
		if r.last == nil || !slices.Equal(row, r.last[i]) {
			fmt.Fprintf(&out, "\x1b[%d;1H%s\x1b[K", i+1, line(row))
		}
	}
	r.last = now.cells
	if out.Len() > 0 {
		r.cast.Events = append(r.cast.Events, event{at, "o", out.String()})
	}
}

func (r *recorder) mark(at time.Duration, caption string) {
	r.cast.Events = append(r.cast.Events, event{at, "m", caption})
}
