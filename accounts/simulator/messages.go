package simulator

import (
	"net/http"
	"strconv"
)

// serveMessages is POST /v1/messages and POST /v1/messages/count_tokens.
func (s *Server) serveMessages(x *exchange, body *scan, f *Fault) {
	counting := x.place == placeCountTokens
	if problem := body.problem(!counting); problem != "" {
		s.tally.violate(BadBody)
		x.fail(http.StatusBadRequest, "invalid_request_error", problem)
		return
	}
	if !knownModel(body.model) {
		x.fail(http.StatusNotFound, "not_found_error", "model: "+body.model)
		return
	}
	tokens := x.read/4 + 1
	if counting { // it has limits of its own (PROTOCOL 3.8)
		st := x.account.look(x.began, x.family)
		st.write(x, x.family)
		x.send(http.StatusOK, typeJSON, []byte(`{"input_tokens":`+number10(tokens)+`}`))
		return
	}
	st := x.account.admit(x.began, body.model, x.family)
	if st.rejected {
		x.exhausted(&st, "")
		return
	}
	s.tally.generated(x.marker)
	if s.o.Latency > 0 && !x.pause(s.o.Latency) {
		return
	}
	st.write(x, x.family)
	m := message{id: x.messageID(), model: body.model, input: tokens, words: s.o.StreamEvents}
	if body.stream {
		x.stream(m, f)
		return
	}
	answer := m.whole()
	if f != nil && f.Kind == CutStream {
		x.put("Content-Type", typeJSON)
		x.put("Content-Length", strconv.Itoa(len(answer)))
		x.head(http.StatusOK)
		_, _ = x.Write(answer[:len(answer)/2])
		_ = http.NewResponseController(x.w).Flush()
		x.cut()
	}
	x.send(http.StatusOK, typeJSON, answer)
}

// messageID is the same for the same marker, so that two answers can be compared.
func (x *exchange) messageID() string {
	if plainName(x.marker) {
		return "msg_" + x.marker
	}
	return "msg_" + x.id[len("req_"):]
}

// message is one answer of the model.
type message struct {
	id, model string
	input     int64 // tokens
	words     int   // content deltas, and output tokens
}

// sentence is what the model says, over and over.
var sentence = [...]string{"The ", "quick ", "brown ", "fox ", "jumps ", "over ", "the ", "lazy ", "dog. "}

func (m message) word(i int) string { return sentence[i%len(sentence)] }

// whole is the answer as one document.
func (m message) whole() []byte {
	b := make([]byte, 0, 512+m.words*8)
	b = append(b, `{"id":"`...)
	b = append(b, m.id...)
	b = append(b, `","type":"message","role":"assistant","model":"`...)
	b = append(b, m.model...)
	b = append(b, `","content":[{"type":"text","text":"`...)
	for i := range m.words {
		b = append(b, m.word(i)...)
	}
	b = append(b, `"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":`...)
	b = strconv.AppendInt(b, m.input, 10)
	b = append(b, `,"output_tokens":`...)
	b = strconv.AppendInt(b, int64(m.words), 10)
	return append(b, `}}`...)
}
