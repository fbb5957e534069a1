package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var mentioned = regexp.MustCompile(`\]\(([^)]*pictures/[^)]*\.svg)\)`)

func TestThePicturesOfTheDocumentsAreThereAndHarmless(t *testing.T) {
	const root = "../../"
	named := map[string]bool{}
	for _, document := range []string{"README.md", ".github/SCREENS.md"} {
		text := read(t, root+document)
		found := mentioned.FindAllStringSubmatch(text, -1)
		if len(found) == 0 {
			t.Errorf("%s shows no picture", document)
		}
		for _, m := range found {
			path := filepath.Join(root, filepath.Dir(document), m[1])
			named[filepath.Base(path)] = true
			if err := harmless(read(t, path)); err != nil {
				t.Errorf("%s, which %s shows: %v", m[1], document, err)
			}
		}
	}
	for _, s := range sizes {
		if !named[s.name+".svg"] {
			t.Errorf("no document shows the screen at %s", s.name)
		}
	}
	if size := len(read(t, root+folder+"/demo.svg")); size > 400<<10 {
		t.Errorf("the moving picture has %d bytes", size)
	}
	c, err := readCast(strings.NewReader(read(t, root+folder+"/demo.cast")))
	if err != nil {
		t.Fatal(err)
	}
	if svg(develop(c, ending)) != read(t, root+folder+"/demo.svg") {
		t.Error("demo.svg is not the picture of demo.cast: go run ./ui/pictures -cast " + folder + "/demo.cast")
	}
}

func TestTheDocumentsNameTheCommand(t *testing.T) {
	for _, document := range []string{"README.md", ".github/SCREENS.md", ".github/CONTRIBUTING.md"} {
		if !strings.Contains(read(t, "../../"+document), "go run ./ui/pictures") {
			t.Errorf("%s does not say how its pictures are made", document)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
