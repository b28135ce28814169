// SPDX-License-Identifier: Apache-2.0

package dreamapi

// #include <dreamapi.h>
import "C"

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/cgo"
	"sync"
	"syscall"
	"time"
)

const (
	defaultTimeout = 30 * time.Second
	// How late a cancelled Flush may notice: C's flush has no cancel handle, so it is waited for in slices.
	flushSlice = 100 * time.Millisecond
)

// Client is one project of one service, its connections, and what it learned about the server. Make it with New, end it with Close.
type Client struct {
	// What the watching goroutine knows is apart, so that a client that nobody knows any more can be collected.
	*core
}

// core is what a client and its watching goroutine share.
type core struct {
	client  *C.dreamapi_client
	log     cgo.Handle // 0: none
	timeout time.Duration

	mu       sync.Mutex
	isClosed bool
	busy     sync.WaitGroup // what is inside C with `client`; grows under mu while not isClosed
	// Calls whose end somebody waits for, and calls that ended before anybody did. A call is freed by its waiter alone, after
	// the watcher told it of the end, so an address is never that of another call.
	waiting map[*C.dreamapi_call]chan struct{}
	early   map[*C.dreamapi_call]bool
	meters  map[*openMeter]struct{}

	done    *os.File      // readable while a call is done
	watched chan struct{} // closed when the watcher ended
	closed  chan struct{} // closed when Close is through
}

// New makes a client; it touches no network. What is missing or refused is in the error's message.
func New(options Options) (*Client, error) {
	var lent lent
	defer lent.free()
	given, log, err := options.c(&lent)
	if err != nil {
		return nil, err
	}
	defer C.dreamapi_options_free(given)
	c := &core{log: log, timeout: options.Timeout, waiting: map[*C.dreamapi_call]chan struct{}{}, early: map[*C.dreamapi_call]bool{},
		meters: map[*openMeter]struct{}{}, watched: make(chan struct{}), closed: make(chan struct{})}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	var failed C.dreamapi_error
	if C.dreamapi_client_new(given, &c.client, &failed) != C.DREAMAPI_OK {
		c.deleteLog()
		return nil, failure(&failed, nil)
	}
	if c.done, err = pollable(int(C.dreamapi_client_fd(c.client))); err != nil {
		C.dreamapi_client_free(c.client)
		c.deleteLog()
		return nil, &Error{Code: CodeUnsupported, Local: true, Message: "The client's descriptor cannot be waited for.", cause: err}
	}
	go c.watch()
	client := &Client{c}
	runtime.SetFinalizer(client, func(client *Client) { go client.core.close() })
	return client, nil
}

// pollable is a file of our own for the descriptor, which Go's poller waits for.
func pollable(descriptor int) (*os.File, error) {
	own, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(descriptor), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return nil, errno
	}
	file := os.NewFile(own, "dreamapi")
	if err := file.SetReadDeadline(time.Time{}); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (c *core) deleteLog() {
	if c.log != 0 {
		c.log.Delete()
	}
}

// watch hands finished calls to those who wait, until the file is closed.
func (c *core) watch() {
	defer close(c.watched)
	raw, err := c.done.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(uintptr) bool {
		c.handOut()
		return false
	})
}

// handOut empties the list of finished calls: the descriptor becomes readable again only after that.
func (c *core) handOut() {
	for call := C.dreamapi_client_next(c.client); call != nil; call = C.dreamapi_client_next(c.client) {
		c.mu.Lock()
		if waiter, isAwaited := c.waiting[call]; isAwaited {
			delete(c.waiting, call)
			close(waiter)
		} else {
			c.early[call] = true
		}
		c.mu.Unlock()
	}
}

// await is closed when the call is done.
func (c *core) await(call *C.dreamapi_call) <-chan struct{} {
	waiter := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.early[call] {
		delete(c.early, call)
		close(waiter)
		return waiter
	}
	c.waiting[call] = waiter
	if c.isClosed {
		C.dreamapi_call_cancel(call)
	}
	return waiter
}

// enter begins a use of the C client; leave ends it. False after Close.
func (c *core) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isClosed {
		c.busy.Add(1)
	}
	return !c.isClosed
}

func (c *core) leave() { c.busy.Done() }

func (c *core) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isClosed
}

// keep has the meter closed with the client; to be called between enter and leave.
func (c *core) keep(meter *openMeter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.meters[meter] = struct{}{}
}

func (c *core) forget(meter *openMeter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.meters, meter)
}

// closeMeters is for when no further one can be opened. A meter that is left open holds the journal open, and the journal then looks
// as after a kill.
func (c *core) closeMeters() {
	c.mu.Lock()
	meters := c.meters
	c.meters = nil
	c.mu.Unlock()
	for meter := range meters {
		meter.close()
	}
}

// Close cancels the calls in flight (they end with ErrCancelled), closes the client's meters, settles what they spent
// (Options.CloseTimeout), closes the connections and wipes the keys. It waits for the client's methods under way in other goroutines: for
// a Client.Use until it has its units or the two seconds that it waits for them are over, and for a TierCheck that asks the server, which cannot
// be cancelled, until the answer or the context's deadline, without one for at most Options.Timeout. A TierCheck whose context was cancelled has
// returned, but its question goes on and is waited for all the same: give it a deadline. Closing again does nothing. It always returns nil.
func (c *Client) Close() error {
	c.core.close()
	runtime.SetFinalizer(c, nil)
	return nil
}

func (c *core) close() {
	c.mu.Lock()
	if c.isClosed {
		c.mu.Unlock()
		<-c.closed
		return
	}
	c.isClosed = true
	for call := range c.waiting {
		C.dreamapi_call_cancel(call)
	}
	c.mu.Unlock()
	c.busy.Wait()
	c.done.Close()
	<-c.watched
	c.closeMeters()
	C.dreamapi_client_free(c.client)
	c.deleteLog()
	close(c.closed)
}

type (
	starter func(client *C.dreamapi_client, given *C.dreamapi_call_options, out **C.dreamapi_call, failed *C.dreamapi_error) C.dreamapi_status
	taker   func(call *C.dreamapi_call, failed *C.dreamapi_error) C.dreamapi_status
)

// do starts a call, waits for its end or the context's, and takes the answer.
func (c *Client) do(ctx context.Context, lent *lent, options []CallOption, start starter, take taker) error {
	defer runtime.KeepAlive(c)
	given, err := callOptionsOf(ctx, lent, options)
	if err != nil {
		return err
	}
	if !c.enter() {
		return closedError()
	}
	defer c.leave()
	var call *C.dreamapi_call
	var failed C.dreamapi_error
	if start(c.client, &given, &call, &failed) != C.DREAMAPI_OK {
		return failure(&failed, nil)
	}
	defer C.dreamapi_call_free(call)
	done := c.await(call)
	select {
	case <-done:
	case <-ctx.Done():
		// The call has the context's deadline as its own, and knows best what that means for it.
		if !isOver(ctx) {
			C.dreamapi_call_cancel(call)
		}
		<-done
	}
	if take(call, &failed) == C.DREAMAPI_OK {
		return nil
	}
	why := failure(&failed, causeOf(ctx, Code(failed.status)))
	why.IdempotencyKey = text(C.dreamapi_call_idempotency_key(call))
	return why
}

// isOver tells if the context ended by its own deadline, which the call was given.
func isOver(ctx context.Context) bool {
	_, hasDeadline := ctx.Deadline()
	return hasDeadline && errors.Is(ctx.Err(), context.DeadlineExceeded)
}

func causeOf(ctx context.Context, code Code) error {
	deadline, hasDeadline := ctx.Deadline()
	if ctx.Err() == nil && code == CodeTimeout && hasDeadline && time.Until(deadline) <= 0 {
		return context.DeadlineExceeded // the context's own timer is a moment late
	}
	return ctx.Err()
}

func contextError(err error) *Error {
	failed := &Error{Code: CodeCancelled, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "The context was cancelled.", cause: err}
	if errors.Is(err, context.DeadlineExceeded) {
		failed.Code, failed.Message = CodeTimeout, "The context's deadline passed."
	}
	return failed
}

// callOptionsOf is what C is told of the context and the options. The error is the context's, if it is over already.
func callOptionsOf(ctx context.Context, lent *lent, options []CallOption) (C.dreamapi_call_options, error) {
	given := newCallOptions()
	if err := ctx.Err(); err != nil {
		return given, contextError(err)
	}
	if deadline, hasDeadline := ctx.Deadline(); hasDeadline {
		left := time.Until(deadline)
		if left <= 0 {
			return given, contextError(context.DeadlineExceeded)
		}
		// C's clock has whole milliseconds: with one more its deadline is never before the context's.
		given.timeout_ms = milliseconds(left) + 1
		if given.timeout_ms > C.DREAMAPI_MAX_TIMEOUT_MS {
			given.timeout_ms = C.DREAMAPI_MAX_TIMEOUT_MS
		}
	}
	var chosen callOptions
	for _, option := range options {
		option(&chosen)
	}
	given.idempotency_key = lent.text(chosen.idempotencyKey)
	given.user_token = lent.text(chosen.userToken)
	given.traceparent = lent.text(chosen.traceparent)
	return given, lent.err()
}

// CustomerEach calls visit with every customer of a list, page by page, until it returns false.
func (c *Client) CustomerEach(ctx context.Context, params CustomerListParams, visit func(Customer) bool) error {
	for {
		page, err := c.CustomerList(ctx, params)
		if err != nil {
			return err
		}
		for _, customer := range page.Items {
			if !visit(customer) {
				return nil
			}
		}
		if page.NextCursor == "" {
			return nil
		}
		params.Cursor = page.NextCursor
	}
}

// TierVerdict is the answer of TierCheck.
type TierVerdict struct {
	// Yes or no.
	Allowed bool
	// Where the user's plan comes from.
	Source Source
	// How old the older of the plan and the list of tiers is.
	Age time.Duration
	// The user's plan; empty when it is not known.
	Plan string
}

// TierCheck asks if a user's plan is at least another, or has a feature; mostly without a request. The user is named by userID, by
// WithUserToken, or not at all if params.Plan is given. ErrNotFound: there is no tier params.MinPlan, or no such user.
func (c *Client) TierCheck(ctx context.Context, userID string, params TierCheckParams, options ...CallOption) (*TierVerdict, error) {
	var lent lent
	given, err := callOptionsOf(ctx, &lent, options)
	user, cParams := lent.text(userID), params.c(&lent)
	if err == nil {
		err = lent.err()
	}
	if err != nil {
		lent.free()
		return nil, err
	}
	if !c.enter() {
		lent.free()
		return nil, closedError()
	}
	type outcome struct {
		verdict *TierVerdict
		err     error
	}
	done := make(chan outcome, 1)
	core := c.core
	// C's check has no cancel handle: one that has to ask the server may be left to itself, until its own deadline or the answer.
	check := func() {
		defer core.leave()
		defer lent.free()
		var verdict C.dreamapi_tier_verdict
		var failed C.dreamapi_error
		if C.dreamapi_tier_check(core.client, user, &cParams, &given, &verdict, &failed) != C.DREAMAPI_OK {
			done <- outcome{nil, failure(&failed, causeOf(ctx, Code(failed.status)))}
			return
		}
		done <- outcome{&TierVerdict{verdict.allowed != 0, Source(verdict.source), span(verdict.age_ms), text(&verdict.plan[0])}, nil}
	}
	if ctx.Done() == nil {
		check()
	} else {
		go check()
	}
	defer runtime.KeepAlive(c)
	select {
	case result := <-done:
		return result.verdict, result.err
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	}
}

// Use is Meter.Use for programs that keep no meters: the client opens one for the user at the first use and keeps it. An empty meter
// is the default one.
func (c *Client) Use(userID, meter string, units int64) (Decision, error) {
	defer runtime.KeepAlive(c)
	var lent lent
	defer lent.free()
	user, name := lent.text(userID), lent.text(meter)
	if err := lent.err(); err != nil {
		return unknown, err
	}
	if !c.enter() {
		return unknown, closedError()
	}
	defer c.leave()
	var decision Decision
	status := C.dreamapi_client_use(c.client, user, name, C.int64_t(units), decision.raw.c())
	decision.plan = text(decision.raw.c().plan)
	if status != C.DREAMAPI_OK {
		return decision, refusal(status, &decision)
	}
	return decision, nil
}

// Flush reports every count and hands every unit back now, and waits for the server's word; without a deadline in the context for at
// most Options.Timeout. On failure the journal has the rest, which is settled later. Meters go on working.
func (c *Client) Flush(ctx context.Context) error {
	defer runtime.KeepAlive(c)
	if !c.enter() {
		return closedError()
	}
	defer c.leave()
	until, hasDeadline := ctx.Deadline()
	if !hasDeadline {
		until = time.Now().Add(c.timeout)
	}
	for {
		if err := ctx.Err(); err != nil {
			return contextError(err)
		}
		if c.isClosing() {
			return closedError() // Close settles
		}
		slice := time.Until(until)
		isLast := slice <= flushSlice
		if !isLast {
			slice = flushSlice
		}
		var failed C.dreamapi_error
		began := time.Now()
		status := C.dreamapi_client_flush(c.client, milliseconds(maxSpan(slice, 0)), &failed)
		if status == C.DREAMAPI_OK {
			return nil
		}
		// What fails before its slice is over is no matter of waiting.
		if isLast || time.Since(began) < slice/2 {
			return failure(&failed, causeOf(ctx, Code(status)))
		}
	}
}

// MeterStats tells what the client's meters did.
func (c *Client) MeterStats() (MeterStats, error) {
	defer runtime.KeepAlive(c)
	if !c.enter() {
		return MeterStats{}, closedError()
	}
	defer c.leave()
	var stats C.dreamapi_meter_stats
	if status := C.dreamapi_client_meter_stats(c.client, &stats); status != C.DREAMAPI_OK {
		return MeterStats{}, refused(status)
	}
	return fromMeterStats(&stats), nil
}
