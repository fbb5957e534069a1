package main

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files again")

func tiny(t *testing.T) cast {
	t.Helper()
	in, err := os.Open("testdata/tiny.cast")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	c, err := readCast(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestACastIsDrawn(t *testing.T) {
	got := svg(develop(tiny(t), time.Second))
	if err := harmless(got); err != nil {
		t.Error(err)
	}
	const golden = "testdata/tiny.svg"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.ReplaceAll(string(want), "\r\n", "\n") {
		t.Errorf("the picture differs from %s; look at it and write it again with -update:\n%s", golden, got)
	}
}

// The recording of a screen must show that screen: what is played is what was seen.
func TestWhatIsRecordedPlaysAsItWasSeen(t *testing.T) {
	c := tiny(t)
	s := newScreen(c.Columns, c.Rows)
	r := recorder{cast: cast{Columns: c.Columns, Rows: c.Rows}}
	var seen []string
	for _, e := range c.Events {
		if e.Kind != "o" {
			continue
		}
		s.write(e.Data)
		now := newScreen(c.Columns, c.Rows)
		for i := range s.cells {
			copy(now.cells[i], s.cells[i])
		}
		r.look(e.At, now)
		r.look(e.At, now) // nothing changed: no event
		seen = append(seen, picture(s))
	}

	var file strings.Builder
	if err := r.cast.write(&file); err != nil {
		t.Fatal(err)
	}
	again, err := readCast(strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	if len(again.Events) != len(seen) {
		t.Fatalf("%d events for %d screens", len(again.Events), len(seen))
	}
	played := newScreen(c.Columns, c.Rows)
	for i, e := range again.Events {
		played.write(e.Data)
		if got := picture(played); got != seen[i] {
			t.Errorf("at %v it plays\n%s\nand was\n%s", e.At, got, seen[i])
		}
	}
}

// picture is the screen in a form that shows every cell and its style.
func picture(s *screen) string {
	var out strings.Builder
	for _, row := range s.cells {
		fmt.Fprintf(&out, "%+v\n", row)
	}
	return out.String()
}

// harmless checks that a picture is XML with no script in it and nothing that is
// fetched from elsewhere: GitHub shows no other.
func harmless(svg string) error {
	d := xml.NewDecoder(strings.NewReader(svg))
	for elements := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && elements > 0 {
			return nil
		}
		if err != nil {
			return err
		}
		switch token := token.(type) {
		case xml.StartElement:
			elements++
			switch token.Name.Local {
			case "script", "foreignObject", "image", "a", "iframe":
				return errors.New("it has an element " + token.Name.Local)
			}
			for _, a := range token.Attr {
				if a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
					return errors.New("it has an attribute " + a.Name.Local)
				}
			}
		case xml.CharData:
			for _, fetch := range []string{"url(", "@import"} {
				if strings.Contains(string(token), fetch) {
					return errors.New("its style has " + fetch)
				}
			}
		}
	}
}
