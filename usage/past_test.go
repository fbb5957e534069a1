package usage

import (
	"math"
	"slices"
	"testing"
	"time"
)

const span = 10 * time.Minute

func TestTallyCountsBySpan(t *testing.T) {
	var tally Tally
	if _, _, ok := tally.At(noon); ok {
		t.Error("nothing was counted, and something is shown")
	}
	tally.Add(noon, span, 3)
	tally.Add(noon.Add(9*time.Minute), span, 1)
	tally.Add(noon.Add(25*time.Minute), span, 2)
	tally.Add(noon.Add(15*time.Minute), span, 5) // told late
	counts, ends, ok := tally.At(noon.Add(41 * time.Minute))
	if want := []int{4, 5, 2, 0, 0}; !ok || !slices.Equal(counts[TallySpans-5:], want) || !ends.Equal(noon.Add(50*time.Minute)) {
		t.Errorf("counts %v until %v, %v; want them to end with %v", counts, ends, ok, want)
	}
	if slices.Max(counts[:TallySpans-5]) != 0 {
		t.Errorf("counts before the first: %v", counts)
	}
	// Five hours on, the first has left; a day on, all have.
	if counts, _, _ := tally.At(noon.Add(5 * time.Hour)); counts[0] != 5 {
		t.Errorf("after 5 hours: %v", counts)
	}
	if _, _, ok := tally.At(noon.Add(24 * time.Hour)); ok {
		t.Error("yesterday's requests are shown")
	}
	tally.Add(noon.Add(24*time.Hour), span, 1)
	if counts, _, _ := tally.At(noon.Add(24 * time.Hour)); counts[TallySpans-1] != 1 || slices.Max(counts[:TallySpans-1]) != 0 {
		t.Errorf("a day later: %v", counts)
	}
}

func TestTalliesOfOtherClocks(t *testing.T) {
	var tally Tally
	tally.Add(noon.AddDate(1, 0, 0), span, 7)
	if _, _, ok := tally.At(noon); ok {
		t.Error("requests of next year are shown")
	}
	tally.Add(noon, span, 1)
	if counts, _, ok := tally.At(noon); !ok || counts[TallySpans-1] != 1 {
		t.Errorf("after the clock was set back: %v, %v", counts, ok)
	}
	tally.Add(noon.Add(time.Minute), time.Second, 2) // spans of another length
	if counts, ends, _ := tally.At(noon.Add(time.Minute)); counts[TallySpans-1] != 2 || !ends.Equal(noon.Add(61*time.Second)) {
		t.Errorf("with other spans: %v until %v", counts, ends)
	}
	tally.Add(noon.Add(time.Minute), time.Second, math.MaxInt32)
	tally.Add(noon.Add(time.Minute), time.Second, math.MaxInt32)
	if counts, _, _ := tally.At(noon.Add(time.Minute)); counts[TallySpans-1] != math.MaxUint32 {
		t.Errorf("more than it can count: %v", counts[TallySpans-1])
	}
}

func TestTalliesMerge(t *testing.T) {
	var before, since Tally
	before.Add(noon, span, 3)
	before.Add(noon.Add(10*time.Minute), span, 2)
	since.Add(noon.Add(10*time.Minute), span, 1)
	since.Add(noon.Add(20*time.Minute), span, 4)
	for name, pair := range map[string][2]Tally{"newer into older": {before, since}, "older into newer": {since, before}} {
		got := pair[0]
		got.Merge(pair[1])
		counts, _, _ := got.At(noon.Add(20 * time.Minute))
		if want := []int{0, 3, 3, 4}; !slices.Equal(counts[TallySpans-4:], want) {
			t.Errorf("%s: %v, want %v", name, counts, want)
		}
	}
	got := since
	got.Merge(Tally{})
	other := since
	other.Span = time.Second
	got.Merge(other)
	if got != since {
		t.Errorf("nothing, and other spans, made of it %+v", got)
	}
	old := Tally{}
	old.Add(noon.AddDate(0, 0, -1), span, 9)
	got.Merge(old)
	if got != since {
		t.Errorf("yesterday's made of it %+v", got)
	}
	var none Tally
	none.Merge(since)
	if none != since {
		t.Errorf("merged into nothing: %+v", none)
	}
}
