package main

import (
	"slices"
	"time"
)

// strip is one row of the picture over time: the different looks it has, and which
// it has from when on. A row that never changes has one look.
type strip struct {
	looks [][]cell
	cuts  []cut
}

type cut struct {
	at   time.Duration
	look int
}

func (s *strip) add(at time.Duration, row []cell) {
	look := slices.IndexFunc(s.looks, func(l []cell) bool { return slices.Equal(l, row) })
	if look < 0 {
		look = len(s.looks)
		s.looks = append(s.looks, slices.Clone(row))
	}
	if n := len(s.cuts); n == 0 || s.cuts[n-1].look != look {
		s.cuts = append(s.cuts, cut{at, look})
	}
}

// film is a cast cut into strips, which together are all that is drawn.
type film struct {
	columns, rows int
	title         string
	length        time.Duration
	strips        []strip
	captions      []event
}

// develop plays a cast. What is written at one moment is one frame; the last
// frame stays for its time.
func develop(c cast, last time.Duration) film {
	f := film{columns: c.Columns, rows: c.Rows, title: c.Title, strips: make([]strip, c.Rows)}
	s := newScreen(c.Columns, c.Rows)
	for i, e := range c.Events {
		if f.length = e.At + last; e.Kind == "m" {
			f.captions = append(f.captions, e)
			continue
		}
		if e.Kind == "o" {
			s.write(e.Data)
		}
		if i+1 < len(c.Events) && c.Events[i+1].At == e.At {
			continue
		}
		for row := range f.strips {
			f.strips[row].add(e.At, s.cells[row])
		}
	}
	return f
}
