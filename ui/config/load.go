package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"github.com/oauthmux/oauthmux/accounts"
)

// Sources are the places a configuration comes from.
type Sources struct {
	File   string                                                   // config.toml; one that does not exist is an empty one
	Getenv func(name string) string                                 // an empty variable is one that is not set
	Flags  map[string]string                                        // values of the flags that were given, by their name without dashes
	Lookup func(ctx context.Context, host string) ([]string, error) // nil: the system's resolver
}

// maxFile is far beyond any configuration, and what a mistaken path may cost.
const maxFile = 1 << 20

// Load returns the configuration, or an *Error that says where it is wrong.
func Load(ctx context.Context, s Sources) (Config, error) {
	if s.Lookup == nil {
		s.Lookup = net.DefaultResolver.LookupHost
	}
	l := &loader{sources: s, origins: map[string]Error{}}
	for _, step := range []func() error{
		l.defaults, l.readFile, l.laidOver, l.providers,
		func() error { return l.check(ctx) },
	} {
		if err := step(); err != nil {
			return Config{}, err
		}
	}
	return l.config, nil
}

// loader fills one configuration, source after source.
type loader struct {
	sources Sources
	config  Config
	tables  map[string]any // the [providers] of the file
	places  places
	origins map[string]Error // by key: where the value that holds comes from, as the head of an error
}

func (l *loader) keys() []field { return fields(reflect.ValueOf(&l.config).Elem(), "") }

func (l *loader) defaults() error {
	for _, f := range l.keys() {
		if err := f.setText(f.Tag.Get("default")); err != nil {
			return fmt.Errorf("default of %s: %w", f.key, err)
		}
	}
	return nil
}

func (l *loader) readFile() error {
	document, err := readRegular(l.sources.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return &Error{
			File: l.sources.File, Problem: "it cannot be there: a folder of its path is a file",
			Hint: "move that file away, or set OAUTHMUX_HOME to a folder",
		}
	case err != nil:
		return &Error{File: l.sources.File, Problem: err.Error()}
	}
	document = bytes.TrimPrefix(document, []byte("\xef\xbb\xbf")) // Windows editors write it
	var tree map[string]any
	if err := toml.Unmarshal(document, &tree); err != nil {
		return l.syntax(err)
	}
	l.places = locate(document)
	if given, ok := tree["providers"]; ok {
		if l.tables, ok = given.(map[string]any); !ok {
			return l.mistake([]string{"providers"}, "must be a table, not "+kindOf(given), "write [providers.NAME]")
		}
		delete(tree, "providers")
	}
	return l.lay(tree, reflect.ValueOf(&l.config).Elem(), nil)
}

// readRegular does not wait for a pipe and does not fill the memory.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, plainPathError(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	document, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return nil, plainPathError(err)
	case len(document) > maxFile:
		return nil, errors.New("is longer than a megabyte")
	}
	return document, nil
}

// plainPathError takes the path out: the Error that wraps it names the file.
func plainPathError(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// syntax is the error of a document that is not TOML.
func (l *loader) syntax(err error) error {
	e := &Error{File: l.sources.File, Problem: strings.TrimPrefix(err.Error(), "toml: ")}
	if de, ok := errors.AsType[*toml.DecodeError](err); ok {
		e.Line, e.Column = de.Position()
		e.Key = strings.Join(de.Key(), ".")
	}
	return e
}

// lay puts the keys of a table into the struct that stands for it, in the order
// in which they are written, so that the first mistake is the one that is named.
func (l *loader) lay(table map[string]any, into reflect.Value, path []string) error {
	children := childrenOf(into)
	names := slices.SortedFunc(maps.Keys(table), func(a, b string) int {
		return l.places.at(child(path, a)).compare(l.places.at(child(path, b)))
	})
	for _, name := range names {
		at := child(path, name)
		f, known := children[name]
		if !known {
			hint := "oauthmux help config lists every key"
			if near := nearest(name, slices.Sorted(maps.Keys(children))); near != "" {
				hint = "did you mean " + near + "?"
			}
			return l.mistake(at, "unknown key", hint)
		}
		if f.value.Kind() == reflect.Struct {
			below, ok := table[name].(map[string]any)
			if !ok {
				return l.mistake(at, "must be a table, not "+kindOf(table[name]), "")
			}
			if err := l.lay(below, f.value, at); err != nil {
				return err
			}
			continue
		}
		l.origins[strings.Join(at, ".")] = l.head(at)
		if err := f.set(table[name]); err != nil {
			return l.mistake(at, err.Error(), "")
		}
	}
	return nil
}

// childrenOf are the keys and tables directly below a struct, by name.
func childrenOf(v reflect.Value) map[string]field {
	children := map[string]field{}
	for i := range v.NumField() {
		t := v.Type().Field(i)
		switch name := t.Tag.Get("toml"); {
		case t.Anonymous:
			maps.Copy(children, childrenOf(v.Field(i)))
		case name != "":
			children[name] = field{StructField: t, key: name, value: v.Field(i)}
		}
	}
	return children
}

func child(path []string, name string) []string {
	return append(slices.Clip(path), name)
}

// laidOver puts the environment and then the flags over the file.
func (l *loader) laidOver() error {
	for _, f := range l.keys() {
		if text := l.sources.Getenv(f.env()); text != "" {
			if err := l.setFrom(f, f.env(), text); err != nil {
				return err
			}
		}
		if text, given := l.sources.Flags[f.flag()]; given {
			if err := l.setFrom(f, "--"+f.flag(), text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *loader) setFrom(f field, source, text string) error {
	l.origins[f.key] = Error{Source: source, Key: f.key}
	if err := f.setText(text); err != nil {
		return &Error{Source: source, Key: f.key, Problem: err.Error()}
	}
	if l.config.laid == nil {
		l.config.laid = make(map[string]string)
	}
	l.config.laid[f.key] = source
	return nil
}

// providers lays each [providers.NAME] table over the tuning of all.
func (l *loader) providers() error {
	l.config.Providers = make(map[accounts.ProviderID]Provider, len(l.tables))
	for _, name := range slices.Sorted(maps.Keys(l.tables)) {
		at := []string{"providers", name}
		table, ok := l.tables[name].(map[string]any)
		if !ok {
			return l.mistake(at, "must be a table, not "+kindOf(l.tables[name]), "write [providers.NAME]")
		}
		p := Provider{Tuning: l.config.Tuning}
		if err := l.lay(table, reflect.ValueOf(&p).Elem(), at); err != nil {
			return err
		}
		l.config.Providers[accounts.ProviderID(name)] = p
	}
	return nil
}

// mistake is an Error about the key at path in the file.
func (l *loader) mistake(path []string, problem, hint string) error {
	e := l.head(path)
	e.Problem, e.Hint = problem, hint
	return &e
}

// head is the beginning of an Error about the key at path in the file.
func (l *loader) head(path []string) Error {
	at := l.places.at(path)
	return Error{File: l.sources.File, Line: at.line, Column: at.column, Key: printableKey(path)}
}

// printableKey joins a path as TOML writes it; a key may hold anything.
func printableKey(path []string) string {
	parts := make([]string, len(path))
	for i, part := range path {
		if strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" || part == "" {
			part = quote(part)
		}
		parts[i] = part
	}
	return strings.Join(parts, ".")
}
