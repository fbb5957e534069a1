package control

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// checkPeer refuses the other end of a unix socket when it is not this user's
// (SAFETY T03).
func checkPeer(conn net.Conn) error {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("not a unix socket: %T", conn)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var cred *syscall.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return fmt.Errorf("ask for the peer's credentials: %w", credErr)
	}
	if int64(cred.Uid) != int64(os.Geteuid()) {
		return fmt.Errorf("the peer is uid %d", cred.Uid)
	}
	return nil
}
