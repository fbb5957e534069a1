package ui

//go:generate go run ./dashboard/keytable ../README.md
