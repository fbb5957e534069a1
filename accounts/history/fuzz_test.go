package history

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// FuzzRecords: what is decoded is encoded to the same again, and anything else refused.
func FuzzRecords(f *testing.F) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for id, past := range filled(now) {
		for _, s := range past.Series {
			key := seriesKey(id, s)
			f.Add(key, encodeSeries(key, s))
		}
		f.Add([]byte(id), encodeTally([]byte(id), past.Tally))
	}
	f.Add([]byte("a\x005h\x00"), []byte{})
	f.Add([]byte("a\x005h\x00"), []byte{recordVersion, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, key, body []byte) {
		for _, record := range [][]byte{body, seal(key, append([]byte{recordVersion}, body...))} { // the fuzzer finds no checksum by itself
			if id, s, ok := decodeSeries(key, record); ok {
				again := encodeSeries(key, s)
				_, same, ok := decodeSeries(key, again)
				if !ok || len(same.Readings) != len(s.Readings) || len(s.Readings) > maxReadings || !bytes.Equal(seriesKey(id, s), key) {
					t.Errorf("%q: %+v became %+v", key, s, same)
				}
			}
			if tally, ok := decodeTally(key, record); ok {
				if same, ok := decodeTally(key, encodeTally(key, tally)); !ok || same != tally {
					t.Errorf("%q: %+v became %+v", key, tally, same)
				}
				tally.At(now)
				tally.Add(now, 10*time.Minute, 1)
			}
		}
	})
}

// FuzzFile: a file in which some bytes are others is read or refused.
func FuzzFile(f *testing.F) {
	whole := aFile(f, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)) // the same each time, so that what is found stays found
	f.Add(uint16(0), []byte("this is no history"))
	f.Add(uint16(8), []byte{leafPage, 0, 1})
	f.Add(uint16(2*4096+pageHeader+8), []byte{2, 0, 0, 0, 0, 0, 0, 0})
	path := filepath.Join(f.TempDir(), "history.db")
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		raw := append([]byte{}, whole...)
		copy(raw[min(int(at), len(raw)):], patch)
		put(t, path, raw)
		if _, err := New(path, nil).Load(); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("Load: %v", err)
		}
	})
}
