package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Duration is a span of time that is written "30s", "1h30m" or "30d".
type Duration time.Duration

// longest is more than anybody means, and far from overflowing in sums.
const longest = 10 * 365 * 24 * time.Hour

// UnmarshalText reads what a person wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := parseDuration(string(text))
	if err == nil {
		*d = Duration(parsed)
	}
	return err
}

func parseDuration(s string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil || (hasDays && rest != "" && !startsWithDigit(rest)) {
		return 0, notDuration(s)
	}
	span := time.Duration(n) * 24 * time.Hour
	if rest != "" || !hasDays {
		hours, err := time.ParseDuration(rest)
		if err != nil || !startsWithDigit(rest) || hours > longest {
			return 0, notDuration(s)
		}
		span += hours
	}
	if span > longest {
		return 0, errors.New("is longer than ten years")
	}
	return span, nil
}

func notDuration(s string) error {
	return fmt.Errorf("%s is not a duration such as \"30s\", \"5m\" or \"30d\"", quote(s))
}

// startsWithDigit keeps out signs and a bare fraction.
func startsWithDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

// Size is a number of bytes that is written "32MiB".
type Size int64

// UnmarshalText reads what a person wrote. A number alone is refused: whoever
// writes 32 hardly means bytes.
func (z *Size) UnmarshalText(text []byte) error {
	s := string(text)
	n, err := humanize.ParseBytes(s)
	if err != nil || n > math.MaxInt64 || !startsWithDigit(s) || strings.Trim(s, "0123456789., ") == "" {
		return fmt.Errorf("%s is not a size such as \"32MiB\"", quote(s))
	}
	*z = Size(n)
	return nil
}

// quote shows a value in an error: no control characters, not endless.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "..."
	}
	return strconv.Quote(s)
}
