package accounts

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

func TestEveryKindOfPaste(t *testing.T) {
	h := newHome(t, simulator.Options{})
	for name, form := range map[string]func(code, state string) string{
		"code and state":  func(code, state string) string { return code + "#" + state },
		"broken in lines": func(code, state string) string { return " " + code[:5] + "\r\n  " + code[5:] + "#" + state + "\n" },
		"address":         func(code, state string) string { return simulator.HostedCallback + "?code=" + code + "&state=" + state },
		"old address": func(code, state string) string {
			return simulator.HostedCallbackOld + "?state=" + state + "&code=" + code
		},
		"fragment":   func(code, state string) string { return simulator.HostedCallback + "#code=" + code + "&state=" + state },
		"code alone": func(code, _ string) string { return code },
	} {
		t.Run(name, func(t *testing.T) {
			flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
			if err != nil {
				t.Fatal(err)
			}
			code, state := h.authorize(t, flow, "ada")
			if flow, err = h.logins.Code(t.Context(), flow.ID, form(code, state)); err != nil || flow.State != FlowDone {
				t.Errorf("the flow is %+v, %v", flow, err)
			}
		})
	}
	if got := len(h.registry.All()); got != 1 {
		t.Errorf("one person has %d accounts", got)
	}
	if ids := vaulted(t, h); len(ids) != 1 {
		t.Errorf("the vault has %v", ids)
	}
	folders, err := filepath.Glob(filepath.Join(h.dir, "vault", "*", "lock"))
	if err != nil || len(folders) != 1 {
		t.Errorf("folders are left behind: %v, %v", folders, err)
	}
	h.checkClean(t)
}

func TestT17_ABadPasteLeavesTheFlowWaiting(t *testing.T) {
	h := newHome(t, simulator.Options{})
	other, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	_, otherState := h.authorize(t, other, "ada")
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	code, state := h.authorize(t, flow, "ada")
	for name, pasted := range map[string]string{
		"nothing":               "",
		"white space":           " \n\t",
		"state of another flow": code + "#" + otherState,
		"no state after #":      code + "#",
		"two states":            code + "#" + state + "#" + state,
		"no code":               "#" + state,
		"control characters":    "a\x1bb",
		"not ASCII":             "cødé",
		"too long":              strings.Repeat("x", longestCode+1),
		"far too long":          strings.Repeat("x", 1<<20),
		"another page":          "https://evil.example/oauth/code/callback?code=" + code + "&state=" + state,
		"look-alike page":       simulator.HostedCallback + ".evil.example?code=" + code + "&state=" + state,
		"another path":          simulator.HostedCallback + "/x?code=" + code + "&state=" + state,
		"a user in the address": "https://x@platform.claude.com/oauth/code/callback?code=" + code + "&state=" + state,
		"plain http":            "http://platform.claude.com/oauth/code/callback?code=" + code + "&state=" + state,
		"address without state": simulator.HostedCallback + "?code=" + code,
		"address, wrong state":  simulator.HostedCallback + "?code=" + code + "&state=" + otherState,
		"address without code":  simulator.HostedCallback + "?state=" + state,
		"authorization address": flow.URL,
		"declined":              simulator.HostedCallback + "?error=access_denied&state=" + state,
	} {
		got, err := h.logins.Code(t.Context(), flow.ID, pasted)
		if err != nil || got.State != FlowWaiting || got.Problem == "" || got.Hint == "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		for _, secret := range []string{code, state, otherState} {
			if strings.Contains(got.Problem+got.Hint, secret) {
				t.Errorf("%s: %q repeats what was pasted", name, got.Problem)
			}
		}
	}
	if got := h.sim.Counts().Total(simulator.PathToken); got != 0 {
		t.Errorf("bad pastes led to %d token requests", got)
	}
	if got, err := h.logins.Code(t.Context(), flow.ID, code+"#"+state); err != nil || got.State != FlowDone || got.Problem != "" {
		t.Errorf("a good paste after them: %+v, %v", got, err)
	}
	if _, err := h.logins.Code(t.Context(), "no such flow", "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a flow that is not there: %v", err)
	}
	if _, err := h.logins.Wait(t.Context(), "no such flow"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a flow that is not there: %v", err)
	}
}

func TestACodeUsedTwiceIsSaidToBe(t *testing.T) {
	h := newHome(t, simulator.Options{})
	first, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	code, _ := h.authorize(t, first, "ada")
	if got, err := h.logins.Code(t.Context(), first.ID, code); err != nil || got.State != FlowDone {
		t.Fatalf("%+v, %v", got, err)
	}
	second, err := h.logins.Start(t.Context(), simulated, LoginPaste, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.logins.Code(t.Context(), second.ID, code)
	if err != nil || got.State != FlowWaiting || !strings.Contains(got.Problem, "refused") || !strings.Contains(got.Hint, "used already") {
		t.Errorf("%+v, %v", got, err)
	}
	code, state := h.authorize(t, second, "ada")
	if got, err := h.logins.Code(t.Context(), second.ID, code+"#"+state); err != nil || got.State != FlowDone {
		t.Errorf("the right code after it: %+v, %v", got, err)
	}
}

func FuzzPaste(f *testing.F) {
	const state = "st4te-of-this-very-flow-and-no-other-one-xx"
	for _, seed := range []string{
		"code#" + state, "code#" + state[1:], "code", "code#", "#" + state, "#", "", " ", "code # " + state, "co\nde#" + state, "code#" + state + "#x",
		simulator.HostedCallback + "?code=c&state=" + state, simulator.HostedCallback + "?state=" + state + "&code=c", simulator.HostedCallback + "#code=c&state=" + state,
		simulator.HostedCallback + "?code=c", simulator.HostedCallback + "?code=c&state=x", simulator.HostedCallback + "?code=c&code=d&state=" + state,
		simulator.HostedCallback + "?error=access_denied&state=" + state, simulator.HostedCallback + "?error=<script>&state=" + state, simulator.HostedCallback + "?code=%zz&state=" + state,
		simulator.HostedCallbackOld + "?code=c&state=" + state, "http://127.0.0.1:1/callback?code=c&state=" + state, "https://evil.example/?code=c&state=" + state,
		"https://platform.claude.com:443/oauth/code/callback?code=c&state=" + state, "https://x:y@platform.claude.com/oauth/code/callback?code=c&state=" + state,
		"HTTPS://platform.claude.com/oauth/code/callback?code=c&state=" + state, "javascript://x", "://", "\x00", "\xff", strings.Repeat("x", 5000),
		simulator.HostedCallback + "?code=c&state=" + state + "&iss=https://evil.example", simulator.HostedCallback + "?code=c&state=" + state + "&iss=https://auth.example",
		simulator.HostedCallback + "?code=c;state=" + state, simulator.HostedCallback + "?code=c&state=" + state + "#x", simulator.HostedCallback + "?#code=c&state=" + state,
		simulator.HostedCallback + "?code=a%0d%0ab&state=" + state, simulator.HostedCallback + "?code=&state=" + state, "code#%73t4te", "code\u2028#" + state, "code\u00a0#" + state,
	} {
		f.Add(seed)
	}
	p := &Provider{OAuth: OAuth{
		AuthorizeURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token",
		RedirectURL: simulator.HostedCallback, Callbacks: []string{simulator.HostedCallback, simulator.HostedCallbackOld},
	}}
	flow := &flow{provider: p, state: state, redirectURI: simulator.HostedCallback}
	f.Fuzz(func(t *testing.T, pasted string) {
		code, err := flow.readPaste(Secret(pasted))
		if err != nil {
			if code != "" || problemOf(err).text == "" || strings.Contains(problemOf(err).text, state) {
				t.Fatalf("%q: %q and %v", pasted, code, err)
			}
			return
		}
		if code == "" || !headerSafe(code) || len(code) > longestCode || strings.Contains(code, "#") && !strings.Contains(pasted, "%23") {
			t.Fatalf("%q gives the code %q", pasted, code)
		}
		compact := strings.Join(strings.Fields(pasted), "")
		if plain, err := url.QueryUnescape(compact); err == nil && (strings.Contains(compact, "#") || strings.Contains(compact, "://")) && !strings.Contains(plain, state) {
			t.Fatalf("%q gives a code without the state", pasted)
		}
	})
}

func FuzzCallback(f *testing.F) {
	const state = "st4te-of-this-very-flow-and-no-other-one-xx"
	for _, seed := range []string{
		"code=c&state=" + state, "state=" + state + "&code=c", "code=c&state=" + state[1:], "code=c&state=" + state + "x", "code=c", "state=" + state, "", "&&&", "code", "=",
		"code=c&state=", "code=c&STATE=" + state, "code=c&state=" + state + "&state=" + state, "code=c&state=x&state=" + state, "code=c&code=d&state=" + state, "error=access_denied&state=" + state,
		"error=access_denied", "error=a&code=c&state=" + state, "error=&code=c&state=" + state, "error=%3Cscript%3E&state=" + state, "error_description=x&code=c&state=" + state,
		"code=c&state=" + state + "&iss=https%3A%2F%2Fauth.example", "code=c&state=" + state + "&iss=https%3A%2F%2Fevil.example", "code=c&state=" + state + "&iss=", "code=c&state=" + state + "&iss=%00",
		"code=c&state=" + state + "&iss=http%3A%2F%2Fauth.example", "code=c&state=" + state + "&iss=https%3A%2F%2Fauth.example%2Ftenant", "code=%00&state=" + state, "code=a%20b&state=" + state,
		"code=%c3%a9&state=" + state, "code=" + strings.Repeat("x", 5000) + "&state=" + state, "code=c;state=" + state, "code=%zz&state=" + state, "code=c&state=%73" + state[1:], "code=c&state=" + state + "%00",
		"code=c&state=" + state + "%20", "code=c+d&state=" + state, "code[]=c&state=" + state, "code=c&state[]=" + state, "code=c&state=" + strings.ToUpper(state), "code=c&state=" + state + "&x=" + strings.Repeat("y", 1000),
	} {
		f.Add(seed)
	}
	flow := &flow{state: state, provider: &Provider{OAuth: OAuth{AuthorizeURL: "https://auth.example/authorize", TokenURL: "https://auth.example/token"}}}
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		code, err := flow.readCallback(q)
		_, refusal := errors.AsType[*refusedError](err)
		if (err == nil || refusal) && (len(q["state"]) != 1 || q.Get("state") != state) {
			t.Fatalf("%q was taken without the exact state", raw)
		}
		if err == nil && (code == "" || !headerSafe(code) || len(q["code"]) != 1) {
			t.Fatalf("%q gives the code %q", raw, code)
		}
		if refusal && strings.ContainsAny(err.Error(), "<>\"'\x1b\n") {
			t.Fatalf("%q is shown as %q", raw, err)
		}
	})
}
