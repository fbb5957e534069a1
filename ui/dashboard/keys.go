package dashboard

import (
	"strings"

	"github.com/charmbracelet/bubbles/key"
)

// bind makes a binding: what is pressed, how it is written, what it does.
func bind(help, does string, keys ...string) key.Binding {
	return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, does))
}

// keys is the one source of what keys do: the footer, the help overlay and the
// table of the README are made from it.
var keys = struct {
	Up, Down, Top, Bottom, PageUp, PageDown                                        key.Binding
	Prefer, Add, Rename, Earlier, Later, Pause, Remove, Renew, Usage               key.Binding
	Why, Client, Strategy, Theme, Provider, Filter, Unlock, Help, Back             key.Binding
	Quit, LeaveOn, Interrupt, Log, Redraw, Suspend                                 key.Binding
	Browser, Window, SignIn, Forget, TakeOver, Picture, Leave                      key.Binding
	Accept, Choose, Retry, Scroll, Yes, No, Keep, Revoke, Show, Copy, Open, Cancel key.Binding
}{
	Up:       bind("↑ k", "move up", "up", "k"),
	Down:     bind("↓ j", "move down", "down", "j"),
	Top:      bind("g home", "first account", "g", "home"),
	Bottom:   bind("G end", "last account", "G", "end"),
	PageUp:   bind("pgup", "a page up", "pgup", "ctrl+b"),
	PageDown: bind("pgdn", "a page down", "pgdown", "ctrl+f"),

	Prefer:   bind("enter space", "switch to it: preferred, new conversations start on it", "enter", " "),
	Add:      bind("a", "add an account", "a"),
	Rename:   bind("e", "rename it", "e"),
	Earlier:  bind("K", "move it up in the order", "K", "shift+up"),
	Later:    bind("J", "move it down in the order", "J", "shift+down"),
	Pause:    bind("p", "pause or resume it", "p"),
	Remove:   bind("d delete", "remove it (asks first)", "d", "delete"),
	Renew:    bind("r", "renew its token now", "r"),
	Usage:    bind("u", "read its usage now", "u"),
	Browser:  bind("b", "its browser session: set up, sign in now, remove", "b"),
	Why:      bind("w", "why: the last decisions about it", "w"),
	Client:   bind("c", "connect a client: what it needs, copied", "c"),
	Strategy: bind("s", "strategy: where new conversations start", "s"),
	Theme:    bind("T", "theme: auto, dark, light", "T"),
	Provider: bind("tab", "show the next provider alone, then all", "tab", "shift+tab"),
	Filter:   bind("/", "show only the accounts with a text", "/"),
	Log:      bind("l", "the log", "l"),
	Redraw:   bind("ctrl+l", "draw the screen anew, where something else wrote on it", "ctrl+l"),
	Suspend:  bind("ctrl+z", "back to the shell, until fg; requests wait meanwhile", "ctrl+z"),
	Unlock:   bind("U", "unlock the vault, where it is locked", "U"),

	Help:      bind("?", "help", "?"),
	Back:      bind("esc", "back", "esc"),
	Quit:      bind("q ctrl+c", "quit", "q", "ctrl+c"),
	LeaveOn:   bind("Q", "quit the screen, and leave the engine running", "Q"),
	Interrupt: bind("ctrl+c", "quit", "ctrl+c"),

	Accept: bind("enter", "accept", "enter"),
	Choose: bind("↑↓", "choose", "up", "down", "k", "j", "tab", "shift+tab"),
	Retry:  bind("enter", "try again", "enter"),
	Scroll: bind("↑↓", "scroll", "up", "down", "k", "j", "pgup", "pgdown", "g", "G"),
	Yes:    bind("y", "yes", "y", "Y"),
	No:     bind("n", "no", "n", "N", "esc"),
	Keep:   bind("k", "leave the engine running", "k", "K"),
	Revoke: bind("v", "revoke too", "v"),
	Show:   bind("v", "show the key", "v"),
	Copy:   bind("y", "copy", "y", "c"),
	Open:   bind("o", "open", "o"),
	Cancel: bind("esc", "give up", "esc"),

	Window:   bind("s", "open a window", "s"),
	SignIn:   bind("n", "sign in now", "n"),
	Forget:   bind("x", "remove", "x", "delete"),
	TakeOver: bind("t", "take over", "t"),
	Picture:  bind("y", "copy its path", "y", "c"),
	Leave:    bind("enter", "leave it open", "enter"),
}

// keysOfEngine are the keys of the table that are nothing without an engine.
var keysOfEngine = []key.Binding{
	keys.Prefer, keys.Add, keys.Rename, keys.Earlier, keys.Later, keys.Pause, keys.Remove, keys.Renew, keys.Usage,
	keys.Browser, keys.Why, keys.Client, keys.Strategy, keys.Log, keys.Unlock,
}

// together makes one binding of several, for a line of the help.
func together(help, does string, bindings ...key.Binding) key.Binding {
	var all []string
	for _, b := range bindings {
		all = append(all, b.Keys()...)
	}
	return bind(help, does, all...)
}

// group is a part of the help.
type group struct {
	title    string
	bindings []key.Binding
}

// helpGroups are the keys of the table, in the order in which help shows them.
var helpGroups = []group{
	{"Move", []key.Binding{
		together("↑ ↓ k j", "move", keys.Up, keys.Down),
		together("pgup pgdn", "a page up, a page down (ctrl+b ctrl+f too)", keys.PageUp, keys.PageDown),
		together("g G home end", "the first, the last account", keys.Top, keys.Bottom),
		keys.Provider, keys.Filter,
	}},
	{"The selected account", []key.Binding{
		keys.Prefer, keys.Rename, together("K J shift+↑↓", "move it up, down in the order", keys.Earlier, keys.Later),
		keys.Pause, keys.Browser, keys.Renew, keys.Usage, keys.Why, keys.Remove,
	}},
	{"Everything else", []key.Binding{keys.Add, keys.Client, keys.Strategy, keys.Theme, keys.Log, keys.Unlock, keys.Redraw, keys.Suspend, keys.Help, keys.Back, keys.Quit, keys.LeaveOn}},
}

// footerKeys are the keys worth a place at the bottom of the table, with fewer
// words, the most wanted first.
var footerKeys = []key.Binding{
	together("↑↓", "move", keys.Up, keys.Down),
	together("enter", "switch", keys.Prefer),
	together("a", "add", keys.Add),
	together("b", "browser", keys.Browser),
	together("c", "connect", keys.Client),
	together("w", "why", keys.Why),
	together("u", "usage", keys.Usage),
	together("p", "pause", keys.Pause),
	together("/", "filter", keys.Filter),
	together("e", "rename", keys.Rename),
	together("r", "renew", keys.Renew),
	together("d", "remove", keys.Remove),
	together("KJ", "order", keys.Earlier, keys.Later),
	together("s", "strategy", keys.Strategy),
	together("l", "log", keys.Log),
}

// KeyTable returns the keys as a table in Markdown, for the README.
func KeyTable() string {
	var b strings.Builder
	b.WriteString("| Key | What it does |\n|---|---|\n")
	for _, g := range helpGroups {
		for _, k := range g.bindings {
			names := strings.Fields(k.Help().Key)
			b.WriteString("| `" + strings.Join(names, "` `") + "` | " + k.Help().Desc + " |\n")
		}
	}
	return b.String()
}
