// Command empty is the least that Bubble Tea can be: what the screen is measured
// against.
package main

import (
	"fmt"
	"os"

	tea "github.com/charmbracelet/bubbletea"
)

type empty struct{ keys int }

func (empty) Init() tea.Cmd { return nil }

func (m empty) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if key, ok := msg.(tea.KeyMsg); ok {
		if key.String() == "q" {
			return m, tea.Quit
		}
		m.keys++
	}
	return m, nil
}

func (m empty) View() string { return fmt.Sprintf("ready %d", m.keys) }

func main() {
	if _, err := tea.NewProgram(empty{}, tea.WithAltScreen(), tea.WithFPS(60)).Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
