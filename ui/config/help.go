package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/oauthmux/oauthmux/accounts"
)

// Key is one key as help and the flags of the program show it.
type Key struct {
	Name    string // "proxy.listen"
	Env     string // "OAUTHMUX_PROXY_LISTEN"
	Flag    string // "proxy-listen"
	Default string // as it is written in the file
	Help    string
}

// Keys lists every key outside [providers.NAME], in the order of the file.
func Keys() []Key {
	var c Config
	var keys []Key
	for _, f := range fields(reflect.ValueOf(&c).Elem(), "") {
		k := Key{Name: f.key, Env: f.env(), Flag: f.flag(), Default: f.Tag.Get("default"), Help: f.Tag.Get("help")}
		if f.value.Kind() != reflect.Bool && f.value.Kind() != reflect.Int {
			k.Default = fmt.Sprintf("%q", k.Default)
		}
		if words := f.Tag.Get("oneof"); words != "" && f.Tag.Get("default") == "" {
			k.Help += " (" + strings.ReplaceAll(words, " ", ", ") + ")"
		}
		keys = append(keys, k)
	}
	return keys
}

// settingHelp explains the keys of accounts.Settings.
var settingHelp = map[string]string{ //nolint:gosec // words about settings, none of their values
	"name":           "the provider's name as it is shown",
	"authorize_url":  "authorization endpoint",
	"token_url":      "token endpoint",
	"token_encoding": `"json" or "form": how a token request is written`,
	"revoke_url":     "revocation endpoint, for logout --revoke",
	"userinfo_url":   "says who signed in; identity is its sub",
	"client_id":      "the OAuth client",
	"scopes":         "a list: what a login asks for",
	"redirect":       `"loopback": the code comes to this machine; "hosted": a page shows it`,
	"redirect_url":   "that page",
	"upstream":       "where requests go: scheme://host[:port]",
	"paths":          `a list: where a credential may go, such as "/v1/" or "POST /v1/messages"`,
	"env.base_url":   "variable that tells a client the address",
	"login_hosts":    "further hosts that the window of a sign-in may show, such as a company's own sign-in: [\"sso.example.org\"]",
	"env.token":      "variable that tells a client the local key",
}

// Help is the text of `oauthmux help config`, with the path of the file in it.
func Help(file string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Configuration\n\n"+
		"A flag wins over the environment, that over the file, that over the default.\n"+
		"Flags may stand after any command. An unknown key and a wrong type are errors.\n\n"+
		"File: %s\n", file)
	section := ""
	for _, k := range Keys() {
		table, name, _ := strings.Cut(k.Name, ".")
		if table != section {
			section = table
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		fmt.Fprintf(&b, "%s = %s\n%s    %s, --%s\n", name, k.Default, sentence(k.Help), k.Env, k.Flag)
	}
	b.WriteString("\n[providers.NAME]\n" +
		"An endpoint of a built-in provider, or a provider of your own. Addresses are\n" +
		"https; http only for this machine. From the file alone: no environment, no flag.\n")
	var s accounts.Settings
	for _, f := range fields(reflect.ValueOf(&s).Elem(), "") {
		fmt.Fprintf(&b, "%s\n%s", f.key, sentence(settingHelp[f.key]))
	}
	b.WriteString("\n[providers.NAME.retry], .cooldown, .keepalive, .relogin\n" +
		"The tables above for one provider; they win over the tables of all, whatever\n" +
		"those were set by.\n")
	b.WriteString("\nAlso read from the environment\n" +
		"OAUTHMUX_HOME\n    One folder for everything, in place of the XDG folders.\n" +
		"OAUTHMUX_PASSPHRASE\n    Opens the keyring's encrypted file; taken out of the environment of every child.\n")
	return b.String()
}

// sentence indents s, begins it with a capital letter where it begins with a
// word, ends it, and breaks it into lines of a terminal's width.
func sentence(s string) string {
	const width = 76
	var b strings.Builder
	line := "   "
	for word := range strings.FieldsSeq(strings.ToUpper(s[:1]) + s[1:] + ".") {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = "   "
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}
