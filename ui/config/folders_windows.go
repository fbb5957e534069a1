package config

import "io/fs"

// On Windows the access list that a folder inherits from the user's profile
// keeps others out; mode bits say nothing there.

func ownedByUs(fs.FileInfo) bool   { return true }
func wider(fs.FileInfo) bool       { return false }
func replaceable(fs.FileInfo) bool { return false }
