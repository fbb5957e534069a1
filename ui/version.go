package ui

import "runtime/debug"

// versionOf is what the build was stamped with, else what Go knows of it.
func versionOf(stamped string) string {
	if stamped != "" {
		return stamped
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
