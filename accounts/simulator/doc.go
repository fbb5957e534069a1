// Package simulator plays a provider on loopback: the authorization server, the
// token endpoint, profile, usage and the Messages API, over real HTTP and as
// strict as the real one. Tests, the demo and benchmarks run against it. It
// needs nothing but the standard library.
//
// What it promises:
//
//   - It says no. A request that the real provider would refuse is refused with
//     the same status and words (PROTOCOL 1 to 3), and what no client of ours
//     may ever do is counted besides: see Counts.
//   - Refresh tokens are single use. What happens to a spent one is the Policy;
//     by default the whole family dies with it, as at the real provider.
//   - Limits are real. Every account has a 5-hour and a 7-day window, and one of
//     a model family if wanted; they fill as requests come, answer 429 when they
//     are full, and reset with time.
//   - Speed shrinks lengths, not clocks. At speed 60 a window of 5 hours lasts 5
//     minutes, and every header and document says so in the ordinary time that
//     the client lives in.
//   - Anything can go wrong on demand: see Inject.
//   - New starts nothing. Start starts one listener; Close ends it, every
//     connection and every answer under way, and returns when all have ended.
//     Every method is safe for concurrent use.
//
// With Options.Pages the authorization request is a walk through pages, as a
// browser meets them at the real site (PROTOCOL 8). /login asks for the e-mail
// address, the password and a one-time code, and the cookie of the session then
// stays in the browser's profile for Options.SessionLife. Somebody in several
// organizations chooses one, unless orgUUID or login_hint does. The consent page
// has exactly one button that grants and one that declines, in one of four
// languages, and answers with a redirect to the redirect URI. A page is answered
// once, by the browser that it was made for, with its CSRF token; whatever else
// comes is refused, and counted as ForgedConsent. ShowPage puts another page in
// the place of the consent page, and Counts says what was done on each. Without
// Options.Pages the request is answered at once, by DefaultUser or login_hint.
//
// A window, a token and a code end by comparing timestamps with Options.Now;
// only what a client has to wait for (latency, the pace of a stream) is a timer.
package simulator
