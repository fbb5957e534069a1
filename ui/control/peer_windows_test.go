package control

const actAs = "OAUTHMUX_TEST_CLIENT_OF"

func act() int { return 0 }
