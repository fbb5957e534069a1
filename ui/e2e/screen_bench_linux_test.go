package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/simulator"
	"github.com/oauthmux/oauthmux/usage"
)

// These benchmarks run the screen beside the least that Bubble Tea can be, each on a
// terminal of its own: only what one costs more than the other, in the same run,
// means something on a busy machine.

// measured is a program on a terminal, and what it has written.
type measured struct {
	cmd     *exec.Cmd
	master  *os.File
	ended   chan struct{}
	mu      sync.Mutex
	written bytes.Buffer
	first   time.Time // when what was waited for was there; zero: not yet
	wanted  string
}

// onTerminal starts a program, which is to write a text.
func onTerminal(b *testing.B, wanted string, env []string, program string) *measured {
	b.Helper()
	master, slave := openTerminal(b)
	m := &measured{cmd: exec.Command(program), master: master, ended: make(chan struct{}), wanted: wanted}
	m.cmd.Env = env
	m.cmd.Stdin, m.cmd.Stdout, m.cmd.Stderr = slave, slave, slave
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := m.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	_ = slave.Close()
	go func() {
		defer close(m.ended)
		buf := make([]byte, 1<<16)
		for {
			n, err := master.Read(buf)
			m.write(buf[:n], time.Now())
			if err != nil { // EIO: nobody has the other side open
				return
			}
		}
	}()
	return m
}

func (m *measured) write(p []byte, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.written.Write(p)
	if m.first.IsZero() && bytes.Contains(m.written.Bytes(), []byte(m.wanted)) {
		m.first = now
	}
	// A terminal answers what it is asked: what it is, where the cursor stands.
	for question, answer := range map[string]string{"\x1b[c": "\x1b[?62c", "\x1b[6n": "\x1b[1;1R"} {
		if bytes.Contains(p, []byte(question)) {
			_, _ = m.master.WriteString("\x1b]11;rgb:0000/0000/0000\x07" + answer)
		}
	}
}

// shown waits for the text.
func (m *measured) shown(b *testing.B) time.Time {
	b.Helper()
	for end := time.Now().Add(commandLimit); ; time.Sleep(time.Millisecond) {
		m.mu.Lock()
		first := m.first
		m.mu.Unlock()
		if !first.IsZero() {
			return first
		}
		if time.Now().After(end) {
			b.Fatalf("%s did not show %q", m.cmd.Path, m.wanted)
		}
	}
}

func (m *measured) bytes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.written.Len()
}

// leave presses q.
func (m *measured) leave(b *testing.B) {
	b.Helper()
	if _, err := m.master.WriteString("q"); err != nil {
		b.Fatal(err)
	}
	if err := m.cmd.Wait(); err != nil {
		b.Fatalf("%s: %v", m.cmd.Path, err)
	}
	<-m.ended
	_ = m.master.Close()
}

// cpu is what all threads of the program have used so far.
func (m *measured) cpu(b *testing.B) time.Duration {
	b.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", m.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		b.Skip("this kernel does not say what a thread has used")
	}
	var sum time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended since
		}
		n, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n)
	}
	return sum
}

// rivals are the screen with n accounts, none of which counts down, and the
// program that does nothing.
func rivals(b *testing.B, n int) (screen, floor func() *measured) {
	b.Helper()
	home := b.TempDir()
	now := time.Now().UTC()
	all := make([]accounts.Account, n)
	for i := range all {
		window := func(name string, length time.Duration) usage.Window {
			return usage.Window{Name: name, Used: float64(i%90) / 100, ResetsAt: now.Add(length), Length: length}
		}
		all[i] = accounts.Account{
			ID: accounts.ID(fmt.Sprintf("%026d", i)), Provider: simulator.Plays, Identity: fmt.Sprintf("%036d", i), Label: fmt.Sprintf("account %04d", i),
			Email: fmt.Sprintf("person.%04d@company.example", i), Plan: "Max 20x", Order: i + 1, TokenExpiresAt: now.Add(8 * time.Hour), LoggedInAt: now.Add(-time.Hour),
			Usage: usage.Snapshot{At: now, Source: usage.SourcePoll, Windows: []usage.Window{window(usage.FiveHour, 5*time.Hour), window(usage.SevenDay, 7*24*time.Hour)}},
		}
	}
	document, err := json.Marshal(map[string]any{"version": 1, "accounts": all})
	if err != nil {
		b.Fatal(err)
	}
	config := "[proxy]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"none\"\n[keyring]\nbackend = \"file\"\n[usage]\npoll = \"1h\"\n"
	for name, text := range map[string]string{"accounts.json": string(document), "config.toml": config} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "OAUTHMUX_HOME=" + home, "TERM=xterm-256color", "COLORTERM=truecolor", "LANG=C.UTF-8", "TZ=UTC",
		"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "OAUTHMUX_PASSPHRASE=a passphrase",
	}
	least := filepath.Join(b.TempDir(), "empty")
	if out, err := exec.Command("go", "build", "-o", least, "./testdata/empty").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return func() *measured { return onTerminal(b, " oauthmux", env, plain) }, func() *measured { return onTerminal(b, "ready", env, least) }
}

// BenchmarkFirstFrame is how much later than Bubble Tea's own the screen's first
// frame comes: it must not be more than 10 ms. Where others want the processor too,
// see what each has used of it until then.
func BenchmarkFirstFrame(b *testing.B) {
	for _, n := range []int{4, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			screen, floor := rivals(b, n)
			var took, used [2][]time.Duration
			for b.Loop() {
				for i, start := range []func() *measured{screen, floor} {
					began := time.Now()
					m := start()
					took[i] = append(took[i], m.shown(b).Sub(began))
					used[i] = append(used[i], m.cpu(b))
					m.leave(b)
				}
			}
			for i, who := range []string{"screen", "floor"} {
				b.ReportMetric(median(took[i]), "ms-"+who)
				b.ReportMetric(median(used[i]), "ms-CPU-"+who)
			}
			b.ReportMetric(median(took[0])-median(took[1]), "ms-later")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func median(all []time.Duration) (milliseconds float64) {
	slices.Sort(all)
	return all[len(all)/2].Seconds() * 1000
}

// BenchmarkKeyToFrame is the time from a key to the first bytes of the frame that
// shows what it did: it must not be longer than Bubble Tea's own, which waits for its
// tick of 60 in a second.
func BenchmarkKeyToFrame(b *testing.B) {
	for _, n := range []int{4, 1000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			screen, floor := rivals(b, n)
			both := [2]*measured{screen(), floor()}
			for _, m := range both {
				m.shown(b)
			}
			time.Sleep(2 * time.Second) // what comes after the first frame is drawn by then
			var took [2][]time.Duration
			keys := [2]string{"j", "k"} // down, and up again
			for b.Loop() {
				for i, m := range both {
					time.Sleep(50*time.Millisecond + rand.N(17*time.Millisecond)) // at no certain moment between two ticks
					before, pressed := m.bytes(), time.Now()
					if _, err := m.master.WriteString(keys[len(took[i])%2]); err != nil {
						b.Fatal(err)
					}
					for m.bytes() == before {
						if time.Since(pressed) > commandLimit {
							b.Fatalf("%s does not draw", m.cmd.Path)
						}
						time.Sleep(100 * time.Microsecond)
					}
					took[i] = append(took[i], time.Since(pressed))
				}
			}
			for i, who := range []string{"screen", "floor"} {
				b.ReportMetric(median(took[i]), "ms-"+who) // it sorts them
				b.ReportMetric(took[i][len(took[i])*99/100].Seconds()*1000, "ms-p99-"+who)
				both[i].leave(b)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkIdle is the CPU that the screen, its engine included, uses in a minute in
// which nothing happens, against Bubble Tea's ticker alone, in the same minute. It
// must not be more.
func BenchmarkIdle(b *testing.B) {
	screen, floor := rivals(b, 4)
	var used [2]time.Duration
	wrote := 0
	for b.Loop() {
		both := [2]*measured{screen(), floor()}
		for _, m := range both {
			m.shown(b)
		}
		time.Sleep(3 * time.Second) // what comes after the first frame is not idle yet
		var before [2]time.Duration
		for i, m := range both {
			before[i] = m.cpu(b)
		}
		bytes := both[0].bytes()
		time.Sleep(time.Minute)
		for i, m := range both {
			used[i] += m.cpu(b) - before[i]
		}
		wrote += both[0].bytes() - bytes
		for _, m := range both {
			m.leave(b)
		}
	}
	n := float64(b.N)
	b.ReportMetric(used[0].Seconds()*1000/n, "ms-screen")
	b.ReportMetric(used[1].Seconds()*1000/n, "ms-floor")
	b.ReportMetric(used[0].Seconds()/used[1].Seconds(), "ratio")
	b.ReportMetric(float64(wrote)/n, "bytes-written")
	b.ReportMetric(0, "ns/op")
}
