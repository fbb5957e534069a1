package history

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// A record is a version, numbers of variable length, and a checksum of its key and of
// all that: pages have none. Times are milliseconds since 1970, each told by its
// difference from the one before; shares are millionths.
const (
	recordVersion = 1
	checksumSize  = 4
	shareUnit     = 1e6
)

// Bounds of what is believed.
const (
	maxShare  = 10
	maxLength = 400 * 24 * time.Hour
	maxWord   = 64                 // bytes of a window's name, or a scope
	maxMilli  = 253402300799 * 1e3 // the end of the year 9999
)

// seriesKey is the account, the window's name and its scope.
func seriesKey(id accounts.ID, s usage.Series) []byte {
	return bytes.Join([][]byte{[]byte(id), []byte(s.Name), []byte(s.Scope)}, []byte{0})
}

// encodeSeries makes a record of readings that lie in order.
func encodeSeries(key []byte, s usage.Series) []byte {
	b := make([]byte, 0, 16+8*len(s.Readings))
	b = append(b, recordVersion)
	b = binary.AppendVarint(b, s.Length.Milliseconds())
	b = binary.AppendVarint(b, int64(len(s.Readings)))
	var at, resets int64
	for _, r := range s.Readings {
		next := r.At.UnixMilli()
		b = binary.AppendVarint(b, next-at)
		b = binary.AppendVarint(b, int64(math.Round(r.Used*shareUnit)))
		at, next = next, 0
		if !r.ResetsAt.IsZero() {
			next = r.ResetsAt.UnixMilli()
		}
		b = binary.AppendVarint(b, next-resets)
		resets = next
	}
	return seal(key, b)
}

// decodeSeries reads a record. It reports false for one that encodeSeries did not
// make, or that says what cannot be.
func decodeSeries(key, record []byte) (id accounts.ID, s usage.Series, ok bool) {
	words := bytes.Split(key, []byte{0})
	n, ok := unseal(key, record)
	if !ok || len(words) != 3 || len(words[1]) > maxWord || len(words[2]) > maxWord {
		return "", usage.Series{}, false
	}
	s = usage.Series{Name: string(words[1]), Scope: string(words[2])}
	s.Length = time.Duration(n.between(1, maxLength.Milliseconds())) * time.Millisecond
	count := n.between(1, maxReadings)
	var at, resets int64
	for range count {
		before := at
		at += n.between(-maxMilli, maxMilli)
		used := float64(n.between(0, maxShare*shareUnit)) / shareUnit
		resets += n.between(-maxMilli, maxMilli)
		if n.bad || at <= before || at > maxMilli || resets < 0 || resets > maxMilli {
			return "", usage.Series{}, false
		}
		r := usage.Reading{At: time.UnixMilli(at).UTC(), Used: used}
		if resets != 0 {
			r.ResetsAt = time.UnixMilli(resets).UTC()
		}
		s.Readings = append(s.Readings, r)
	}
	if n.bad || len(n.left) > 0 {
		return "", usage.Series{}, false
	}
	return accounts.ID(words[0]), s, true
}

// encodeTally makes a record of an account's counts.
func encodeTally(key []byte, t usage.Tally) []byte {
	b := []byte{recordVersion}
	b = binary.AppendVarint(b, t.Span.Milliseconds())
	b = binary.AppendVarint(b, t.Newest)
	for _, n := range t.Requests {
		b = binary.AppendVarint(b, int64(n))
	}
	return seal(key, b)
}

// decodeTally is decodeSeries for counts.
func decodeTally(key, record []byte) (t usage.Tally, ok bool) {
	n, ok := unseal(key, record)
	if !ok {
		return usage.Tally{}, false
	}
	span := n.between(1, maxLength.Milliseconds())
	t.Span = time.Duration(span) * time.Millisecond
	t.Newest = n.between(1, maxMilli/max(span, 1))
	for i := range t.Requests {
		t.Requests[i] = uint32(n.between(0, math.MaxUint32)) //nolint:gosec // G115: it was just looked at
	}
	if n.bad || len(n.left) > 0 {
		return usage.Tally{}, false
	}
	return t, true
}

func checksum(key, record []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(key), crc32.IEEETable, record)
}

func seal(key, record []byte) []byte {
	return binary.LittleEndian.AppendUint32(record, checksum(key, record))
}

// unseal returns the numbers of a record whose checksum holds.
func unseal(key, record []byte) (numbers, bool) {
	end := len(record) - checksumSize
	if end < 1 || record[0] != recordVersion || binary.LittleEndian.Uint32(record[end:]) != checksum(key, record[:end]) {
		return numbers{}, false
	}
	return numbers{left: record[1:end]}, true
}

// numbers are what is left of a record to be read.
type numbers struct {
	left []byte
	bad  bool // one was missing, or not what it may be
}

// between returns the next number, or 0 if it is not one from lo to hi.
func (n *numbers) between(lo, hi int64) int64 {
	x, size := binary.Varint(n.left)
	if size <= 0 || x < lo || x > hi {
		n.bad, n.left = true, nil
		return 0
	}
	n.left = n.left[size:]
	return x
}
