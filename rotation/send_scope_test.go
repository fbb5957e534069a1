package rotation

import (
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

func TestAWindowOfTheRequestsFamilyGetsItsName(t *testing.T) {
	windows := func() []usage.Window {
		return []usage.Window{{Name: "5h"}, {Name: "7d", Scope: accounts.ScopeRequest}, {Name: "7d", Scope: "sonnet"}}
	}
	got := withFamily(windows(), func() string { return "opus" })
	if len(got) != 3 || got[0].Scope != "" || got[1].Scope != "opus" || got[2].Scope != "sonnet" {
		t.Errorf("with a family: %+v", got)
	}
	if got := withFamily(windows(), func() string { return "" }); len(got) != 2 || got[1].Scope != "sonnet" {
		t.Errorf("without one: %+v", got)
	}
	if got := withFamily(windows()[:1], func() string { t.Error("the body was read for nothing"); return "" }); len(got) != 1 {
		t.Errorf("nothing to name: %+v", got)
	}
}
