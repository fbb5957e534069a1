package config

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"github.com/adrg/xdg"
)

// Paths are the places of the program's files (DESIGN 5).
type Paths struct {
	ConfigFile string // config.toml
	Data       string // folder: accounts.json, vault, browsers
	State      string // folder: log, history, locks, socket

	Vault      string // folder of the sealed tokens, in Data
	Browsers   string // folder of the browser profiles, in Data
	Log        string // oauthmux.log, in State
	History    string // history.db, in State: what was read of the windows
	EngineLock string // held by the process that is the engine
	StateLock  string // held while accounts.json is changed
	NoticeLock string // held by the screen that shows notices on the desktop
}

// PathError says why a place for files cannot be used.
type PathError struct {
	Variable string // "OAUTHMUX_HOME"
	Problem  string
	Hint     string
}

func (e *PathError) Error() string { return e.Variable + " " + e.Problem }

// FindPaths decides where the files are, and touches none. A variable that
// cannot be meant is refused instead of replaced by something else: a login
// must not end up where nobody looks for it.
func FindPaths(getenv func(string) string) (Paths, error) {
	if home := getenv("OAUTHMUX_HOME"); home != "" {
		if err := checkFolder("OAUTHMUX_HOME", home); err != nil {
			return Paths{}, err
		}
		home = filepath.Clean(home)
		return paths(home, home, home), nil
	}
	var folders [3]string
	for i, base := range []struct{ variable, otherwise string }{
		{"XDG_CONFIG_HOME", xdg.ConfigHome},
		{"XDG_DATA_HOME", xdg.DataHome},
		{"XDG_STATE_HOME", xdg.StateHome},
	} {
		folder := getenv(base.variable)
		if folder == "" {
			if runtime.GOOS != "windows" && getenv("HOME") == "" {
				return Paths{}, &PathError{
					Variable: "HOME", Problem: "is not set",
					Hint: "set it, or OAUTHMUX_HOME to a folder for everything",
				}
			}
			folder = base.otherwise
		}
		if err := checkFolder(base.variable, folder); err != nil {
			return Paths{}, err
		}
		folders[i] = filepath.Join(folder, "oauthmux")
	}
	return paths(folders[0], folders[1], folders[2]), nil
}

func paths(config, data, state string) Paths {
	return Paths{
		ConfigFile: filepath.Join(config, "config.toml"),
		Data:       data,
		State:      state,
		Vault:      filepath.Join(data, "vault"),
		Browsers:   filepath.Join(data, "browsers"),
		Log:        filepath.Join(state, "oauthmux.log"),
		History:    filepath.Join(state, "history.db"),
		EngineLock: filepath.Join(state, "engine.lock"),
		StateLock:  filepath.Join(state, "state.lock"),
		NoticeLock: filepath.Join(state, "notices.lock"),
	}
}

func checkFolder(variable, folder string) error {
	switch {
	case strings.ContainsFunc(folder, unicode.IsControl):
		return &PathError{Variable: variable, Problem: "holds a line break or another control character", Hint: "set it to an ordinary path"}
	case !filepath.IsAbs(folder):
		return &PathError{Variable: variable, Problem: fmt.Sprintf("is %s, which is not an absolute path", quote(folder)), Hint: "write the whole path, from the root"}
	}
	return nil
}
