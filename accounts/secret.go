package accounts

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret is a credential. It prints as "[redacted]" everywhere but through
// Reveal, which only the store, the token request, Provider.Authorize and
// whoever takes an authorization response apart call. No method is asked for an
// unexported field, for the key of a map in JSON, or for %p and %w, which vet
// refuses: do not keep or print one there.
type Secret string

// Format hides the value from every verb, the wrong ones included: fmt prints
// the bare value of a %d that has no Formatter.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// String hides the value from who asks for a text.
func (Secret) String() string { return redacted }

// GoString hides the value from who asks for Go's syntax.
func (Secret) GoString() string { return redacted }

// LogValue hides the value from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the value from encoders, JSON's among them.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Reveal returns the credential itself.
func (s Secret) Reveal() string { return string(s) }
