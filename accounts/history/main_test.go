package history

import (
	"fmt"
	"os"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// Variables that make the test binary another process.
const (
	writerVariable = "HISTORY_WRITER" // it writes to the file for ever, and tells how often it has
	holderVariable = "HISTORY_HOLDER" // it holds the file until its input ends
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(writerVariable) != "":
		writeForEver(New(os.Getenv(writerVariable), nil))
	case os.Getenv(holderVariable) != "":
		hold(os.Getenv(holderVariable))
	default:
		goleak.VerifyTestMain(m)
	}
}

func writeForEver(s *Store) {
	for i := 1; ; i++ {
		if err := s.Save(map[accounts.ID]usage.Past{"a": {Series: []usage.Series{series(time.Now().Add(-time.Minute), 3)}}}, nil); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(i)
	}
}

func hold(path string) {
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = os.Stdin.Read(make([]byte, 1))
	_ = db.Close()
}

// series is n readings of the 5-hour window, a minute apart, that end at a moment.
func series(end time.Time, n int) usage.Series {
	s := usage.Series{Name: usage.FiveHour, Length: 5 * time.Hour}
	for i := range n {
		s.Readings = append(s.Readings, usage.Reading{
			At:   end.Add(time.Duration(i-n+1) * time.Minute).Round(0).UTC().Truncate(time.Millisecond),
			Used: float64(i) / 1000, ResetsAt: end.Add(time.Hour).Round(0).UTC().Truncate(time.Second),
		})
	}
	return s
}
