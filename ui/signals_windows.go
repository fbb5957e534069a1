package ui

import "os"

// forwarded are the signals that are the client's business and not ours: the
// console sends ctrl+c to both.
func forwarded() []os.Signal { return []os.Signal{os.Interrupt} }

func fromKeyboard(os.Signal) bool { return true }

func childStatus(s *os.ProcessState) int { return s.ExitCode() }
