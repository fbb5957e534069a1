package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// aFile is the bytes of a file with pages of every kind.
func aFile(tb testing.TB, now time.Time) []byte {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "history.db")
	s := New(path, nil)
	for _, n := range []int{3, 250} { // pages are freed
		news := filled(now)
		for _, id := range []accounts.ID{"d", "e", "f"} {
			news[id] = usage.Past{Series: []usage.Series{series(now, n)}}
		}
		if err := s.Save(news, nil); err != nil {
			tb.Fatal(err)
		}
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func put(tb testing.TB, path string, raw []byte) {
	tb.Helper()
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// wantAside has the store write, and looks for the file that was moved aside.
func wantAside(t *testing.T, what, path string) {
	t.Helper()
	s := New(path, nil)
	if _, err := s.Load(); !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: Load: %v", what, err)
	}
	if left, _ := filepath.Glob(path + ".bad-*"); len(left) > 0 {
		t.Errorf("%s: to read moved it aside", what)
	}
	if err := s.Save(map[accounts.ID]usage.Past{"new": {Series: []usage.Series{series(time.Now(), 2)}}}, nil); err != nil {
		t.Errorf("%s: Save: %v", what, err)
		return
	}
	if got := load(t, path); len(got) != 1 || len(got["new"].Series) != 1 {
		t.Errorf("%s: afterwards %+v", what, got)
	}
	if left, _ := filepath.Glob(path + ".bad-*"); len(left) != 1 {
		t.Errorf("%s: aside lie %v", what, left)
	}
}

func TestADamagedFileIsMovedAside(t *testing.T) {
	whole := aFile(t, time.Now())
	page := os.Getpagesize()
	for name, raw := range map[string][]byte{
		"a byte":                  whole[:1],
		"half a page":             whole[:page/2],
		"a page":                  whole[:page],
		"two pages":               whole[:2*page],
		"a page and a half less":  whole[:len(whole)/page*page/2+page/2],
		"text":                    []byte(strings.Repeat("this is no history\n", 4000)),
		"zeros":                   make([]byte, 64<<10),
		"the metas and then text": append(append([]byte{}, whole[:2*page]...), strings.Repeat("this is no history\n", 4000)...),
	} {
		path := filepath.Join(t.TempDir(), "history.db")
		put(t, path, raw)
		wantAside(t, name, path)
	}
}

func TestWhatIsNoFileIsMovedAside(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	for name, make := range map[string]func(path string) error{
		"a folder":          func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":            func(path string) error { return os.Symlink(elsewhere, path) },
		"a file too large":  func(path string) error { put(t, path, nil); return os.Truncate(path, fileLimit+1) },
		"another program's": otherProgram,
	} {
		path := filepath.Join(t.TempDir(), "history.db")
		if err := make(path); err != nil {
			t.Fatal(err)
		}
		if name == "another program's" {
			save(t, New(path, nil), filled(time.Now())) // its tables are not ours, and nobody's harm
			continue
		}
		wantAside(t, name, path)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("something was written to where a link leads")
	}
}

func otherProgram(path string) error {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket(readings)
		if err != nil {
			return err
		}
		_, err = b.CreateBucket([]byte("a bucket where a record is expected"))
		return errors.Join(err, b.Put([]byte("no key of ours"), []byte("no record")))
	})
	return errors.Join(err, db.Close())
}

// Whatever byte of the file is another one: it is read or refused, and written to in
// the end. Nothing hangs, and nothing takes the program down.
func TestEveryByteMayBeAnother(t *testing.T) {
	whole := aFile(t, time.Now())
	path := filepath.Join(t.TempDir(), "history.db")
	page := os.Getpagesize()
	refused, tried := 0, 0
	for at := range whole {
		// Each byte of what leads from page to page, and some of the records.
		if at%page >= 64 && at%397 != 0 {
			continue
		}
		for _, other := range []byte{whole[at] ^ 1, 0xff} {
			raw := append([]byte{}, whole...)
			raw[at] = other
			tried++
			if err := walk(raw); err != nil {
				refused++
				continue
			}
			put(t, path, raw)
			s := New(path, nil)
			if _, err := s.Load(); err != nil && !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d as %#x: Load: %v", at, other, err)
			}
			if at%29 == 0 {
				s.pruned = time.Now()
				if err := s.Save(filled(time.Now()), []accounts.ID{"d"}); err != nil {
					t.Fatalf("byte %d as %#x: Save: %v", at, other, err)
				}
			}
		}
	}
	t.Logf("%d files of %d bytes tried, %d refused at first sight", tried, len(whole), refused)
	if refused < tried/20 {
		t.Errorf("only %d of %d were refused", refused, tried)
	}
}

// A branch that leads back to itself would never end.
func TestCirclesAreSeen(t *testing.T) {
	whole := aFile(t, time.Now())
	page := uint64(os.Getpagesize())
	circles := 0
	for id := uint64(2); (id+1)*page <= uint64(len(whole)); id++ {
		raw := append([]byte{}, whole...)
		at := id * page
		if native.Uint64(raw[at:]) != id || native.Uint16(raw[at+8:]) != leafPage {
			continue
		}
		native.PutUint16(raw[at+8:], branchPage)
		native.PutUint16(raw[at+10:], 1)
		native.PutUint32(raw[at+pageHeader:], 16)
		native.PutUint32(raw[at+pageHeader+4:], 1)
		native.PutUint64(raw[at+pageHeader+8:], id)
		if walk(raw) != nil {
			circles++
		}
	}
	if circles == 0 {
		t.Error("no circle was seen")
	}
}

func TestAFileThatShrinksUnderneathIsRefused(t *testing.T) {
	whole := aFile(t, time.Now())
	page := os.Getpagesize()
	for pages := 2; pages < len(whole)/page; pages++ {
		path := filepath.Join(t.TempDir(), "history.db")
		put(t, path, whole)
		s := New(path, nil)
		if _, err := s.Load(); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, int64(pages*page)); err != nil { // by whomever, after it was looked at
			t.Fatal(err)
		}
		if _, err := s.Load(); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("%d pages: Load: %v", pages, err)
		}
		if err := s.Save(map[accounts.ID]usage.Past{"new": {Series: []usage.Series{series(time.Now(), 2)}}}, nil); err != nil {
			t.Errorf("%d pages: Save: %v", pages, err)
		}
		if got, err := New(path, nil).Load(); err == nil && len(got["new"].Series) != 1 {
			t.Errorf("%d pages: afterwards %+v", pages, got)
		}
	}
}

// Records that lie over one another could be followed for ever: each of sixteen
// elements leads to the same bucket, and so on, forty levels down.
func TestRecordsThatLieOverOneAnotherAreDamage(t *testing.T) {
	const fan, levels, header = 16, 40, 16
	const step = header + pageHeader + fan*element
	file := make([]byte, levels*step)
	for level := range levels {
		start := level * step
		native.PutUint16(file[start+8:], leafPage)
		if level == levels-1 {
			break // an empty one
		}
		native.PutUint16(file[start+10:], fan)
		next := start + step - header // of the bucket's own header
		for i := range fan {
			at := start + pageHeader + i*element
			native.PutUint32(file[at:], bucketLeaf)
			native.PutUint32(file[at+4:], uint32(next-at))
			native.PutUint32(file[at+12:], uint32(len(file)-next))
		}
	}
	w := &walker{file: file, elements: uint64(len(file)) / element, bytes: nesting * uint64(len(file))}
	if w.leaf(file) {
		t.Error("it is taken for whole")
	}
}
