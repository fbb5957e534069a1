package chromium

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/oauthmux/oauthmux/relogin"
)

// childVisit makes this program one that does nothing but a visit to an address,
// in the profile that comes before it.
const childVisit = "OAUTHMUX_TEST_VISIT"

func TestMain(m *testing.M) {
	if profile := os.Getenv(childVisit); profile != "" {
		os.Exit(visitAsChild(profile, os.Getenv("OAUTHMUX_TEST_URL")))
	}
	goleak.VerifyTestMain(m)
}

func visitAsChild(profile, address string) int {
	u, err := url.Parse(address)
	if err != nil {
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = new(Driver).Open(ctx, relogin.Visit{
		Profile: profile, URL: address, Hosts: []string{u.Host}, Redirects: []string{callback}, Proxy: "none",
		Browser: os.Getenv("OAUTHMUX_BROWSER"),
	})
	_, _ = fmt.Fprintln(os.Stderr, err)
	return 1
}

// lacking skips a test for want of something that has to be installed; where
// everything must be there, it fails.
func lacking(t *testing.T, what, howToGetIt string) {
	t.Helper()
	if os.Getenv("OAUTHMUX_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing: %s", what, howToGetIt)
	}
	t.Skipf("%s is missing: %s", what, howToGetIt)
}
