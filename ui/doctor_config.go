package ui

import (
	"context"
	"net/url"
	"os"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/config"
)

// judgeConfig is about the configuration as a whole: whether it can be read, and
// who else may write it. It says where tokens are sent.
func (f *facts) judgeConfig() finding {
	if f.configErr != nil {
		e := forPerson(f.configErr)
		return finding{state: checkWrong, message: e.Message, hint: or(e.Hint, "correct it; oauthmux help config lists every key")}
	}
	if f.configInfo == nil {
		return finding{state: checkOK, message: "there is no " + f.paths.ConfigFile + ": the defaults and the environment hold"}
	}
	if !ownedBySystem(f.configInfo) {
		return finding{
			state: checkWrong, message: f.paths.ConfigFile + " belongs to another user",
			hint: "whoever can write it can have tokens sent elsewhere: put one of your own in its place",
		}
	}
	if mode := f.configInfo.Mode().Perm(); wide(f.configInfo, 0o022) {
		return finding{
			state: checkWrong, message: "others may write " + f.paths.ConfigFile,
			hint: "whoever can write it can have tokens sent elsewhere: read it through, and chmod go-w it",
			mend: &mend{would: "take the right to write " + f.paths.ConfigFile + " away from others", do: func(context.Context) error {
				return os.Chmod(f.paths.ConfigFile, mode&^0o022)
			}},
		}
	}
	return finding{state: checkOK, message: f.paths.ConfigFile}
}

// judgeProxy is about the way out of this machine.
func (f *facts) judgeProxy() finding {
	if f.configErr != nil {
		return notChecked()
	}
	switch setting := f.config.Network.Proxy; setting {
	case config.ProxyNone:
		return finding{state: checkOK, message: "requests go straight out (network.proxy is none)"}
	case config.ProxyEnv, "":
		variable, value := proxyVariable(f.getenv)
		if variable == "" {
			return finding{state: checkOK, message: "requests go straight out"}
		}
		host, ok := proxyHost(value)
		if !ok {
			return finding{
				state: checkWrong, message: variable + " is not the address of a proxy, and no request gets out",
				hint: `correct it, or set network.proxy to "none"`,
			}
		}
		return viaProxy(host, variable)
	default:
		host, _ := proxyHost(setting) // the configuration was checked
		return viaProxy(host, "network.proxy")
	}
}

func viaProxy(host, from string) finding {
	return finding{
		state: checkWarn, message: "requests go out through the proxy " + host + " (" + from + ")",
		hint: `tokens pass through it, encrypted; if it is not meant to be there: network.proxy = "none"`,
	}
}

// proxyVariable finds the variable that names a proxy for https, as net/http
// looks for it.
func proxyVariable(getenv func(string) string) (name, value string) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if value := getenv(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

// proxyHost returns host and port of a proxy, without the password that may be
// in its address. Without a scheme it is http, as net/http has it.
func proxyHost(address string) (string, bool) {
	for _, address := range []string{address, "http://" + address} {
		u, err := url.Parse(address)
		if err == nil && u.Hostname() != "" && (u.Scheme == "http" || u.Scheme == "https" || strings.HasPrefix(u.Scheme, "socks5")) {
			return u.Host, true
		}
	}
	return "", false
}

// judgeEndpoints names the endpoints of built-in providers that the person has
// set: tokens go there.
func (f *facts) judgeEndpoints() finding {
	if f.configErr != nil {
		return notChecked()
	}
	set, err := accounts.NewSet(f.config.Settings())
	if err != nil {
		return finding{state: checkWrong, message: err.Error(), hint: "correct it in " + f.paths.ConfigFile}
	}
	var names []string
	for _, p := range set.All() {
		if len(p.Overrides) > 0 {
			names = append(names, p.Name+": "+strings.Join(p.Overrides, ", "))
		}
	}
	if len(names) > 0 {
		return finding{
			state: checkWarn, message: "set in config.toml: " + listed(names),
			hint: "tokens go to these places; take them out of " + f.paths.ConfigFile + " if they are not meant",
		}
	}
	return finding{state: checkOK, message: "every built-in provider is asked at its own address"}
}

// notChecked stands where a check needs a configuration that can be read.
func notChecked() finding {
	return finding{state: checkWarn, message: "not checked: the configuration cannot be read", hint: "see config above"}
}
