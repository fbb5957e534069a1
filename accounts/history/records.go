package history

import (
	"bytes"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// The file has two tables.
var (
	readings = []byte("readings") // by account, window and scope
	tallies  = []byte("tallies")  // by account
)

// maxReadings bounds a series. Those of one length of the window are about 150.
const maxReadings = 256

// ahead is how far in the future a reading may lie and be this clock's.
const ahead = 5 * time.Minute

// apply makes the changes of one Save.
func (s *Store) apply(tx *bolt.Tx, news map[accounts.ID]usage.Past, gone []accounts.ID) error {
	series, err := tx.CreateBucketIfNotExists(readings)
	if err != nil {
		return err
	}
	counts, err := tx.CreateBucketIfNotExists(tallies)
	if err != nil {
		return err
	}
	for _, id := range gone {
		if err := remove(series, counts, id); err != nil {
			return err
		}
	}
	for id, past := range news {
		for _, news := range past.Series {
			if len(news.Readings) == 0 {
				continue
			}
			key := seriesKey(id, news)
			_, kept, _ := decodeSeries(key, series.Get(key)) // what cannot be read is written anew
			if err := series.Put(key, encodeSeries(key, joined(kept, news))); err != nil {
				return err
			}
		}
		if past.Tally.Newest == 0 {
			continue
		}
		if err := counts.Put([]byte(id), encodeTally([]byte(id), past.Tally)); err != nil {
			return err
		}
	}
	return s.prune(series, counts)
}

// remove removes one account.
func remove(series, counts *bolt.Bucket, id accounts.ID) error {
	prefix := append([]byte(id), 0)
	var keys [][]byte
	c := series.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		keys = append(keys, slices.Clone(k))
	}
	for _, k := range keys {
		if err := series.Delete(k); err != nil {
			return err
		}
	}
	return counts.Delete([]byte(id))
}

// prune removes what is out of date or cannot be read, once a day: accounts and
// model families come and go.
func (s *Store) prune(series, counts *bolt.Bucket) error {
	now := time.Now()
	if since := now.Sub(s.pruned); since >= 0 && since < 24*time.Hour {
		return nil
	}
	var old [][]byte
	_ = series.ForEach(func(k, v []byte) error { // no error of its own
		if _, all, ok := decodeSeries(k, v); !ok || !current(all, now) {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	for _, k := range old {
		if err := series.Delete(k); err != nil {
			return err
		}
	}
	old = old[:0]
	_ = counts.ForEach(func(k, v []byte) error { // the same
		tally, ok := decodeTally(k, v)
		if !ok || now.Sub(time.UnixMilli(tally.Newest*tally.Span.Milliseconds())) > keepFor {
			old = append(old, slices.Clone(k))
		}
		return nil
	})
	for _, k := range old {
		if err := counts.Delete(k); err != nil {
			return err
		}
	}
	s.pruned = now
	return nil
}

// current reports whether a series is of use now.
func current(s usage.Series, now time.Time) bool {
	age := now.Sub(s.Readings[len(s.Readings)-1].At)
	return age <= keepFor && age >= -ahead
}

// joined is what is kept with the news behind it: as far back as a window reaches. If
// the clock was set back, what lies in its future goes.
func joined(kept, news usage.Series) usage.Series {
	all := kept.Readings
	for _, r := range news.Readings {
		for len(all) > 0 && all[len(all)-1].At.UnixMilli() >= r.At.UnixMilli() {
			all = all[:len(all)-1]
		}
		all = append(all, r)
	}
	first := max(0, len(all)-maxReadings)
	for first < len(all)-1 && all[len(all)-1].At.Sub(all[first].At) > news.Length {
		first++
	}
	news.Readings = all[first:]
	return news
}

// each calls use for every record of a table that may not be there.
func each(tx *bolt.Tx, table []byte, use func(k, v []byte)) {
	b := tx.Bucket(table)
	if b == nil {
		return
	}
	_ = b.ForEach(func(k, v []byte) error { // no error of its own
		if v != nil {
			use(k, v)
		}
		return nil
	})
}
