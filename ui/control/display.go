package control

// The variables that say where a window may be shown.
const (
	envX11        = "DISPLAY"
	envXAuthority = "XAUTHORITY"
	envWayland    = "WAYLAND_DISPLAY"
	envRuntimeDir = "XDG_RUNTIME_DIR"
)

// DisplayOf reads the display of whoever asks for a window from its environment.
func DisplayOf(getenv func(name string) string) Display {
	return Display{X11: getenv(envX11), XAuthority: getenv(envXAuthority), Wayland: getenv(envWayland), RuntimeDir: getenv(envRuntimeDir)}
}

// Known reports whether there is a screen at all.
func (d Display) Known() bool { return d.X11 != "" || d.Wayland != "" }

// Variables are the variables of the display, name and value. One that is not
// set has an empty value.
func (d Display) Variables() [][2]string {
	return [][2]string{{envX11, d.X11}, {envXAuthority, d.XAuthority}, {envWayland, d.Wayland}, {envRuntimeDir, d.RuntimeDir}}
}
