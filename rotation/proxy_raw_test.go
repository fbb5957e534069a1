package rotation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// smuggled stands where one reader may see a body and another the next request.
const smuggled = "POST /v1/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

// wholeBodies are what the requests of the corpus can be taken to hold, besides
// chunks that are taken for the body itself.
var wholeBodies = []string{"", "hello", smuggled, "5\r\nh", fmt.Sprintf("%x\r\n", len(smuggled))}

// ambiguous returns requests that readers of HTTP have disagreed about.
func ambiguous(host string) map[string]string {
	corpus := make(map[string]string)
	add := func(name, fields, body string) {
		corpus[name] = "POST /mycorp/v1/x HTTP/1.1\r\nHost: " + host + "\r\nAuthorization: Bearer " + testKey + "\r\n" + fields + "\r\n" + body
	}
	full := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)
	encodings := []string{
		"Transfer-Encoding: chunked", "Transfer-Encoding:chunked", "Transfer-Encoding: Chunked", "transfer-encoding: CHUNKED",
		"Transfer-Encoding : chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: chunked ", "Transfer-Encoding: \x0bchunked",
		"Transfer-Encoding:\r\n chunked", "Transfer-Encoding: xchunked", "Transfer-Encoding: identity", "Transfer-Encoding: chunked, identity",
		"Transfer-Encoding: identity, chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding: chunked;q=1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
		"Transfer_Encoding: chunked", "Transfer-Encoding: ", "X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", " Transfer-Encoding: chunked",
	}
	lengths := []string{"", "Content-Length: 0\r\n", "Content-Length: 4\r\n", fmt.Sprintf("Content-Length: %d\r\n", len(full)), "Content-Length: 9999\r\n"}
	for _, encoding := range encodings {
		for i, length := range lengths {
			add(fmt.Sprintf("%q, length %d", encoding, i), encoding+"\r\n"+length, full)
		}
	}
	for _, value := range []string{
		"5, 5", "5,6", "+5", "-5", "0x5", "5 5", "05", "5\x00", "5e0", "5.0", " 5", "5 ", "\t5", "", "five", "18446744073709551616", "9223372036854775808", "5;x", "\"5\"", "5\r\n 5",
	} {
		add(fmt.Sprintf("Content-Length %q", value), "Content-Length: "+value+"\r\n", "hello"+smuggled)
	}
	for _, two := range []string{"5\r\nContent-Length: 5", "5\r\nContent-Length: 6", "5\r\ncontent-length: 0", "0\r\nContent-Length: 5", "5\r\nContent-Length : 6", "5\r\nContent_Length: 6", "5\nContent-Length: 6"} {
		add(fmt.Sprintf("two lengths %q", two), "Content-Length: "+two+"\r\n", "hello"+smuggled)
	}
	for _, body := range []string{
		"5;x=y\r\nhello\r\n0\r\n\r\n", "5;x=\"\r\n\"\r\nhello\r\n0\r\n\r\n", "5 ;x\r\nhello\r\n0\r\n\r\n", "5;\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
		"0x5\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n", "00000000000000005\r\nhello\r\n0\r\n\r\n",
		"10000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhel\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\r\n0\r\n",
		"5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n", "5\r\nhello\r\n0\r\nX-Api-Key: late\r\nAuthorization: Bearer late\r\n\r\n", "5\r\nhello\r\n0\r\n\r\nGARBAGE", "5\r\nhello\r\n00\r\n\r\n", "5\r\nhello\r\n0;x\r\n\r\n", "\r\n5\r\nhello\r\n0\r\n\r\n",
		"5;" + strings.Repeat("x", 9000) + "\r\nhello\r\n0\r\n\r\n", "g\r\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n",
	} {
		add(fmt.Sprintf("chunks %.40q", body), "Transfer-Encoding: chunked\r\n", body+smuggled)
	}
	for _, field := range []string{
		"Bad Name: x", "Bad\tName: x", "Bad\x00Name: x", ": no name", "no colon", "X: a\x00b", "X: a\rb", "X: a\r\n b", "X: a\r\n\tb", "X:\r\n Content-Length: 5", "(x): y", "X\xff: y", "X: \x7f", "\tX: y",
		"Host: evil.example", "Expect: 100-continue", "Expect: something", "Connection: Content-Length", "Connection: Transfer-Encoding, Host", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "Content-Length: 5\r\nConnection: Content-Length",
	} {
		add(fmt.Sprintf("field %q", field), field+"\r\nContent-Length: 5\r\n", "hello"+smuggled)
	}
	for name, line := range map[string]string{
		"HTTP/0.9": "POST /mycorp/v1/x", "HTTP/1.2": "POST /mycorp/v1/x HTTP/1.2", "HTTP/2.0": "POST /mycorp/v1/x HTTP/2.0", "no version": "POST /mycorp/v1/x HTTP/", "preface": "PRI * HTTP/2.0",
		"two spaces": "POST  /mycorp/v1/x HTTP/1.1", "tab": "POST\t/mycorp/v1/x\tHTTP/1.1", "lower case": "post /mycorp/v1/x http/1.1", "no method": " /mycorp/v1/x HTTP/1.1", "odd method": "P\x00ST /mycorp/v1/x HTTP/1.1",
	} {
		corpus["line "+name] = line + "\r\nHost: " + host + "\r\nAuthorization: Bearer " + testKey + "\r\nContent-Length: 5\r\n\r\nhello" + smuggled
	}
	add("bare line feeds", "Content-Length: 5\n", "hello"+smuggled)
	corpus["nothing but line feeds"] = "POST /mycorp/v1/x HTTP/1.1\nHost: " + host + "\nAuthorization: Bearer " + testKey + "\nContent-Length: 5\n\nhello" + smuggled
	return corpus
}

func TestT10_AmbiguousRequestsReachNobodyElse(t *testing.T) {
	var (
		mu     sync.Mutex
		broken []string
	)
	// The upstream is a reader of its own: what it takes for the end of a request
	// must be what the proxy took for it.
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/v1/marker"):
			_, _ = io.WriteString(w, r.URL.Path)
		case r.URL.Path != "/v1/x":
			broken = append(broken, r.Method+" "+r.URL.Path+" reached the upstream")
		case err == nil && !slices.Contains(wholeBodies, string(body)) && !strings.HasSuffix(string(body), "0\r\n\r\n"):
			broken = append(broken, fmt.Sprintf("a whole request with the body %q reached the upstream", body))
		case r.Header.Get("X-Api-Key") != "" || r.Trailer.Get("X-Api-Key") != "" || r.Trailer.Get("Authorization") != "":
			broken = append(broken, "a credential of the client reached the upstream")
		}
	}))
	defer up.Close()
	base := NewUpstream(nil)
	defer base.CloseIdleConnections()
	d := openTo(t, up.URL, base)

	corpus := ambiguous("localhost:" + d.port)
	if len(corpus) < 200 {
		t.Fatalf("only %d requests", len(corpus))
	}
	other := client(t)
	n := 0
	for name, request := range corpus {
		n++
		statuses := d.shout(t, request)
		for _, status := range statuses {
			if status != 200 && (status < 400 || status == 502 || status > 505) {
				t.Errorf("%s: answered %v, want 200 or a refusal", name, statuses)
			}
		}
		marker := fmt.Sprintf("/v1/marker%d", n)
		resp, err := other.Do(d.request(t, "POST", "/mycorp"+marker, nil))
		if err != nil {
			t.Fatalf("%s: the next client: %v", name, err)
		}
		text, _ := io.ReadAll(resp.Body)
		shut(resp.Body)
		if string(text) != marker {
			t.Errorf("%s: the next client asked for %s and got %d %q", name, marker, resp.StatusCode, text)
		}
		mu.Lock()
		for _, what := range broken {
			t.Errorf("%s: %s", name, what)
		}
		broken = nil
		mu.Unlock()
	}
}

// shout sends a request and no more, and returns the statuses that come back.
func (d *door) shout(t *testing.T, request string) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return nil // refused before all of it was there
	}
	_ = c.(*net.TCPConn).CloseWrite()
	r := bufio.NewReader(c)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		if resp.StatusCode != http.StatusContinue {
			statuses = append(statuses, resp.StatusCode)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		shut(resp.Body)
		if err != nil {
			return statuses
		}
	}
}
