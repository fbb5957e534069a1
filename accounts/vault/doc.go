// Package vault keeps one sealed record an account, and the key that opens it.
// It is built for refresh tokens that are good for one use: what a server
// issued is durable before anything else happens to it, and no two processes
// present the same one (SAFETY 2).
//
// # Layout
//
//	vault/store.json      which key, in which keyring; written once
//	vault/local.key       what clients on this machine show to the proxy
//	vault/keyring/        keyring's encrypted file, where that is the keyring
//	vault/<id>/lock       the account's kernel lock: never written, never stolen
//	vault/<id>/cred       the sealed record; replaced only by rename
//	vault/<id>/cred.tmp   the next one, in space reserved before the request
//	vault/<id>/cred.new   the same, when the disk refused cred.tmp
//	vault/<id>/cred.home  one of these two that was found, on its way to cred
//	vault/<id>/cred.prev  a link to the one before, until cred was read back
//	vault/<id>/intent     a refresh token is being presented; an HMAC of it
//
// Folders are 0700 and files 0600, whatever the umask; wider ones are
// narrowed, and what is a link, no plain file or somebody else's is refused.
// Records are sealed with XChaCha20-Poly1305 under keys derived from one random
// key of 32 bytes. The seal covers the store's id and the account's: a record
// can neither be read elsewhere nor be put in another one's place.
//
// # A renewal
//
//	held, err := v.Lock(ctx, id)       // in the process, and across processes
//	defer held.Release()
//	record, err := held.Read()         // from disk: somebody may have renewed it
//	attempt, err := held.Begin(record.RefreshToken)
//	...                                // present it, once
//	err = held.Store(next)             // before looking at the answer
//
// instead of Store: Abandon after a refusal that ends the login, Defer after a
// whole 429 or 5xx, Dismiss after any other whole answer, and just Release when
// the answer was lost. Before a connection is made, or a code is exchanged,
// Prepare does all that can still fail harmlessly.
//
// When the disk refuses the record, it goes to a second file, a copy outside of
// the vault (Options.Rescue), and memory, where it is tried again every second;
// until it is saved the lock stays held, and Unsaved names the account.
//
// # Invariants
//
// For the tokens t1, t2, ... of an account, "durable" meaning that an fsync has
// returned for a file from which Read yields it:
//
//   - I1 exclusive: one presentation at a time on this machine.
//     TestI1OneHolderAmongProcesses, TestI1OneHolderInTheProcess
//   - I2 no stale: none is presented once a later one is durable: Begin refuses.
//     TestI2I4I7KilledAtEveryStep, TestI2I4PowerLostAtEveryStep, TestI2BeginRefusesWhatIsNotInForce
//   - I3 once: none is presented again but after a crash, a fault, a lost answer
//     or a whole one that settles nothing. Six presentations at most get no whole
//     answer, whatever comes between them. TestI3PresentationsAreCountedAndBounded,
//     TestI3AnAnswerThatSettlesNothingForgetsNothing
//   - I4 recoverable: what was durable is what Read yields, or a later one.
//     TestI2I4I7KilledAtEveryStep, TestI2I4PowerLostAtEveryStep, TestI4EveryDiskErrorAtEveryStep
//   - I5 exposure: nothing but the disk comes between an answer and its record.
//     TestI5StoreTouchesOnlyTheDisk
//   - I6 no loss without a fault: TestI6ProcessesRenewInTurn
//   - I7 nothing destructive: no error removes or replaces a record but for a
//     later one that is durable. TestI2I4I7KilledAtEveryStep, TestI7UnreadableRecordsAreKept
//   - I8 monotone: nobody sees a smaller generation than before.
//     TestI8ReadersNeverGoBack
//   - I9 live: a holder that dies holds nothing. TestI9TheLockOfADeadHolderIsFree
//   - I10 secret: no token outside of sealed files and memory.
//     TestI10NoTokenOutsideTheSeal
//
// # Who does what
//
// Constructors start nothing. Unlock runs the keyring on a goroutine that ends
// when the keyring answers, since keyrings take no context. A record that no
// disk takes is saved by a goroutine that Close ends. Lock and Unlock block, as
// they say; everything else is disk only.
package vault
