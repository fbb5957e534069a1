package ui

import (
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/dashboard"
)

func chooseTheme(t *testing.T, a *App, name string) {
	t.Helper()
	if _, err := a.Do(t.Context(), control.Request{Action: control.ActionTheme, Theme: name}); err != nil {
		t.Fatal(err)
	}
}

// What was chosen on the screen holds after a restart, above config.toml and below
// flags; and what config.toml says anyway is not remembered.
func TestAThemeIsRemembered(t *testing.T) {
	dir := t.TempDir()
	begins := func(a *App, want, fixed string) {
		t.Helper()
		name, by := themeOf(a.config)
		if s, err := a.State(t.Context()); err != nil {
			t.Fatal(err)
		} else if by == "" && s.Theme != "" {
			name = s.Theme
		}
		if name != want || by != fixed {
			t.Errorf("a screen has %s, fixed by %q; want %s, %q", name, by, want, fixed)
		}
	}
	a := planned(t, dir, "", nil)
	begins(a, "auto", "")
	chooseTheme(t, a, "light")
	begins(a, "light", "")
	if s, err := a.State(t.Context()); err != nil || s.Theme != "light" {
		t.Errorf("the state says %q, %v", s.Theme, err)
	}
	a.Close()

	a = planned(t, dir, "", map[string]string{"ui-theme": "dark"})
	begins(a, "dark", "--ui-theme")
	a.Close()

	a = planned(t, dir, "[ui]\ntheme = \"dark\"\n", nil)
	begins(a, "light", "")
	chooseTheme(t, a, "dark")
	begins(a, "dark", "")
	a.Close()
	a = planned(t, dir, "", nil)
	begins(a, "auto", "") // with config.toml's choice gone

	if err := a.registry.SetTheme("solarized"); err != nil { // a later version did
		t.Fatal(err)
	}
	begins(a, "auto", "")
	_, err := a.Do(t.Context(), control.Request{Action: control.ActionTheme, Theme: "pink"})
	if err == nil || !strings.Contains(err.Error(), "pink") {
		t.Errorf("a theme that is none: %v", err)
	}
}

// The words that config.toml may say are the themes there are.
func TestTheConfigurationKnowsEveryTheme(t *testing.T) {
	for _, name := range dashboard.Themes {
		a := planned(t, t.TempDir(), "[ui]\ntheme = \""+name+"\"\n", nil)
		if got, _ := themeOf(a.config); got != name {
			t.Errorf("%s is %s", name, got)
		}
	}
}
