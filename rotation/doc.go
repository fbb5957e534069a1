// Package rotation is what turns while nobody looks. It chooses the account of
// each request, puts a valid token on it, judges the answer, and goes on with
// the next account when one is limited or refused; it keeps logins and readings
// fresh in the background; and it serves the local proxy in front of all that.
//
// Promises. Nothing is sent twice when the upstream may have acted on it, nor
// once a byte of an answer reached the client. A credential goes to its
// provider's exact scheme, host and port, and nowhere else. Cooldowns are
// timestamps: they end by themselves, and survive a restart.
//
// Constructors start nothing. Each Run works until its context ends, and returns
// when all that it started has ended. Locks guard memory, never I/O: what the
// pool wants durable is written by its Run, so a failover never waits for a disk.
package rotation
