package ui

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/accounts/early"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/accounts/vault"
	"github.com/oauthmux/oauthmux/ui/config"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

// plainVariable names the program without the race detector to the scripts.
const plainVariable = "PLAIN_OAUTHMUX"

// scriptVersion is what the program of the scripts calls itself.
const scriptVersion = "v0-test"

// TestMain makes the test binary the program and its surroundings, for the
// scripts: oauthmux is Main as main.go calls it.
func TestMain(m *testing.M) {
	testscript.Main(leakFree{m}, map[string]func(){
		"oauthmux": func() {
			becomePlain()
			early.Restore()
			ctx, stop := signal.NotifyContext(context.Background(), EndSignals()...)
			status := Main(ctx, System(scriptVersion))
			stop()
			os.Exit(status)
		},
		"provider": func() { os.Exit(exitWith(runProvider())) },
		"signin":   func() { os.Exit(exitWith(runSignin())) },
		"client":   func() { os.Exit(exitWith(runClient())) },
		"claude":   func() { os.Args = []string{"claude", "post"}; os.Exit(exitWith(runClient())) },
		"xdg-open": func() { os.Exit(exitWith(runBrowser())) },
	})
}

// leakFree runs the tests and then looks for goroutines that they left behind.
type leakFree struct{ m *testing.M }

func (l leakFree) Run() int {
	status := l.m.Run()
	if status != 0 {
		return status
	}
	// lumberjack's one goroutine for old files lives as long as the process.
	if err := goleak.Find(goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func exitWith(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func TestScripts(t *testing.T) {
	plain, err := buildPlain(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	testscript.RunT(oneByOne{t}, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			for name, value := range map[string]string{
				"OAUTHMUX_HOME":            home,
				"OAUTHMUX_PROXY_LISTEN":    "127.0.0.1:0",
				"OAUTHMUX_KEYRING_BACKEND": "file", // never the keyring of whoever runs the tests
				"OAUTHMUX_PASSPHRASE":      "correct horse battery staple",
				"TERM":                     "xterm-256color",
				"TZ":                       "UTC",
				plainVariable:              plain,
			} {
				e.Setenv(name, value)
			}
			return os.Mkdir(home, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"waitfor": waitFor,
			"tell":    ask,
			"setenv":  setenvFromFile,
			"same":    same,
			"status":  status,
		},
	})
}

// oneByOne runs the scripts one after another. Each starts several processes
// that keep deadlines, of the keyring for one; side by side on a small machine
// they would keep each other from them.
type oneByOne struct{ *testing.T }

func (o oneByOne) Run(name string, f func(testscript.T)) {
	o.T.Run(name, func(t *testing.T) { f(oneByOne{t}) })
}

func (oneByOne) Parallel()     {}
func (oneByOne) Verbose() bool { return testing.Verbose() }

// waitFor waits for a file, or for an engine that has its key: `waitfor engine`.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor engine|FILE")
	}
	there := func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err == nil }
	if args[0] == "engine" {
		paths, err := config.FindPaths(ts.Getenv)
		ts.Check(err)
		there = func() bool {
			engine, err := attach(context.Background(), paths)
			if err != nil {
				return false
			}
			s, err := engine.State(context.Background())
			return err == nil && s.Key.State == string(vault.KeyOK)
		}
	}
	for end := time.Now().Add(20 * time.Second); !there(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			ts.Fatalf("waited in vain for %s", args[0])
		}
	}
}

// ask tells the simulated provider something: `tell revoke work`.
func ask(ts *testscript.TestScript, neg bool, args []string) {
	address, err := os.ReadFile(ts.MkAbs("provider.address"))
	ts.Check(err)
	resp, err := http.Get("http://" + string(address) + "/" + url.PathEscape(strings.Join(args, " ")))
	ts.Check(err)
	defer resp.Body.Close() //nolint:errcheck // it was only read
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if neg == (resp.StatusCode == http.StatusOK) {
		ts.Fatalf("tell %s: %s %s", args, resp.Status, body)
	}
	ts.Logf("%s", body)
	ts.Check(os.WriteFile(ts.MkAbs("provider.answer"), body, 0o600))
}

// setenvFromFile sets a variable to a file's first match: `setenv NAME FILE REGEXP`.
func setenvFromFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv NAME FILE REGEXP")
	}
	match := regexp.MustCompile(args[2]).FindStringSubmatch(ts.ReadFile(args[1]))
	if match == nil {
		ts.Fatalf("%s: no match for %s", args[1], args[2])
	}
	ts.Setenv(args[0], match[len(match)-1])
}

// status runs a command that must exit with a status: `status 3 oauthmux token`.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N CMD...")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// same compares two texts: `[!] same A B`.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] same A B")
	}
	if (args[0] == args[1]) == neg {
		ts.Fatalf("same is %v", !neg)
	}
}

// runProvider is the command `provider NAME[:EMAIL[:ORG]]...`: a simulated
// provider with these users, the config.toml that names it, and a place in the
// file provider.address that scripts can talk to.
func runProvider() error {
	s := simulator.New(simulator.Options{})
	for _, arg := range os.Args[1:] {
		parts := append(strings.Split(arg, ":"), "", "")
		s.AddUser(simulator.User{Name: parts[0], Email: parts[1], Org: parts[2]})
	}
	if err := s.Start(); err != nil {
		return err
	}
	defer s.Close()
	config := fmt.Sprintf("[providers.%s]\nauthorize_url = %q\ntoken_url = %q\nupstream = %q\n",
		simulator.Plays, s.URL()+simulator.PathAuthorize, s.URL()+simulator.PathToken, s.URL())
	if err := os.WriteFile(filepath.Join(os.Getenv("OAUTHMUX_HOME"), "config.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, func() { _ = l.Close() })
	if err := os.WriteFile("provider.tmp", []byte(l.Addr().String()), 0o600); err != nil {
		return err
	}
	if err := os.Rename("provider.tmp", "provider.address"); err != nil {
		return err
	}
	err = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		word, user, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), " ")
		switch word {
		case "revoke":
			s.Revoke(user)
		case "expire":
			s.Expire(user)
		case "counts":
			_ = json.NewEncoder(w).Encode(s.Counts())
		case "secrets":
			_, _ = io.WriteString(w, strings.Join(s.Secrets(), "\n"))
		default:
			http.Error(w, "the provider knows no such word", http.StatusBadRequest)
		}
	}))
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// runSignin is the command `signin USER FLAG...`: a script that drives `login
// --paste` the way the documentation says.
func runSignin() error {
	user, flags := os.Args[1], os.Args[2:]
	cmd := exec.Command("oauthmux", append([]string{"login", "--paste", "--no-open", "--accept-terms"}, flags...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var line [1]byte
	var address strings.Builder
	for {
		if _, err := out.Read(line[:]); err != nil {
			return errors.Join(err, cmd.Wait())
		}
		if line[0] == '\n' {
			break
		}
		address.WriteByte(line[0])
	}
	code, err := consent(address.String(), user)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(in, code+"\n"); err != nil {
		return err
	}
	if _, err := io.Copy(os.Stdout, out); err != nil {
		return err
	}
	return cmd.Wait()
}

// consent is the person in the browser.
func consent(address, user string) (string, error) {
	var document struct {
		URL string `json:"url"`
	}
	if json.Unmarshal([]byte(address), &document) == nil {
		address = document.URL
	}
	resp, err := http.Get(address + "&login_hint=" + url.QueryEscape(user))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	code, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("the provider answered %s: %s", resp.Status, code)
	}
	return strings.TrimSpace(string(code)), err
}

// runClient is the command `client [WHAT]`: a program under `oauthmux run`.
// With a file named in CLIENT_WAIT it waits for that first.
func runClient() error {
	early.Restore()
	for _, arg := range os.Args[1:] {
		word, value, _ := strings.Cut(arg, "=")
		switch word {
		case "write":
			// Under another name first: whoever waits for the file reads it at once.
			err := os.WriteFile(value+".tmp", []byte(os.Getenv("ANTHROPIC_BASE_URL")), 0o600)
			if err == nil {
				err = os.Rename(value+".tmp", value)
			}
			if err != nil {
				return err
			}
		case "wait":
			for {
				if _, err := os.Stat(value); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
		case "post":
			account, err := post()
			if err != nil {
				return err
			}
			fmt.Println(account)
		case "env":
			for _, entry := range os.Environ() {
				fmt.Println(entry)
			}
		case "signal":
			got := make(chan os.Signal, 1)
			signal.Notify(got)
			if err := os.WriteFile(value, nil, 0o600); err != nil {
				return err
			}
			fmt.Println("got", <-got)
			os.Exit(7)
		case "exit":
			os.Exit(len(value))
		default:
			return fmt.Errorf("client does not know %s", word)
		}
	}
	return nil
}

// post sends one request through the proxy and returns who served it. A refused
// connection is tried again for a while, as clients do.
func post() (string, error) {
	const body = `{"model":"claude-sonnet-4-5","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}`
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.NewRequest(http.MethodPost, os.Getenv("ANTHROPIC_BASE_URL")+"/v1/messages", strings.NewReader(body))
		if err != nil {
			return "", err
		}
		r.Header.Set("Authorization", "Bearer "+os.Getenv("ANTHROPIC_AUTH_TOKEN"))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Anthropic-Version", "2023-06-01")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			if time.Now().After(end) {
				return "", err
			}
			continue
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return "", err
		}
		if resp.StatusCode != http.StatusOK {
			return "", fmt.Errorf("%s: %s", resp.Status, answer)
		}
		return resp.Header.Get("Oauthmux-Account"), nil
	}
}
