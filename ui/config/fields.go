package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// field is one key, bound to its place in a struct.
type field struct {
	reflect.StructField
	key   string // "proxy.listen"
	value reflect.Value
}

// env is the name of the environment variable of a key.
func (f field) env() string {
	if name := f.Tag.Get("env"); name != "" {
		return name
	}
	return "OAUTHMUX_" + strings.ToUpper(strings.ReplaceAll(f.key, ".", "_"))
}

// flag is the name of the flag of a key, without its dashes.
func (f field) flag() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(f.key)
}

// fields lists the keys of a struct in the order of the struct. A field without
// a toml tag is no key; an embedded struct lends its keys.
func fields(v reflect.Value, prefix string) []field {
	var all []field
	for i := range v.NumField() {
		t := v.Type().Field(i)
		name := t.Tag.Get("toml")
		switch {
		case t.Anonymous:
			all = append(all, fields(v.Field(i), prefix)...)
		case name == "":
		case t.Type.Kind() == reflect.Struct:
			all = append(all, fields(v.Field(i), prefix+name+".")...)
		default:
			all = append(all, field{StructField: t, key: prefix + name, value: v.Field(i)})
		}
	}
	return all
}

// setText stores what a flag, the environment or a default tag says.
func (f field) setText(text string) error {
	switch f.value.Kind() {
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("must be true or false, not %s", quote(text))
		}
		return f.set(text == "true")
	case reflect.Int:
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("must be a whole number, not %s", quote(text))
		}
		return f.set(n)
	default:
		return f.set(text)
	}
}

// set stores a value as the TOML decoder delivers it: string, int64, bool or
// []any. The kinds must agree; nothing is converted behind a person's back.
func (f field) set(value any) error {
	if u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](f.value.Addr()); ok {
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("must be a string such as %s, not %s", quote(f.Tag.Get("default")), kindOf(value))
		}
		if err := u.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		return f.checkBounds()
	}
	switch given := value.(type) {
	case string:
		if f.value.Kind() == reflect.String {
			if err := f.checkWord(given); err != nil {
				return err
			}
			f.value.SetString(given)
			return nil
		}
	case bool:
		if f.value.Kind() == reflect.Bool {
			f.value.SetBool(given)
			return nil
		}
	case int64:
		if f.value.Kind() == reflect.Int {
			if given != int64(int32(given)) { //nolint:gosec // the conversion is the check
				return fmt.Errorf("%d is out of range", given)
			}
			f.value.SetInt(given)
			return f.checkBounds()
		}
	case []any:
		if f.value.Kind() == reflect.Slice {
			return f.setList(given)
		}
	}
	return fmt.Errorf("must be %s, not %s", kindName(f.value.Kind()), kindOf(value))
}

func (f field) setList(given []any) error {
	list := make([]string, len(given))
	for i, item := range given {
		text, ok := item.(string)
		if !ok {
			return fmt.Errorf("must be a list of strings, and item %d is %s", i+1, kindOf(item))
		}
		list[i] = text
	}
	f.value.Set(reflect.ValueOf(list))
	return nil
}

// checkBounds compares a number or duration with the min and max tags.
func (f field) checkBounds() error {
	for _, end := range []struct {
		tag, words string
		outside    func(value, bound int64) bool
	}{
		{"min", "must be at least ", func(value, bound int64) bool { return value < bound }},
		{"max", "must be at most ", func(value, bound int64) bool { return value > bound }},
	} {
		text := f.Tag.Get(end.tag)
		if text == "" {
			continue
		}
		bound := field{StructField: reflect.StructField{}, value: reflect.New(f.value.Type()).Elem()}
		if err := bound.setText(text); err != nil {
			return fmt.Errorf("tag %s of %s: %w", end.tag, f.key, err)
		}
		if end.outside(f.value.Int(), bound.value.Int()) {
			return errors.New(end.words + text)
		}
	}
	return nil
}

// checkWord compares a word with the oneof tag.
func (f field) checkWord(given string) error {
	words := strings.Fields(f.Tag.Get("oneof"))
	if len(words) == 0 || slices.Contains(words, given) || given == f.Tag.Get("default") {
		return nil
	}
	return fmt.Errorf("must be one of %s, not %s", strings.Join(words, ", "), quote(given))
}

func kindName(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Slice:
		return "a list of strings"
	default:
		return "a string"
	}
}

// kindOf names what stood in the file.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "a date or time"
	}
}
