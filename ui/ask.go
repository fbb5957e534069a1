package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// terminal returns v's descriptor if it is a terminal.
func terminal(v any) (int, bool) {
	f, ok := v.(*os.File)
	if !ok {
		return 0, false
	}
	fd := int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// interactive reports whether somebody is there to answer.
func (p *program) interactive() bool {
	_, ok := terminal(p.Stdin)
	return ok
}

// say tells a person something beside the output.
func (p *program) say(format string, args ...any) {
	p.prompt(fmt.Sprintf(format, args...) + "\n")
}

// prompt is say without the end of the line. When stderr cannot be written to,
// there is nobody left to tell.
func (p *program) prompt(text string) { _, _ = io.WriteString(p.Stderr, text) }

// longestLine is far above any pasted address.
const longestLine = 64 << 10

// readLine returns the next line of stdin without its end. It can be given up,
// which a read cannot: the goroutine behind it then stays until the process
// ends, which is next.
func (p *program) readLine(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1)
	go func() {
		var line []byte
		for len(line) < longestLine {
			part, err := p.in.ReadSlice('\n')
			line = append(line, part...)
			if err == nil || (errors.Is(err, io.EOF) && len(line) > 0) {
				read <- result{strings.TrimRight(string(line), "\r\n"), nil}
				return
			}
			if len(part) == 0 {
				read <- result{"", err}
				return
			}
		}
		read <- result{"", errors.New("the line is too long")}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// ask puts a question to the person at the terminal.
func (p *program) ask(ctx context.Context, question string) (string, error) {
	p.prompt(question)
	line, err := p.readLine(ctx)
	if err != nil {
		p.prompt("\n")
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// confirm asks for a yes. Anything else is a no.
func (p *program) confirm(ctx context.Context, question string) (bool, error) {
	answer, err := p.ask(ctx, question+" [y/N] ")
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return strings.EqualFold(answer, "y") || strings.EqualFold(answer, "yes"), err
}

// choose asks for one of a numbered list and returns its index.
func (p *program) choose(ctx context.Context, question string, choices []string) (int, error) {
	for i, c := range choices {
		p.say("%3d  %s", i+1, c)
	}
	for {
		answer, err := p.ask(ctx, question+" ")
		if err != nil {
			return 0, fmt.Errorf("nothing was chosen: %w", err)
		}
		n, err := strconv.Atoi(answer)
		if err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
		p.say("a number from 1 to %d, please", len(choices))
	}
}

// askSecret reads a line that does not show.
func (p *program) askSecret(ctx context.Context, question string) (string, error) {
	fd, ok := terminal(p.Stdin)
	if !ok {
		return "", errors.New("no terminal to ask on")
	}
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("read the terminal's state: %w", err)
	}
	p.prompt(question)
	type result struct {
		secret []byte
		err    error
	}
	read := make(chan result, 1)
	go func() {
		secret, err := term.ReadPassword(fd)
		read <- result{secret, err}
	}()
	select {
	case r := <-read:
		p.prompt("\n")
		return string(r.secret), r.err
	case <-ctx.Done():
		_ = term.Restore(fd, before) // the read stays behind with the echo off
		p.prompt("\n")
		return "", ctx.Err()
	}
}
