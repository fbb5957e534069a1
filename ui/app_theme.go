package ui

import (
	"context"
	"fmt"
	"slices"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/dashboard"
)

// themeKey is the key of the configuration that names the theme.
const themeKey = "ui.theme"

// chosenTheme is what was chosen on a screen; "": nothing, or what only a later
// version knows.
func (a *App) chosenTheme() string {
	if name := a.registry.Theme(); slices.Contains(dashboard.Themes, name) {
		return name
	}
	return ""
}

// themeOf is the theme of a screen that begins with configuration c, and the
// variable or flag that holds it. What the engine remembers comes with its first
// state, which the first frame does not wait for.
func themeOf(c config.Config) (name, fixed string) { return c.UI.Theme, c.Laid(themeKey) }

// doTheme remembers a theme. What config.toml says anyway is not remembered, so
// that a later change of the file counts. Whether a screen may choose is for the
// screen to know: its flags may be others than the engine's.
func (a *App) doTheme(_ context.Context, r control.Request) (control.Reply, error) {
	if !slices.Contains(dashboard.Themes, r.Theme) {
		return control.Reply{}, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf("there is no theme %q", r.Theme)}
	}
	kept := r.Theme
	if kept == a.config.UI.Theme && a.config.Laid(themeKey) == "" {
		kept = ""
	}
	return control.Reply{}, a.registry.SetTheme(kept)
}
