package dirtyd

import (
	"context"
	"errors"
	"time"
)

// grace is how much longer than its deadline a call waits for the arbiter, which
// knows what became of it.
const grace = time.Second

// told is a context that ends later than it says. gRPC sends Deadline to the
// arbiter, and itself ends a call when Done is closed.
type told struct {
	context.Context
	deadline time.Time
}

func (t told) Deadline() (time.Time, bool) { return t.deadline, true }

// bound gives a call the earlier one of the timeout, if it is positive, and the
// deadline of ctx. The context that it returns ends only the grace after that, but
// with ctx if that ends for another cause.
func bound(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if own := time.Now().Add(timeout); timeout > 0 && (!ok || own.Before(deadline)) {
		deadline, ok = own, true
	}
	if !ok {
		return context.WithCancel(ctx)
	}
	late, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline.Add(grace))
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel()
		}
	})
	return told{late, deadline}, func() {
		stop()
		cancel()
	}
}
