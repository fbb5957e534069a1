package ui

import (
	"net"
	"path/filepath"
	"testing"
)

func TestT05_ASocketThatOthersReachIsNotTakenOn(t *testing.T) {
	for _, c := range []struct {
		network, address string
		taken            bool
	}{
		{"tcp4", "127.0.0.1:0", true},
		{"tcp4", "0.0.0.0:0", false},
		{"unix", filepath.Join(t.TempDir(), "s"), false},
	} {
		l, err := new(net.ListenConfig).Listen(t.Context(), c.network, c.address)
		if err != nil {
			t.Fatal(err)
		}
		if err := onlyThisMachine(l); (err == nil) != c.taken {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}
