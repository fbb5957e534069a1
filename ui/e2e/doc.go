// Package e2e tests the program as a person has it: the binary, built once, run
// as processes with homes of their own against accounts/simulator, over real
// sockets, terminals, keyrings and signals. It holds tests only.
//
// After each test everything its processes printed and every file they left is
// searched for the secrets that were issued during it: see canaries. A part of
// the machine that a test needs and does not find skips it, or fails it where
// OAUTHMUX_REQUIRE_ALL is set, as it is in CI.
package e2e
