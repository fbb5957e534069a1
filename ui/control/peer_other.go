//go:build !linux && !darwin

package control

import "net"

// checkPeer has nothing to ask here: the folder that holds the socket, which
// only its owner can open, is the fence (SAFETY T03).
func checkPeer(net.Conn) error { return nil }
