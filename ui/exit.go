package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oauthmux/oauthmux/ui/config"
	"github.com/oauthmux/oauthmux/ui/control"
	"github.com/oauthmux/oauthmux/ui/crash"
)

// Exit statuses (DESIGN 4). Only token and run use those from three.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitLogin      = 3
	exitNobody     = 4
	exitRunFailed  = 125
	exitNotFound   = 127
	exitSignalBase = 128
)

// failure is an error with an exit status of its own.
type failure struct {
	status int
	err    error // nil: there is nothing to say
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit status %d", f.status)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// wrongUsage is a command line that cannot be obeyed.
func wrongUsage(hint, format string, args ...any) error {
	return &failure{exitUsage, &control.Error{Code: control.CodeUsage, Message: fmt.Sprintf(format, args...), Hint: hint}}
}

// needsAnswer is a question that nobody is there to answer.
func needsAnswer(question, hint string) error {
	return &failure{exitUsage, &control.Error{Code: control.CodeAnswerNeeded, Message: question, Hint: hint}}
}

// exit says what went wrong and returns the exit status.
func (p *program) exit(command *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	status := exitFailed
	if f, ok := errors.AsType[*failure](err); ok {
		if f.err == nil {
			return f.status
		}
		status, err = f.status, f.err
	}
	e := forPerson(err)
	if p.json || wantsJSON(command, p.Args) {
		_ = p.document(struct {
			Schema int            `json:"schema"`
			Error  *control.Error `json:"error"`
		}{control.Schema, e})
		return status
	}
	p.say("oauthmux: %s", printableLines(e.Message))
	if e.Hint != "" {
		p.say("hint: %s", printableLines(e.Hint))
	}
	return status
}

// wantsJSON reports whether a command line that could not be read asks for JSON.
func wantsJSON(command *cobra.Command, args []string) bool {
	if command == nil || command.Flags().Lookup("json") == nil && !command.HasSubCommands() { // it may not be the one that was meant
		return false
	}
	for _, arg := range args {
		switch arg {
		case "--json", "--json=true":
			return true
		case "--":
			return false
		}
	}
	return false
}

// forPerson puts an error into words for a person and a code for programs.
func forPerson(err error) *control.Error {
	if e, ok := errors.AsType[*control.Error](err); ok {
		return e
	}
	if r, ok := errors.AsType[*crash.PanicError](err); ok {
		return &control.Error{Code: control.CodeInternal, Message: r.Error()}
	}
	if e, ok := errors.AsType[*config.Error](err); ok {
		return &control.Error{Code: control.CodeConfig, Message: e.Error(), Hint: e.Hint}
	}
	if e, ok := errors.AsType[*config.PathError](err); ok {
		return &control.Error{Code: control.CodeConfig, Message: e.Error(), Hint: e.Hint}
	}
	if e, ok := errors.AsType[*config.FolderError](err); ok {
		return &control.Error{Code: control.CodeConfig, Message: e.Error(), Hint: e.Hint}
	}
	if errors.Is(err, context.Canceled) {
		return &control.Error{Code: control.CodeInternal, Message: "given up"}
	}
	if e := systemError(err, func(text string) string { return text }); e != nil {
		return e
	}
	return &control.Error{Code: control.CodeInternal, Message: err.Error()}
}

// document prints a JSON document on a line of its own.
func (p *program) document(v any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return p.print(b.String())
}

// print writes to stdout.
func (p *program) print(text string) error {
	if _, err := fmt.Fprint(p.Stdout, text); err != nil {
		return fmt.Errorf("write to stdout: %w", err)
	}
	return nil
}
