package rotation

import "testing"

func TestT03_AKeyInTheAddressIsRefusedAndGoesNowhere(t *testing.T) {
	keys := newVerifier(testKey)
	session := SessionKey(testKey, Claims{Session: "s"})
	for query, told := range map[string]bool{
		"":                                 false,
		"beta=true":                        false,
		"k=" + testKey:                     true,
		"a=b&k=" + session:                 true,
		"k=%6fmx_" + session[len("omx_"):]: true,
		"k=" + SessionKey("another key", Claims{}): false,
		"k=omx_": false,
		"k=%zz":  false,
	} {
		if got := tellsKey(query, keys); got != told {
			t.Errorf("tellsKey(%q) = %v", query, got)
		}
	}
	if tellsKey("k=omx_x", nil) {
		t.Error("without a key something was told")
	}
}
