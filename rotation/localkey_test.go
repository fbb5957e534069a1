package rotation

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestT03_OnlyTheLocalKeyOpens(t *testing.T) {
	var up asked
	d := open(t, &up)
	session := SessionKey(testKey, Claims{Session: "s1", Account: "a1"})
	good := map[string]http.Header{
		"bearer":           {"Authorization": {"Bearer " + testKey}},
		"lower-case":       {"Authorization": {"bearer " + testKey}},
		"x-api-key":        {"X-Api-Key": {testKey}},
		"both":             {"Authorization": {"Bearer " + testKey}, "X-Api-Key": {testKey}},
		"one of two":       {"Authorization": {"Bearer something-else"}, "X-Api-Key": {testKey}},
		"session":          {"Authorization": {"Bearer " + session}},
		"session, api key": {"X-Api-Key": {session}},
	}
	for name, h := range good {
		if status := d.withHeader(t, h); status != http.StatusOK {
			t.Errorf("%s: got %d, want 200", name, status)
			continue
		}
		sent := up.last().Header
		if sent.Get("Authorization") != "" || sent.Get("X-Api-Key") != "" {
			t.Errorf("%s: the key went upstream: %v", name, sent)
		}
	}
	served := up.count()
	flipped := session[:len(session)-2] + string(session[len(session)-2]^1) + session[len(session)-1:]
	bad := map[string]http.Header{
		"none":                {},
		"empty":               {"Authorization": {"Bearer "}},
		"basic":               {"Authorization": {"Basic " + testKey}},
		"no scheme":           {"Authorization": {testKey}},
		"prefix":              {"Authorization": {"Bearer " + testKey[:len(testKey)-1]}},
		"longer":              {"Authorization": {"Bearer " + testKey + "0"}},
		"other case":          {"Authorization": {"Bearer " + strings.ToUpper(testKey)}},
		"trailing space":      {"Authorization": {"Bearer " + testKey + " x"}},
		"two fields":          {"Authorization": {"Bearer " + testKey, "Bearer " + testKey}},
		"cookie":              {"Cookie": {"key=" + testKey}},
		"proxy-authorization": {"Proxy-Authorization": {"Bearer " + testKey}},
		"flipped signature":   {"Authorization": {"Bearer " + flipped}},
		"no signature":        {"Authorization": {"Bearer " + session[:strings.IndexByte(session, '.')+1]}},
		"no claims":           {"Authorization": {"Bearer omx_" + session[strings.IndexByte(session, '.'):]}},
		"other claims": {"Authorization": {"Bearer " + SessionKey(testKey, Claims{Account: "a2"})[:20] +
			session[strings.IndexByte(session, '.'):]}},
		"signed by another key": {"Authorization": {"Bearer " + SessionKey(testKey+"x", Claims{Session: "s1"})}},
		"signed by nothing":     {"Authorization": {"Bearer " + SessionKey("", Claims{})}},
	}
	for name, h := range bad {
		if status := d.withHeader(t, h); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, status)
		}
	}
	if got := up.count(); got != served {
		t.Errorf("the upstream was asked %d times without the key", got-served)
	}
}

func (d *door) withHeader(t *testing.T, h http.Header) int {
	t.Helper()
	r := d.request(t, "POST", messages, nil)
	r.Header = h
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(resp.Body)
	return resp.StatusCode
}

func TestT03_WithoutALocalKeyNobodyIsLetIn(t *testing.T) {
	var up asked
	for name, d := range map[string]*door{
		"empty":      open(t, &up, func(p *Proxy) { p.localKey = func() (string, error) { return "", nil } }),
		"unreadable": open(t, &up, func(p *Proxy) { p.localKey = func() (string, error) { return "", errors.New("disk") } }),
	} {
		for _, h := range []http.Header{{"Authorization": {"Bearer "}}, {"X-Api-Key": {""}}, {"Authorization": {"Bearer " + SessionKey("", Claims{})}}} {
			if status := d.withHeader(t, h); status != http.StatusUnauthorized && status != http.StatusServiceUnavailable {
				t.Errorf("%s key, %v: got %d, want 401 or 503", name, h, status)
			}
		}
	}
	if got := up.count(); got != 0 {
		t.Errorf("the upstream was asked %d times", got)
	}
}

func TestSessionKeyCarriesItsClaims(t *testing.T) {
	v := newVerifier(testKey)
	for _, want := range []Claims{{}, {Session: "s"}, {Account: "a"}, {Session: "run-\u00fc\u2603 with spaces", Account: "0123abcd"}} {
		key := SessionKey(testKey, want)
		if strings.ContainsAny(key, " \t\r\n,;\"") || !strings.HasPrefix(key, "omx_") {
			t.Errorf("key %q cannot stand in a header and an environment", key)
		}
		if got, ok := v.check(key); !ok || got != want {
			t.Errorf("check(SessionKey(%+v)) = %+v, %v", want, got, ok)
		}
	}
}

func TestLookingForKeysIsQuickWhateverIsSent(t *testing.T) {
	v := newVerifier(testKey)
	key := SessionKey(testKey, Claims{Session: "s", Account: "a"})
	for _, text := range []string{key, "x" + key + "y", "omx_" + key, "omx_." + key, strings.Repeat("omx_", 100) + key, "a=" + testKey + "&b"} {
		if !v.toldIn(text) {
			t.Errorf("%.40q... tells a key, and is not found out", text)
		}
	}
	start := time.Now()
	for _, text := range []string{
		"", "omx_", "omx_.", "omx_" + strings.Repeat("a", 100) + ".", key[:len(key)-1], key[1:], strings.Repeat("omx_", 16<<10),
		strings.Repeat("omx_", 16<<10) + "." + strings.Repeat("a", 43), strings.Repeat("omx_.", 13<<10), strings.Repeat("omx_"+strings.Repeat("a", 900)+"."+strings.Repeat("b", 43), 64),
	} {
		if v.toldIn(text) {
			t.Errorf("%.40q... tells no key", text)
		}
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("looking took %v", took)
	}
}

func BenchmarkSessionKeyCheck(b *testing.B) {
	v := newVerifier(testKey)
	for name, key := range map[string]string{"local": testKey, "session": SessionKey(testKey, Claims{Session: "s", Account: "a"}), "wrong": SessionKey("x", Claims{})} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.check(key)
			}
		})
	}
}

func TestARequestTakesItsSessionAndItsPinAlong(t *testing.T) {
	var up asked
	d := open(t, &up)
	for _, c := range []struct {
		name, key, field string
		want             Route
	}{
		{"nothing", testKey, "", Route{}},
		{"client's session", testKey, "conversation-1", Route{Session: "conversation-1"}},
		{"key's session", SessionKey(testKey, Claims{Session: "run-1"}), "conversation-1", Route{Session: "run-1"}},
		{"pinned", SessionKey(testKey, Claims{Account: "acc1"}), "conversation-1", Route{Session: "conversation-1", Pin: "acc1"}},
	} {
		r := d.request(t, "POST", messages, nil)
		r.Header.Set("Authorization", "Bearer "+c.key)
		if c.field != "" {
			r.Header.Set("X-Claude-Code-Session-Id", c.field)
		}
		resp, err := client(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		shut(resp.Body)
		got := up.routes[len(up.routes)-1]
		if got.Session != c.want.Session || got.Pin != c.want.Pin || got.Provider == nil || got.Provider.ID != "anthropic" {
			t.Errorf("%s: route %+v, want %+v", c.name, got, c.want)
		}
	}
}
