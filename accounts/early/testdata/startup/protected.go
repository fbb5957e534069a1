//go:build !unprotected

package main

import "github.com/oauthmux/oauthmux/accounts/early"

func init() { early.Restore() }
