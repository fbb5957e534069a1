package simulator

// Plays is the id of the provider whose wire the simulator speaks: the one whose
// endpoints are to be set to URL.
const Plays = "anthropic"
