package ui

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
	"github.com/oauthmux/oauthmux/rotation"
	"github.com/oauthmux/oauthmux/ui/control"
)

// doClient says what a client needs to reach the proxy. It names a port only
// when this engine holds it, or, without an engine, when nobody does: whoever
// listens there else would get the local key (SAFETY T04).
func (a *App) doClient(ctx context.Context, r control.Request) (control.Reply, error) {
	p, err := a.provider(r.Provider)
	if err != nil {
		return control.Reply{}, err
	}
	listen, err := a.address(ctx)
	if err != nil {
		return control.Reply{}, err
	}
	key, err := a.vault.LocalKey()
	if err != nil {
		return control.Reply{}, err
	}
	claims := rotation.Claims{Session: r.Session}
	if r.Account != "" {
		acc, err := a.registry.Find(r.Account)
		if err != nil {
			return control.Reply{}, err
		}
		if r.Provider != "" && acc.Provider != p.ID {
			return control.Reply{}, &control.Error{Code: control.CodeUsage, Message: acc.Label + " is not an account of " + p.Name}
		}
		if p, err = a.provider(string(acc.Provider)); err != nil {
			return control.Reply{}, err
		}
		claims.Account = acc.ID
	}
	if claims != (rotation.Claims{}) {
		key = rotation.SessionKey(key, claims)
	}
	c := control.Connection{Provider: string(p.ID), BaseURL: "http://" + listen + "/" + string(p.ID), Key: key}
	for _, v := range [][2]string{{p.Env.BaseURL, c.BaseURL}, {p.Env.Token, c.Key}} {
		if v[0] != "" {
			c.Env = append(c.Env, v)
			c.Lines = append(c.Lines, assignment(r.Shell, v[0], v[1]))
		}
	}
	if len(c.Env) == 0 {
		return control.Reply{}, &control.Error{
			Code: control.CodeConfig, Message: p.Name + " names no variables for its clients",
			Hint: "set env = { base_url = \"...\", token = \"...\" } under [providers." + string(p.ID) + "]",
		}
	}
	return control.Reply{Client: &c}, nil
}

// address is where the proxy listens, or will listen.
func (a *App) address(ctx context.Context) (string, error) {
	if l := a.listen.Load(); l != nil {
		return *l, nil
	}
	listen := a.config.Proxy.Listen
	_, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return "", &control.Error{
			Code: control.CodeNoEngine, Message: "the proxy takes a free port, and no engine runs",
			Hint: "start one with: oauthmux serve   (or use: oauthmux run -- CMD)",
		}
	}
	l, err := a.openProxy(ctx)
	if err != nil {
		return "", err
	}
	_ = l.Close()
	if strings.HasPrefix(listen, ":") {
		listen = "127.0.0.1" + listen
	}
	return listen, nil
}

// assignment sets a variable in the syntax of a shell.
func assignment(shell, name, value string) string {
	switch shell {
	case "fish":
		return "set -gx " + name + " " + quoted(value, `\\`, `\'`)
	case "pwsh":
		return "$env:" + name + " = " + "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	return "export " + name + "=" + quoted(value, `\`, `'\''`)
}

// quoted is a word for a shell that takes everything between single quotes as it
// is, but for what stands for a backslash and a single quote in them.
func quoted(value, backslash, quote string) string {
	if strings.Trim(value, plainLetters) == "" && value != "" {
		return value
	}
	return "'" + strings.NewReplacer(`\`, backslash, "'", quote).Replace(value) + "'"
}

// plainLetters need no quotes in any shell, wherever they stand in a word.
const plainLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/,@%+"

// doToken returns a valid access token. A cooldown spoils no token, so when all
// are cooling it is the preferred account's.
func (a *App) doToken(ctx context.Context, r control.Request) (control.Reply, error) {
	acc, err := a.tokenOwner(r)
	if err != nil {
		return control.Reply{}, err
	}
	token, err := a.token(ctx, acc, r.Fresh)
	if err != nil {
		return control.Reply{}, a.forPeople(err, control.Request{Account: string(acc.ID)}) // r may name none
	}
	return control.Reply{Token: token.AccessToken.Reveal()}, nil
}

func (a *App) token(ctx context.Context, acc accounts.Account, fresh bool) (accounts.Token, error) {
	if acc.NeedsLogin != "" {
		if err := a.revive(ctx, acc.ID); err != nil {
			return accounts.Token{}, err
		}
	}
	if err := a.unlocked(ctx); err != nil {
		return accounts.Token{}, err
	}
	token, err := a.tokens.Token(acc.ID)
	if err == nil && (fresh || !token.Valid(time.Now())) {
		token, err = a.tokens.Renew(ctx, acc.ID, token.Generation)
	}
	if _, ended := errors.AsType[*accounts.LoginNeededError](err); ended {
		if err = a.revive(ctx, acc.ID); err == nil {
			token, err = a.tokens.Token(acc.ID)
		}
	}
	return token, err
}

// revive signs an account in again whose login has ended, where its browser
// session can do that without a person. Its error is a *control.Error that says
// why only a person helps, the login's end itself, or a *vault.KeyError.
func (a *App) revive(ctx context.Context, id accounts.ID) error {
	acc, err := a.registry.Get(id)
	if err != nil {
		return err
	}
	over := &accounts.LoginNeededError{Account: acc.ID, Cause: acc.NeedsLogin}
	switch {
	case acc.NeedsYou != "":
		return needsYou(acc.Label, acc.NeedsYou)
	case acc.Browser == "":
		return over
	}
	if err := a.unlocked(ctx); err != nil { // before a browser starts
		return err
	}
	switch err := a.browsers.Login(ctx, acc.ID); {
	case err == nil:
		a.records.note(acc.ID, nil)
		return nil
	case errors.Is(err, relogin.ErrNoSession):
		return over
	default:
		said := a.forPeople(err, control.Request{Account: string(acc.ID)})
		e, ok := errors.AsType[*control.Error](said)
		if !ok {
			return said
		}
		if e.Code != control.CodeNeedsYou && e.Code != control.CodeOtherIdentity && !strings.HasPrefix(e.Code, control.CodeKeyPrefix) {
			e.Code = control.CodeLoginNeeded // whatever kept the browser from it, the login is over
		}
		return e
	}
}

func (a *App) tokenOwner(r control.Request) (accounts.Account, error) {
	if r.Account != "" {
		return a.registry.Find(r.Account)
	}
	p, err := a.provider(r.Provider)
	if err != nil {
		return accounts.Account{}, err
	}
	if acc, ok := a.pool.Next(p.ID); ok {
		return acc, nil
	}
	if id := a.registry.Preferred(p.ID); id != "" {
		return a.registry.Get(id)
	}
	return accounts.Account{}, &control.Error{Code: control.CodeNoAccount, Message: "there is no account yet", Hint: "add one with: oauthmux login"}
}
