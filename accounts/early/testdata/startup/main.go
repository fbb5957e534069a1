// Command startup does nothing but start, with both libraries that misbehave
// while they initialise. Built with the tag unprotected it lacks the cure.
package main

import (
	"fmt"
	"os"

	_ "github.com/99designs/keyring"
	_ "github.com/charmbracelet/bubbletea"
)

func main() {
	if len(os.Args) > 1 {
		for _, name := range os.Args[1:] {
			value, set := os.LookupEnv(name)
			fmt.Printf("%s=%q %t\n", name, value, set)
		}
	}
}
