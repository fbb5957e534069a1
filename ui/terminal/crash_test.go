//go:build unix

package terminal

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/dashboard"
)

// crashVariable makes this test binary show a screen whose engine panics at the
// first action that it is asked for.
const crashVariable = "OAUTHMUX_TEST_CRASH"

// breaking is that engine.
type breaking struct{}

func (breaking) State(context.Context) (control.State, error) { return breakingState(), nil }

func (breaking) Watch(context.Context) (<-chan control.State, error) {
	c := make(chan control.State, 1)
	c <- breakingState()
	return c, nil
}

func (breaking) Do(context.Context, control.Request) (control.Reply, error) { panic("a secret") }

func breakingState() control.State {
	return control.State{
		Now: time.Now(),
		Status: control.Status{
			Schema: control.Schema, Engine: control.Info{Running: true, PID: os.Getpid()},
			Accounts: []control.Account{{ID: "a1", Label: "fragile", State: control.StateReady}},
		},
	}
}

// showBreaking is the other program that this test binary can be.
func showBreaking() {
	err := dashboard.Run(context.Background(), dashboard.Options{
		Engine: breaking{}, In: os.Stdin, Out: os.Stdout, Env: os.Getenv, Mouse: true,
	})
	if err != nil {
		fmt.Println("it said:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestAPanicLeavesTheTerminalAsItWas(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, size{80, 24}, "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8", crashVariable+"=1", "SELF="+self)
	m.runs("stty -g >before; $SELF; echo ended with $?")
	m.shows("fragile")
	if got := m.is("mouse_any_flag"); got != "1" {
		t.Errorf("the mouse is not reported to the screen: %s", got)
	}
	m.press("u")
	screen := m.shows("it said: the screen failed (string)", "ended with 1")
	if strings.Contains(screen, "a secret") || strings.Contains(screen, "goroutine") {
		t.Errorf("the terminal shows:\n%s", screen)
	}
	m.runs("stty -g | diff before - && echo as before")
	m.finds(`(?m)^as before$`)
	m.ready()
	isClean(t, m)
}
