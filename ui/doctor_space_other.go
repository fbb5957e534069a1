//go:build !linux && !darwin && !freebsd && !windows

package ui

import "errors"

// freeSpace knows no way here.
func freeSpace(string) (uint64, error) { return 0, errors.ErrUnsupported }
