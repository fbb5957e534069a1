package dashboard

import (
	"github.com/oauthmux/oauthmux/ui/control"
)

type (
	// watchMsg is the answer to asking the engine for its states.
	watchMsg struct {
		states <-chan control.State
		err    error
	}
	// stateMsg is a newer state.
	stateMsg struct{ state control.State }
	// goneMsg says that no more states will come on this watch.
	goneMsg struct{}
	// retryMsg says that it is time to ask a lost engine again.
	retryMsg struct{}
	// tickMsg says that a text on the screen is no longer true. Only the newest
	// alarm counts.
	tickMsg struct{ alarm int }
	// replyMsg is the engine's answer to a request. To is who asked: nil is the
	// table, else the overlay that was open.
	replyMsg struct {
		to      overlay
		request control.Request
		reply   control.Reply
		err     error
	}
	// openedMsg says whether the browser could be asked to open a page.
	openedMsg struct {
		to  overlay
		err error
	}
	// backgroundMsg is the terminal's answer about its background.
	backgroundMsg struct{ dark bool }
	// endMsg says that the context ended: the screen is to go.
	endMsg struct{}
)
