package chromium

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"
)

func TestWhatABrowserKnowsOutlivesIt(t *testing.T) {
	s := newSite(t)
	var cookies []string
	s.mux.HandleFunc("/oauth/authorize", func(w http.ResponseWriter, r *http.Request) {
		value := "none"
		if cookie, err := r.Cookie("session"); err == nil {
			value = cookie.Value
		}
		cookies = append(cookies, value)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "kept", MaxAge: 3600})
		http.Redirect(w, r, callback+"?code=c&state=the-state", http.StatusFound)
	})
	v := s.visit(t)
	for range 2 {
		if _, _, err := open(t, v, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if len(cookies) != 2 || cookies[0] != "none" || cookies[1] != "kept" {
		t.Errorf("the site was shown the sessions %q, want none and kept", cookies)
	}
}

func TestAServiceWorkerDoesNotSeeTheRedirect(t *testing.T) {
	s := newSite(t)
	s.mux.HandleFunc("/worker.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = w.Write([]byte(`addEventListener("install", () => skipWaiting());
			addEventListener("fetch", (e) => { if (e.request.url.includes("code=")) e.respondWith(fetch("/leaked")) })`))
	})
	s.page("/leaked", "leaked")
	s.page("/callback", "reached")
	s.page("/oauth/authorize", `<script>
		const first = !navigator.serviceWorker.controller && !location.search.includes("again");
		navigator.serviceWorker.register("/worker.js").then(() => first && navigator.serviceWorker.ready)
			.then(() => setTimeout(() => location = "/callback?" + (first ? "first" : "code=c"), 300))</script>`)
	v := s.visit(t)
	v.URL, v.Redirects = s.URL+"/oauth/authorize", []string{s.URL + "/callback"}
	for _, want := range []string{"?first", "?code=c"} {
		address, _, err := open(t, v, time.Minute)
		if err != nil || address != s.URL+"/callback"+want {
			t.Errorf("the visit ended at %q: %v", address, err)
		}
		v.URL = s.URL + "/oauth/authorize?again"
	}
	if s.seen("/leaked") != 0 || s.seen("/callback") != 0 {
		t.Errorf("the redirect was seen: %v", s.hits)
	}
}

func TestTheProxyIsToldWhoWeAre(t *testing.T) {
	s := newSite(t)
	s.page("/oauth/authorize", `<script>location = "/grant"</script>`)
	for _, c := range []struct {
		name, user string
		wantErr    bool
	}{{"with the password", "me:pass%20word", false}, {"with a wrong one", "me:wrong", true}} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int32
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", r.Header.Get("Proxy-Authorization"))
				if user, password, ok := r.BasicAuth(); !ok || user != "me" || password != "pass word" {
					asked.Add(1)
					w.Header().Set("Proxy-Authenticate", `Basic realm="proxy"`)
					w.WriteHeader(http.StatusProxyAuthRequired)
					return
				}
				r.URL.Scheme, r.URL.Host = "http", s.host()
				r.Header.Del("Authorization")
				s.Config.Handler.ServeHTTP(w, r)
			}))
			defer proxy.Close()
			v := s.visit(t)
			// What goes to this computer passes no proxy, so the site is somewhere else.
			v.URL, v.Hosts = "http://site.localhost/oauth/authorize?state=the-state", []string{"site.localhost"}
			v.Proxy = "http://" + c.user + "@" + proxy.Listener.Addr().String()
			v.Browser = wrapped(t, v.Browser, "--proxy-bypass-list='<-loopback>'")
			address, told, err := open(t, v, 30*time.Second)
			if u, _ := url.Parse(address); c.wantErr != (err != nil) || !c.wantErr && u.Query().Get("code") != "the-code" {
				t.Errorf("the visit ended at %q: %v; told %q", address, err, told)
			}
			if n := asked.Load(); n == 0 || n > 10 {
				t.Errorf("the proxy asked %d times", n)
			}
		})
	}
}
