// Package accounts is who the accounts are: their names and settings
// (Registry), their tokens and how these are renewed (Renewer), how a person
// signs in (Logins), and what is particular to a provider (Provider).
//
// What it promises:
//
//   - A login is not lost. A token endpoint's answer is sealed in the vault and
//     durable before it is even parsed, and no refresh token is presented by two
//     callers or processes at once, or after a newer one is durable (SAFETY 2).
//   - accounts.json is replaced, never written to, under a lock that all
//     processes share. A damaged one is moved aside, never overwritten. It holds
//     no secret, and keeps what it does not understand.
//   - A change is durable first, visible second, announced on the Bus last.
//   - A Secret shows itself to nobody but the store, the token request and
//     Provider.Authorize.
//
// What reads the registry or a cached token does not block. What writes the
// registry waits for the disk, for other writers at most ten seconds. Renew and
// the logins wait for the network and for locks, as long as the caller's context
// lets them; the work itself goes on without the caller, so that no answer to a
// token request is thrown away. Constructors start no goroutine: Registry.Run,
// each renewal and each login have their own, ended by their context, by
// themselves (see Renewer.Drain) and by Logins.Close.
package accounts
