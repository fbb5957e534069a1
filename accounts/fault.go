package accounts

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// FaultWords tells what a value that was recovered from a panic is. A runtime
// error is told in its words; any other value may quote a token or an address, and
// only its type is told.
func FaultWords(value any) string {
	err, ok := value.(runtime.Error)
	if !ok {
		return fmt.Sprintf("%T", value)
	}
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	// Anybody can make an error that says it is the runtime's.
	if p := t.PkgPath(); p != "runtime" && !strings.HasPrefix(p, "internal/runtime/") {
		return fmt.Sprintf("%T", value)
	}
	return err.Error()
}
