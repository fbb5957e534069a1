package early

import (
	"os"
	"syscall"
)

// patience bounds the whole probe, in microseconds. A bus that works answers
// in well under one millisecond.
const patience = 100_000

// findBus looks for the first bus of a list of addresses (D-Bus Specification,
// "Server Addresses") that answers in time. Without a list it looks where
// keyring would: at /run/user/UID/bus.
func findBus(addresses string) (string, busHealth) {
	if addresses == "" || addresses == "autolaunch:" {
		addresses = "unix:path=/run/user/" + itoa(os.Getuid()) + "/bus"
	}
	until := now() + patience
	found := busAbsent
	for addresses != "" {
		var address string
		address, addresses = cut(addresses, ';')
		switch probe(address, until) {
		case busAlive:
			return address, busAlive
		case busMute:
			found = busMute
		case busAbsent:
		}
	}
	return "", found
}

// probe connects to one address and begins to authenticate as EXTERNAL. Any
// answer will do: whoever answers does not hang us.
func probe(address string, until int64) busHealth {
	path, ok := socketPath(address)
	if !ok {
		return busAbsent // tcp, unixexec, autolaunch: nothing that can be asked from here
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return busAbsent
	}
	defer syscall.Close(fd) //nolint:errcheck // nothing of ours is in it

	// SO_SNDTIMEO bounds connect as well: it blocks while the backlog is full.
	if !limit(fd, syscall.SO_SNDTIMEO, until) {
		return busMute
	}
	switch err := syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}); err {
	case nil:
	case syscall.EAGAIN, syscall.EINPROGRESS, syscall.EINTR:
		return busMute
	default:
		return busAbsent
	}
	hello := []byte("\x00AUTH EXTERNAL " + hexDigits(itoa(os.Getuid())) + "\r\n")
	for len(hello) > 0 {
		n, err := syscall.Write(fd, hello)
		if err == syscall.EINTR && limit(fd, syscall.SO_SNDTIMEO, until) {
			continue
		}
		if err == syscall.EAGAIN {
			return busMute
		}
		if err != nil {
			return busAbsent
		}
		hello = hello[n:]
	}
	answer := make([]byte, 64)
	for limit(fd, syscall.SO_RCVTIMEO, until) {
		n, err := syscall.Read(fd, answer)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return busMute
		case err != nil, n == 0:
			return busAbsent // it hung up on us
		default:
			return busAlive // "OK", "REJECTED" or "ERROR": it speaks
		}
	}
	return busMute
}

// limit lets the socket block until the given moment, and reports whether
// there is any time left.
func limit(fd, option int, until int64) bool {
	left := min(until-now(), patience) // the wall clock may be set back meanwhile
	if left <= 0 {
		return false
	}
	tv := syscall.NsecToTimeval(left * 1000)
	return syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, &tv) == nil
}

// now is the wall clock in microseconds: package time is not ours to import.
func now() int64 {
	var tv syscall.Timeval
	if syscall.Gettimeofday(&tv) != nil {
		return 0
	}
	return tv.Nano() / 1000
}

// socketPath takes the socket's name from "unix:path=/x,guid=y" or
// "unix:abstract=x"; an abstract name begins with "@", as syscall wants it.
func socketPath(address string) (string, bool) {
	const unix = "unix:"
	if len(address) < len(unix) || address[:len(unix)] != unix {
		return "", false
	}
	for rest := address[len(unix):]; rest != ""; {
		var pair string
		pair, rest = cut(rest, ',')
		switch key, value := cut(pair, '='); key {
		case "path":
			return unescape(value), value != ""
		case "abstract":
			return "@" + unescape(value), value != ""
		}
	}
	return "", false
}

// unescape undoes the "%2f" of bus addresses; what is no escape stays.
func unescape(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := digit(s[i+1]), digit(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo)) //nolint:gosec // two digits of four bits each
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func hexDigits(s string) string {
	const digits = "0123456789abcdef"
	var out []byte
	for i := range len(s) {
		out = append(out, digits[s[i]>>4], digits[s[i]&15])
	}
	return string(out)
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + max(n, 0)))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func cut(s string, at byte) (before, after string) {
	for i := range len(s) {
		if s[i] == at {
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}
