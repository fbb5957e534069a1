package chromium

import (
	"net/url"
	"os"
	"runtime"
	"strings"

	"github.com/oauthmux/oauthmux/relogin"
)

// passphraseVariable opens the keyring's encrypted file: no child ever has it.
const passphraseVariable = "OAUTHMUX_PASSPHRASE" //nolint:gosec // the name of the variable, not its value

// commonFlags keep the browser to its one job. None weakens what keeps pages
// apart from each other, from the system or from the profile (SAFETY T23, T24):
// they only leave out what nobody asked for.
var commonFlags = []string{
	// No page but those of the visit. What the window shows first is asked for over
	// the pipe: an argument can be read by everybody on this machine.
	"--no-startup-window",
	"--no-first-run",
	"--no-default-browser-check",
	"--hide-crash-restore-bubble",
	"--disable-search-engine-choice-screen",

	// Nothing from outside but those pages.
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-default-apps",
	"--disable-extensions",
	"--disable-component-extensions-with-background-pages",
	"--disable-sync",
	"--disable-domain-reliability",
	"--disable-field-trial-config",
	"--disable-quic",
	"--no-pings",
	"--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,AutofillServerCommunication",

	// Nothing to outside: no figures, and no memory, which holds cookies, in a file.
	"--metrics-recording-only",
	"--disable-breakpad",
	"--disable-crash-reporter",
	// Nor the codes in redirects, which caches keep when a server does not say no.
	"--disk-cache-dir=" + os.DevNull,

	// A page gets neither the camera nor the right to ask for it.
	"--deny-permission-prompts",
}

// flags are the arguments of the browser for a visit. The address of the visit is
// not among them, nor anything else that is secret.
func flags(v relogin.Visit) []string {
	f := append([]string{"--user-data-dir=" + v.Profile}, commonFlags...)
	if !v.Visible {
		// Nobody looks: without a graphics card Chromium would spend seconds on one.
		f = append(f, "--headless=new", "--disable-gpu", "--window-size=1280,900")
	}
	if runtime.GOOS == "linux" {
		f = append(f, linuxFlags(v, os.Geteuid())...)
	}
	return append(f, proxyFlags(v.Proxy)...)
}

func linuxFlags(v relogin.Visit, uid int) []string {
	var f []string
	if uid == 0 {
		// Chromium starts for root in no other way.
		f = append(f, "--no-sandbox")
	}
	if e := environment(v.Environ); v.Visible && e.get("DISPLAY") == "" && e.get("WAYLAND_DISPLAY") != "" {
		f = append(f, "--ozone-platform=wayland")
	}
	return f
}

// proxyFlags are the browser's way out. The name and password of a proxy are not
// for everybody to read: the browser asks for them.
func proxyFlags(proxy string) []string {
	switch proxy {
	case "":
		return nil
	case "none":
		return []string{"--no-proxy-server"}
	}
	if u, err := url.Parse(proxy); err == nil && u.Host != "" {
		return []string{"--proxy-server=" + u.Scheme + "://" + u.Host}
	}
	if _, after, ok := strings.Cut(proxy, "@"); ok {
		proxy = after
	}
	return []string{"--proxy-server=" + proxy}
}

// hasDisplay reports whether there is a screen for a window.
func hasDisplay(system string, e env) bool {
	return system != "linux" || e.get("DISPLAY") != "" || e.get("WAYLAND_DISPLAY") != ""
}
