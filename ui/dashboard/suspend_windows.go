package dashboard

import "errors"

var errNotStopped = errors.New("a console stops no program")

func suspendable() bool { return false }

func stop() error { return errNotStopped }
