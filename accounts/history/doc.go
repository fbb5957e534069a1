// Package history keeps what was read of each account's windows, and how many
// requests it took, over a restart: one file, metadata only, never a secret.
//
// The file is bbolt's: one file of pages that a crash or a power loss leaves as it
// was or as it was to be, in pure Go, with a lock that all processes honour. It is
// opened for one use at a time, so that nothing is mapped into memory and no lock is
// held while nothing is written.
//
// Promises. History is worth little: a file that is damaged, or none of ours, is
// moved aside; one that somebody holds costs a short wait and an error; nobody starts
// later or fails because of it. What is kept of an account is bounded, and so is the
// file. It starts no goroutine.
package history
