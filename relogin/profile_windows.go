package relogin

// ownedByUs leaves it to the access lists, which a folder of the user's inherits.
func ownedByUs(string) bool { return true }
