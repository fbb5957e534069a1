package control

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// protocol is the version of what travels over the socket. It changes when an
// old and a new program would misunderstand each other, not with every field.
const protocol = 1

// The frames: one JSON object a line. A client sends one call and gets one
// answer, or for methodWatch one for each change until either side leaves.
const (
	methodHello = "hello"
	methodState = "state"
	methodWatch = "watch"
	methodDo    = "do"
	methodHold  = "hold" // answered when the engine ends, or never: its end is the answer
)

// Longest frames. A call is small even with a pasted URL in it; a state of a
// thousand accounts is under two megabytes.
const (
	maxCall   = 64 << 10
	maxAnswer = 32 << 20
)

var errFrameTooLong = errors.New("frame too long")

type call struct {
	Protocol int      `json:"protocol"`
	Method   string   `json:"method"`
	Request  *Request `json:"request,omitempty"` // of methodDo
}

type answer struct {
	Protocol int    `json:"protocol"`
	State    *State `json:"state,omitempty"`
	Reply    *Reply `json:"reply,omitempty"`
	Error    *Error `json:"error,omitempty"`
}

// readFrame returns the next line without its end. A last line that is cut off
// is io.ErrUnexpectedEOF.
func readFrame(r *bufio.Reader, limit int) ([]byte, error) {
	var frame []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(frame)+len(part) > limit {
			return nil, errFrameTooLong
		}
		frame = append(frame, part...)
		switch {
		case err == nil:
			return frame[:len(frame)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(frame) > 0:
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
}

// decodeCall reads a client's frame. The protocol is judged before the rest,
// which another version may have shaped otherwise.
func decodeCall(frame []byte) (call, *Error) {
	var head struct {
		Protocol int `json:"protocol"`
	}
	if err := json.Unmarshal(frame, &head); err != nil {
		return call{}, badFrame("not a JSON object with a protocol number")
	}
	if head.Protocol != protocol {
		return call{}, mismatch(protocol, head.Protocol)
	}
	var c call
	d := json.NewDecoder(bytes.NewReader(frame))
	d.DisallowUnknownFields() // within one protocol every field is known; a misspelt one must not be half obeyed
	if err := d.Decode(&c); err != nil {
		return call{}, badFrame("not a call")
	}
	switch c.Method {
	case methodHello, methodState, methodWatch, methodHold:
		if c.Request != nil {
			return call{}, badFrame("a request where none belongs")
		}
	case methodDo:
		if c.Request == nil {
			return call{}, badFrame("no request")
		}
	default:
		return call{}, badFrame("unknown method")
	}
	return c, nil
}

// decodeAnswer reads a server's frame.
func decodeAnswer(frame []byte) (answer, error) {
	var head struct {
		Protocol int `json:"protocol"`
	}
	if err := json.Unmarshal(frame, &head); err != nil {
		return answer{}, errors.New("the engine answered what is not JSON")
	}
	if head.Protocol != protocol {
		return answer{}, mismatch(head.Protocol, protocol)
	}
	var a answer
	if err := json.Unmarshal(frame, &a); err != nil {
		return answer{}, errors.New("the engine answered what this program does not understand")
	}
	if a.Error != nil {
		return answer{}, a.Error
	}
	return a, nil
}

func badFrame(problem string) *Error {
	return &Error{Code: CodeUsage, Message: "control socket: " + problem}
}

func mismatch(engine, client int) *Error {
	return &Error{
		Code:    CodeVersion,
		Message: fmt.Sprintf("the oauthmux that runs is of another version (control protocol %d, this one has %d)", engine, client),
		Hint:    "stop it and start it again with this version",
	}
}
