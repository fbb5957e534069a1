package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkDurable measures how long an answer is in memory only (SAFETY I5, C24):
// from its last byte until its record is durable, committed and read back, alone and
// beside somebody who writes to the same disk and syncs all the time. The aim is a
// p99 under 100 ms.
func BenchmarkDurable(b *testing.B) {
	for _, busy := range []bool{false, true} {
		name := "idle"
		if busy {
			name = "busy"
		}
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if busy {
				defer keepBusy(b, filepath.Join(dir, "noise"))()
			}
			v, s := at(b, filepath.Join(dir, "vault"), testSeals(b)), &server{}
			if err := login(b.Context(), v, s); err != nil {
				b.Fatal(err)
			}
			raw := bytes.Repeat([]byte("x"), 2048)
			var took []time.Duration
			for b.Loop() {
				h := hold(b, v)
				if _, err := h.Begin(token(s.issued)); err != nil {
					b.Fatal(err)
				}
				s.issued++
				began := time.Now()
				if err := h.Store(Record{RefreshToken: token(s.issued), Raw: raw}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				h.Release()
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		})
	}
}

// keepBusy writes a mebibyte and syncs it, over and over, until stop is called.
func keepBusy(b *testing.B, path string) (stop func()) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		block := bytes.Repeat([]byte("noise..."), 1<<17)
		for at := int64(0); ; at = (at + 1<<20) % (64 << 20) {
			select {
			case <-done:
				return
			default:
			}
			_, err := f.WriteAt(block, at)
			if err := errors.Join(err, f.Sync()); err != nil {
				b.Error(err)
				return
			}
		}
	})
	return func() {
		close(done)
		writing.Wait()
		if err := f.Close(); err != nil {
			b.Error(err)
		}
	}
}
