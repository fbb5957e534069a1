package accounts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/99designs/keyring"
	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestMain(m *testing.M) {
	if ids := os.Getenv(childEnv); ids != "" {
		play := func() error { return renewInChild(strings.Fields(ids)) }
		if callers := os.Getenv(childCallers); callers != "" {
			play = func() error { return graze(ids, callers) }
		}
		if os.Getenv(childName) != "" {
			play = func() error { return renewUntilKilled(strings.Fields(ids)) }
		}
		if err := play(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// The environment of this binary when it plays one of several processes.
const (
	childEnv      = "OAUTHMUX_TEST_CHILD" // ids of the accounts to renew
	childHome     = "OAUTHMUX_TEST_HOME"
	childWaits    = "OAUTHMUX_TEST_WAITS"    // it says when it is ready, and begins when its stdin ends
	childProvider = "OAUTHMUX_TEST_PROVIDER" // address of the simulator
)

const simulated ProviderID = "anthropic" // the built-in one, pointed at a simulator

// home is one installation against one simulated provider.
type home struct {
	dir       string
	sim       *simulator.Server
	bus       *Bus
	journal   *Journal
	providers *Set
	registry  *Registry
	vault     *vault.Vault
	renewer   *Renewer
	logins    *Logins
}

// newHome has no account yet, and a key in memory.
func newHome(t *testing.T, o simulator.Options) *home {
	t.Helper()
	sim := simulator.New(o)
	if err := sim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sim.Close)
	for _, name := range []string{"ada", "bob"} {
		sim.AddUser(simulator.User{Name: name})
	}
	h := &home{dir: t.TempDir(), sim: sim}
	h.open(t, sim.URL(), vault.Options{Memory: true})
	return h
}

// open opens everything over h.dir, as a new process would.
func (h *home) open(tb testing.TB, providerURL string, o vault.Options) {
	tb.Helper()
	if err := h.build(providerURL, o); err != nil {
		tb.Fatal(err)
	}
	renewer, logins, sealed := h.renewer, h.logins, h.vault
	tb.Cleanup(func() {
		if err := renewer.Drain(context.WithoutCancel(tb.Context())); err != nil {
			tb.Error(err)
		}
		logins.Close()
		sealed.Close()
	})
}

func (h *home) build(providerURL string, o vault.Options) (err error) {
	h.bus = &Bus{}
	h.journal = &Journal{Bus: h.bus}
	if h.providers, err = NewSet(map[ProviderID]Settings{simulated: {
		AuthorizeURL: providerURL + simulator.PathAuthorize,
		TokenURL:     providerURL + simulator.PathToken,
		Upstream:     providerURL,
	}}); err != nil {
		return err
	}
	o.Dir = filepath.Join(h.dir, "vault")
	if h.vault, err = vault.Open(o); err != nil {
		return err
	}
	if err := h.vault.Unlock(context.Background(), "", false); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if h.registry, err = OpenRegistry(RegistryOptions{Dir: h.dir, LockPath: filepath.Join(h.dir, "state.lock"), Bus: h.bus, Log: log}); err != nil {
		return err
	}
	if !h.registry.TermsAccepted(simulated) {
		if err := h.registry.AcceptTerms(simulated); err != nil {
			return err
		}
	}
	h.renewer = NewRenewer(RenewerOptions{
		Registry: h.registry, Vault: h.vault, Providers: h.providers, Journal: h.journal, Bus: h.bus, Log: log, UserAgent: UserAgent("test"),
	})
	h.logins = NewLogins(LoginsOptions{
		Registry: h.registry, Vault: h.vault, Providers: h.providers, Journal: h.journal, Bus: h.bus, Log: log, UserAgent: UserAgent("test"),
	})
	return nil
}

// addAccount signs a user in by pasting.
func (h *home) addAccount(t *testing.T, user, label string) Account {
	t.Helper()
	flow := h.signIn(t, user, label)
	if flow.State != FlowDone {
		t.Fatalf("signing %s in: %s: %s (%s)", user, flow.State, flow.Problem, flow.Hint)
	}
	a, err := h.registry.Get(flow.Account)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (h *home) signIn(t *testing.T, user, label string) LoginFlow {
	t.Helper()
	flow, err := h.logins.Start(t.Context(), simulated, LoginPaste, label)
	if err != nil {
		t.Fatal(err)
	}
	return h.pasteFor(t, flow, user)
}

func (h *home) pasteFor(t *testing.T, flow LoginFlow, user string) LoginFlow {
	t.Helper()
	redirect, err := h.sim.Authorize(flow.URL, user)
	if err != nil {
		t.Fatal(err)
	}
	if flow, err = h.logins.Code(t.Context(), flow.ID, redirect); err != nil {
		t.Fatal(err)
	}
	return flow
}

// token returns the account's token, which must be there.
func (h *home) token(t *testing.T, id ID) Token {
	t.Helper()
	token, err := h.renewer.Token(id)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// checkClean fails the test if the provider saw anything it must never see.
func (h *home) checkClean(t *testing.T) {
	t.Helper()
	c := h.sim.Counts()
	if c.Reuse != 0 || c.SupersededPresented != 0 || c.TotalViolations() != 0 {
		t.Errorf("the provider saw %d reused refresh tokens, %d superseded ones and violations %v", c.Reuse, c.SupersededPresented, c.Violations)
	}
}

// entries returns the journal's entries of a kind.
func (h *home) entries(kind EntryKind) []Entry {
	var found []Entry
	for _, e := range h.journal.Since(0) {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// folderRing is a keyring that several processes share.
type folderRing string

func (r folderRing) path(key string) string { return filepath.Join(string(r), "ring-"+key) }

func (r folderRing) Get(key string) (keyring.Item, error) {
	raw, err := os.ReadFile(r.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		err = keyring.ErrKeyNotFound
	}
	return keyring.Item{Key: key, Data: raw}, err
}

func (r folderRing) GetMetadata(string) (keyring.Metadata, error) {
	return keyring.Metadata{}, keyring.ErrMetadataNotSupported
}

func (r folderRing) Set(i keyring.Item) error { return os.WriteFile(r.path(i.Key), i.Data, 0o600) }

func (r folderRing) Remove(key string) error { return os.Remove(r.path(key)) }

func (r folderRing) Keys() ([]string, error) { return nil, errors.ErrUnsupported }

// sharedKey are the options of a vault whose key other processes can have.
func sharedKey(dir string) vault.Options {
	return vault.Options{Backend: "secret-service", OpenKeyring: func(keyring.Config) (keyring.Keyring, error) { return folderRing(dir), nil }}
}

// newSharedHome is a home whose key other processes can have.
func newSharedHome(t *testing.T, o simulator.Options) *home {
	t.Helper()
	h := &home{dir: t.TempDir(), sim: newHome(t, o).sim}
	h.open(t, h.sim.URL(), sharedKey(h.dir))
	return h
}

// child is this binary as another process that renews the accounts.
func (h *home) child(ctx context.Context, ids ...ID) *exec.Cmd {
	var list []string
	for _, id := range ids {
		list = append(list, string(id))
	}
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(list, " "), childHome+"="+h.dir, childProvider+"="+h.sim.URL())
	return cmd
}

// renewInChild renews what has expired, and says which generation it has then.
func renewInChild(ids []string) error {
	h := &home{dir: os.Getenv(childHome)}
	if err := h.build(os.Getenv(childProvider), sharedKey(h.dir)); err != nil {
		return err
	}
	if os.Getenv(childWaits) != "" {
		fmt.Println("ready")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, id := range ids {
		token, err := h.renewer.Token(ID(id))
		if err == nil && !token.Valid(time.Now()) {
			token, err = h.renewer.Renew(ctx, ID(id), token.Generation)
		}
		if err != nil {
			return err
		}
		fmt.Println(token.Generation)
	}
	return nil
}
