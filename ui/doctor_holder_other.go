//go:build !linux

package ui

// lockHolder knows no way to find who holds a lock here.
func lockHolder(string) int { return 0 }
