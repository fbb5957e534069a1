package main

import (
	"context"
	"time"
)

// size is that of a terminal in the page of screens.
type size struct {
	columns, rows int
	name          string
}

var sizes = []size{{160, 45, "160x45"}, {110, 30, "110x30"}, {80, 24, "80x24"}, {60, 15, "60x15"}}

// The screens that the scripts wait for. They say no more than a change of the
// layout leaves as it is.
const (
	served  = `▌.{0,4}work\b.*serving`
	limited = `\bwork\b.*cooling \d+:\d\d`
	onHome  = `▌.{0,4}home\b`
	onLab   = `▌.{0,4}lab\b`
	onWork  = `▌.{0,4}work\b`
	back    = `\bwork +back\b`
	why     = `Why work`
	helping = `a page up, a page down`
	adding  = `Add an account`
)

// step is a part of the film: keys, what they must have brought to the screen, how
// long that stays for a reader, and what the title bar says meanwhile.
type step struct {
	caption string   // "": the one before stays
	keys    []string // by tmux's names
	shows   string
	stay    time.Duration
	still   string // not "": the screen is a picture of its own under this name
}

// story is the film of the demo: an account comes to its limit, the requests go on
// with others, the screen says why, and the account comes back.
var story = []step{
	{caption: "four accounts behave as one", shows: served, stay: 1500 * time.Millisecond},
	{caption: "one reaches its limit: the same request goes on with the next", shows: limited, stay: 3 * time.Second},
	{caption: "↓  every account in detail", keys: []string{"Down"}, shows: onHome, stay: 1500 * time.Millisecond},
	{keys: []string{"Down"}, shows: onLab, stay: 1500 * time.Millisecond},
	{keys: []string{"Up", "Up"}, shows: onWork, stay: 600 * time.Millisecond},
	{caption: "w  why: the evidence of each decision", keys: []string{"w"}, shows: why, stay: 3500 * time.Millisecond, still: "why"},
	{caption: "back from its limit, it serves again", keys: []string{"Escape"}, shows: back, stay: 4 * time.Second},
	{caption: "?  every key", keys: []string{"?"}, shows: helping, stay: 3 * time.Second, still: "help"},
	{caption: "nothing to set up: oauthmux demo", keys: []string{"Escape"}, shows: served, stay: 3 * time.Second},
}

// act plays a story in a terminal and returns the stills it names.
func act(ctx context.Context, t *terminal, story []step) (map[string]*screen, error) {
	stills := map[string]*screen{}
	for _, s := range story {
		if s.caption != "" && t.recording != nil {
			t.caption(s.caption)
		}
		if len(s.keys) > 0 {
			if err := t.press(ctx, s.keys...); err != nil {
				return nil, err
			}
		}
		if _, err := t.shows(ctx, s.shows); err != nil {
			return nil, err
		}
		if err := t.stay(ctx, s.stay); err != nil {
			return nil, err
		}
		if s.still == "" {
			continue
		}
		seen, err := t.shows(ctx, s.shows)
		if err != nil {
			return nil, err
		}
		stills[s.still] = seen
	}
	return stills, nil
}
