//go:build !linux

package early

// findBus looks for nothing: only on Linux does a keyring hang on a bus.
func findBus(addresses string) (string, busHealth) { return addresses, busAlive }
