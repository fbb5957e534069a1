package vault

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// missing skips a test for want of something that has to be installed; where
// everything must be there, it fails.
func missing(t *testing.T, what, howToGetIt string) {
	t.Helper()
	if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing: %s", what, howToGetIt)
	}
	t.Skipf("%s is missing: %s", what, howToGetIt)
}

// The package comment names the tests that guard each promise.
func TestThePromisesHaveTheirTests(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, name := range names {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(source)
	}
	named := regexp.MustCompile(`\bTest\w+`).FindAllString(string(doc), -1)
	if len(named) < 10 {
		t.Errorf("only %v are named", named)
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
}
