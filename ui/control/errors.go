package control

// Codes of an Error: what a program may branch on. A code of the vault's key is
// CodeKeyPrefix and the key's state: "key_locked", "key_passphrase_needed".
const (
	CodeUsage          = "usage"            // the command line was wrong
	CodeAnswerNeeded   = "answer_needed"    // a question, and nobody to answer it
	CodeConfig         = "config"           // the configuration was wrong
	CodeInternal       = "internal"         // we gave up on something
	CodeNotFound       = "not_found"        // no such account, provider or flow
	CodeAmbiguous      = "ambiguous"        // a name that means several accounts
	CodeNoAccount      = "no_account"       // nobody to take a token from
	CodeLoginNeeded    = "login_needed"     // a person must sign in again
	CodeNeedsYou       = "needs_you"        // a sign-in through a browser stopped at what only the person can do
	CodeNoSession      = "no_session"       // the account has no browser session
	CodeOtherIdentity  = "other_identity"   // somebody else signed in than was asked for; nothing was stored
	CodeNoBrowser      = "no_browser"       // no browser was found
	CodeNoDisplay      = "no_display"       // there is no screen for a window
	CodeBrowserInUse   = "browser_in_use"   // another browser works on the profile
	CodeBrowserProfile = "browser_profile"  // the profile's folder cannot be used
	CodeBrowserFailed  = "browser_failed"   // the browser did not start, or ended by itself
	CodeBudget         = "budget"           // no sign-in without a person now: the day's are used up, or the last ones failed
	CodeTermsNeeded    = "terms_needed"     // the provider's notice was not accepted yet
	CodeBadPaste       = "bad_paste"        // what was pasted is no code of this login; it still waits
	CodeLoginFailed    = "login_failed"     // a login ended without an account
	CodeDuplicateLabel = "duplicate_label"  // another account has that label
	CodeBadLabel       = "bad_label"        // not a label at all
	CodeTooSoon        = "too_soon"         // asking now would exceed the provider's budget
	CodeUnavailable    = "unavailable"      // the upstream or the network did not help; later it may
	CodeBusy           = "busy"             // another process works on the same account
	CodeNoEngine       = "no_engine"        // nothing runs for this home
	CodeEngineRuns     = "engine_runs"      // another process is the engine of this home
	CodeEngineSilent   = "engine_silent"    // something holds engine.lock and does not answer
	CodeVersion        = "version_mismatch" // the engine is of a version that speaks otherwise
	CodeDisk           = "disk"             // the disk did not take or give something
	CodePortTaken      = "port_taken"       // another program listens on proxy.listen
	CodeElsewhere      = "in_use_elsewhere" // the browser profile belongs to another computer: see Request.TakeOver
	CodeKeyPrefix      = "key_"             // and a vault.KeyState
)
