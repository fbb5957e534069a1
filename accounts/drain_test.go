package accounts

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ending is a home in a bubble whose token endpoint is asked and does not answer
// before the test lets it.
type ending struct {
	*home
	id     ID
	begun  int        // requests of which the body was read
	answer chan error // nil: a grant
	result chan error // of the one caller
}

func newEnding(t *testing.T) *ending {
	t.Helper()
	e := &ending{answer: make(chan error), result: make(chan error, 1)}
	e.home, e.id = stubHome(t, func(r *http.Request) (*http.Response, error) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		e.begun++
		if err := <-e.answer; err != nil {
			return nil, err
		}
		return answerOf(http.StatusOK, strings.NewReader(`{"access_token":"b","refresh_token":"next","expires_in":3600}`)), nil
	})
	return e
}

// renew asks for a newer token, and returns when nothing moves any more.
func (e *ending) renew(ctx context.Context) {
	go func() {
		_, err := e.renewer.Renew(ctx, e.id, 1)
		e.result <- err
	}()
	synctest.Wait()
}

// drain begins to end, and returns when nothing moves any more.
func (e *ending) drain(t *testing.T) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() { ended <- e.renewer.Drain(t.Context()) }()
	synctest.Wait()
	return ended
}

func TestAnEndWaitsForTheAnswerAndStoresIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnding(t)
		e.renew(t.Context())
		ended := e.drain(t)
		time.Sleep(answerWait / 2)
		if len(ended) != 0 {
			t.Fatal("it did not wait for an answer that was under way")
		}
		e.answer <- nil
		if err := errors.Join(<-ended, <-e.result); err != nil {
			t.Errorf("got %v", err)
		}
		if record, err := e.vault.Read(string(e.id)); err != nil || record.RefreshToken != "next" {
			t.Errorf("the vault has generation %d, %v", record.Generation, err)
		}
		if _, err := e.renewer.Renew(t.Context(), e.id, 2); !errors.Is(err, ErrEnding) || e.begun != 1 {
			t.Errorf("a renewal after the end: %v, presented %d times", err, e.begun)
		}
		if token, err := e.renewer.Renew(t.Context(), e.id, 1); err != nil || token.Generation != 2 {
			t.Errorf("a token that is there already: generation %d, %v", token.Generation, err)
		}
	})
}

func TestAnEndBeginsNoSecondPresentation(t *testing.T) {
	lost := func(t *testing.T, e *ending) {
		t.Helper()
		if err := <-e.result; !errors.Is(err, io.ErrUnexpectedEOF) && !isPostponed(err) {
			t.Errorf("the caller got %v", err)
		}
		if e.begun != 1 {
			t.Errorf("it was presented %d times", e.begun)
		}
	}
	t.Run("lost afterwards", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEnding(t)
			e.renew(t.Context())
			ended := e.drain(t)
			e.answer <- io.ErrUnexpectedEOF
			if err := <-ended; err != nil {
				t.Error(err)
			}
			lost(t, e)
		})
	})
	t.Run("lost before", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEnding(t)
			e.renew(t.Context())
			e.answer <- io.ErrUnexpectedEOF
			synctest.Wait() // it waits to present the token again
			start := time.Now()
			if err := <-e.drain(t); err != nil || time.Since(start) > 0 {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
			lost(t, e)
		})
	})
}

func isPostponed(err error) bool {
	_, ok := errors.AsType[*PostponedError](err)
	return ok
}

func TestAnEndSendsNothingForWhoeverWaits(t *testing.T) {
	t.Run("for the lock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEnding(t)
			held, err := e.vault.Lock(t.Context(), string(e.id))
			if err != nil {
				t.Fatal(err)
			}
			defer held.Release()
			e.renew(t.Context())
			e.endsAtOnce(t)
		})
	})
	t.Run("for a connection", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEnding(t)
			e.renewer.o.Client = func(*Provider) Doer {
				return doerFunc(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					return nil, r.Context().Err()
				})
			}
			e.renew(t.Context())
			e.endsAtOnce(t)
		})
	})
	t.Run("connected in the same moment", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			e := newEnding(t)
			e.renewer.o.Client = func(*Provider) Doer {
				return doerFunc(func(r *http.Request) (*http.Response, error) {
					<-r.Context().Done()
					_, err := io.Copy(io.Discard, r.Body) // it does not care
					if err == nil {
						e.begun++
					}
					return nil, err
				})
			}
			e.renew(t.Context())
			e.endsAtOnce(t)
		})
	})
}

func (e *ending) endsAtOnce(t *testing.T) {
	t.Helper()
	start := time.Now()
	if err := <-e.drain(t); err != nil || time.Since(start) > time.Second {
		t.Errorf("it ended after %s, %v", time.Since(start), err)
	}
	if err := <-e.result; !errors.Is(err, ErrEnding) || e.begun != 0 {
		t.Errorf("the caller got %v; presented %d times", err, e.begun)
	}
	if got := e.entries(EntryRenewFailed); len(got) != 0 {
		t.Errorf("the journal says %v", got)
	}
}

func TestAnEndThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnding(t)
		e.renew(t.Context())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.renewer.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		e.answer <- nil
		if err := errors.Join(e.renewer.Drain(t.Context()), <-e.result); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

func TestWhoeverLeavesIsToldThatTheRenewalGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnding(t)
		ctx, leave := context.WithCancel(t.Context())
		e.renew(ctx)
		leave()
		err := <-e.result
		if left, ok := errors.AsType[*UnawaitedError](err); !ok || left.Account != e.id || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "goes on") {
			t.Errorf("got %v", err)
		}
		e.answer <- nil
		if err := e.renewer.Drain(t.Context()); err != nil || e.token(t, e.id).Generation != 2 {
			t.Errorf("generation %d, %v", e.token(t, e.id).Generation, err)
		}
	})
}
