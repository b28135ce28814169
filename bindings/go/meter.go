// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>

extern dreamapi_status dreamapiGoToken(void *, char *, char *, size_t);

static dreamapi_meter_params go_meter_params(void)
{
    dreamapi_meter_params params = DREAMAPI_METER_PARAMS_INIT;
    return params;
}

// The handle, 0 for none, travels as a pointer that nobody follows, and is seen by C alone.
static dreamapi_status go_meter_open(dreamapi_client *client, const char *user_id, dreamapi_meter_params params, uintptr_t token,
                                     dreamapi_meter **out_meter, dreamapi_error *error)
{
    if (token != 0) {
        params.token_function = (dreamapi_token_function)dreamapiGoToken;
        params.token_data = (void *)token;
    }
    return dreamapi_meter_open(client, user_id, &params, out_meter, error);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// MeterOptions is how a meter behaves. The zero value is the meter "default", waiting up to two seconds for units.
type MeterOptions struct {
	// The meter's name; empty: "default".
	Meter string
	// What happens when no unit is at hand.
	Policy Policy
	// With PolicyWait: the longest wait of one use; 0: two seconds, negative: none.
	Wait time.Duration
	// With PolicyAllow: the most units admitted beyond what is granted, over all processes of the journal.
	AllowUnits int64
	// Where the server has no leases and takes no user ids: the user's token (a JWT).
	UserToken string
	// The same from a function, for tokens that expire. Called inside Use, by the goroutine that uses the meter. If it panics, so does Use;
	// nothing is counted then.
	Token func(userID string) (string, error)
	// Where the server has no leases: 0: each use is one request; more: at most this many units are admitted before it confirmed them.
	CachedUnits int64
}

// Meter is one user's allowance on one meter of the plan. Close it when the user is gone; what it spent stays counted. Closing the client
// closes it, too.
type Meter struct {
	client *Client // kept: it drives the meter
	// What the client knows is apart, so that a meter that nobody knows any more can be collected.
	*openMeter
}

// openMeter is what a meter and its client share.
type openMeter struct {
	// How many goroutines are inside, and closedMark once Close was called: the last one out closes the C meter.
	users int64
	meter *C.dreamapi_meter
	token cgo.Handle // 0: none
	// Nothing of it calls Go: there is neither a token function nor a log.
	isQuiet bool
	plan    atomic.Pointer[planName]
}

const closedMark = int64(1) << 62

// planName is a plan's name in C, which has one address for the client's life, and its copy here.
type planName struct {
	c    uintptr
	name string
}

// MeterOpen opens a user's meter; it touches no network. Opening one that is open shares its counts. The options may be left out.
func (c *Client) MeterOpen(userID string, options ...MeterOptions) (*Meter, error) {
	var lent lent
	defer lent.free()
	defer runtime.KeepAlive(c)
	var given MeterOptions
	if len(options) > 0 {
		given = options[0]
	}
	user, params := lent.text(userID), given.c(&lent)
	if err := lent.err(); err != nil {
		return nil, err
	}
	if !c.enter() {
		return nil, closedError()
	}
	defer c.leave()
	meter := &Meter{c, &openMeter{isQuiet: given.Token == nil && c.log == 0}}
	if given.Token != nil {
		meter.token = cgo.NewHandle(given.Token)
	}
	var opened *C.dreamapi_meter
	var failed C.dreamapi_error
	if C.go_meter_open(c.client, user, params, C.uintptr_t(meter.token), &opened, &failed) != C.DREAMAPI_OK {
		meter.deleteToken()
		return nil, failure(&failed, nil)
	}
	meter.meter = opened
	c.keep(meter.openMeter)
	runtime.SetFinalizer(meter, func(meter *Meter) { meter.Close() })
	return meter, nil
}

func (o *MeterOptions) c(lent *lent) C.dreamapi_meter_params {
	params := C.go_meter_params()
	params.meter = lent.text(o.Meter)
	params.policy = C.dreamapi_policy(o.Policy)
	if o.Wait != 0 {
		params.wait_ms = milliseconds(maxSpan(o.Wait, 0))
	}
	params.allow_units = C.int64_t(o.AllowUnits)
	params.user_token = lent.text(o.UserToken)
	params.cached_units = C.int64_t(o.CachedUnits)
	return params
}

func (m *openMeter) deleteToken() {
	if m.token != 0 {
		m.token.Delete()
	}
}

// Close lets go of the meter: what its leases have left is handed back by the client. A use that is under way in another goroutine
// ends as ever. Closing again does nothing. It always returns nil.
func (m *Meter) Close() error {
	runtime.SetFinalizer(m, nil)
	m.client.forget(m.openMeter)
	m.openMeter.close()
	return nil
}

func (m *openMeter) close() {
	for {
		users := atomic.LoadInt64(&m.users)
		if users >= closedMark {
			return
		}
		if atomic.CompareAndSwapInt64(&m.users, users, users+closedMark) {
			if users == 0 {
				m.end()
			}
			return
		}
	}
}

// enter begins a use of the C meter; leave ends it. False after Close.
func (m *openMeter) enter() bool {
	if atomic.AddInt64(&m.users, 1) < closedMark {
		return true
	}
	m.leave()
	return false
}

func (m *openMeter) leave() {
	if atomic.AddInt64(&m.users, -1) == closedMark {
		m.end()
	}
}

// end happens once: a use that is refused after Close comes and goes too, and may be the last one out again.
func (m *openMeter) end() {
	if atomic.CompareAndSwapInt64(&m.users, closedMark, closedMark+closedMark/2) {
		C.dreamapi_meter_close(m.meter)
		m.deleteToken()
	}
}

// Decision is an answer, and how much it can be trusted. Copies of it are as good, but for Meter.Refund.
type Decision struct {
	raw  rawDecision
	plan string
}

// rawDecision is dreamapi_decision as it lies in memory, without anything that Go would take for a pointer. It is read by methods: turning
// all of it into fields would take longer than the use that it is about.
type rawDecision struct {
	allowed, reason, source, reserved int32
	units                             int64
	plan                              uintptr
	limit, used, remaining            int64
	retryAfterMs, ageMs, maxOver      int64
	refund                            [3]uint64
}

// They are one, or this does not compile.
var (
	_ = [1]struct{}{}[unsafe.Sizeof(rawDecision{})-C.sizeof_dreamapi_decision]
	_ = [1]struct{}{}[unsafe.Offsetof(rawDecision{}.plan)-unsafe.Offsetof(C.dreamapi_decision{}.plan)]
	_ = [1]struct{}{}[unsafe.Offsetof(rawDecision{}.refund)-unsafe.Offsetof(C.dreamapi_decision{}.refund_token)]
)

func (d *rawDecision) c() *C.dreamapi_decision { return (*C.dreamapi_decision)(unsafe.Pointer(d)) }

// unknown is the decision of a use that never reached the library.
var unknown = Decision{raw: rawDecision{reason: int32(ReasonRefused), limit: -1, used: -1, remaining: -1, retryAfterMs: -1, ageMs: -1}}

// Allowed: it was admitted, and counted (Meter.Check counts nothing).
func (d Decision) Allowed() bool { return d.raw.allowed != 0 }

// Reason is why.
func (d Decision) Reason() Reason { return Reason(d.raw.reason) }

// Source is where the answer comes from.
func (d Decision) Source() Source { return Source(d.raw.source) }

// Units is how many this was about.
func (d Decision) Units() int64 { return d.raw.units }

// Plan is the name of the tier in force; empty when not known.
func (d Decision) Plan() string { return d.plan }

// Limit is the units that the plan allows in this period, or Unlimited; -1 when not known.
func (d Decision) Limit() int64 { return d.raw.limit }

// Used is the units used in this period as far as known here; -1 when not known.
func (d Decision) Used() int64 { return d.raw.used }

// Remaining is the units that may still be used, or Unlimited; -1 when not known.
func (d Decision) Remaining() int64 { return d.raw.remaining }

// RetryAfter is the time after which asking again may bring another answer; 0 when allowed, -1 when not known.
func (d Decision) RetryAfter() time.Duration { return span(C.int64_t(d.raw.retryAfterMs)) }

// Age is how old the server's part of the answer is; -1 when there is none.
func (d Decision) Age() time.Duration { return span(C.int64_t(d.raw.ageMs)) }

// MaxOver is the most units, over all processes of this journal, that can have been admitted beyond what the server granted or counted. 0
// with a lease.
func (d Decision) MaxOver() int64 { return d.raw.maxOver }

// String is a sentence for people: "allowed on pro, 99 left" or "refused: limit, again in 3600 s", without what is not known.
func (d Decision) String() string {
	var text strings.Builder
	if !d.Allowed() {
		fmt.Fprintf(&text, "refused: %s", d.Reason())
		if again := d.RetryAfter(); again >= 0 {
			fmt.Fprintf(&text, ", again in %d s", (again+time.Second-1)/time.Second)
		}
		return text.String()
	}
	text.WriteString("allowed")
	if d.plan != "" {
		text.WriteString(" on " + d.plan)
	}
	if left := d.Remaining(); left == Unlimited {
		text.WriteString(", no limit")
	} else if left >= 0 {
		fmt.Fprintf(&text, ", %d left", left)
	}
	return text.String()
}

// refusal is the error beside a decision that says no.
func refusal(status C.dreamapi_status, decision *Decision) *Error {
	failed := refused(status)
	failed.RetryAfter, failed.Retriable = decision.RetryAfter(), decision.RetryAfter() >= 0
	failed.Used, failed.Limit = decision.Used(), decision.Limit()
	return failed
}

// name completes a decision with the plan's name, which C lends for the client's life. A user's plan changes rarely, so the last copy
// nearly always serves. To be called while inside the meter.
func (m *Meter) name(decision *Decision) {
	plan := m.plan.Load()
	if plan == nil || plan.c != decision.raw.plan {
		plan = &planName{decision.raw.plan, text(decision.raw.c().plan)}
		m.plan.Store(plan)
	}
	decision.plan = plan.name
}

// Use admits and counts units (1 to MaxUnits), all or none. A nil error: admitted. ErrTierLimit, ErrRateLimited, ErrTimeout, ErrUnavailable,
// ErrNotFound, ErrInvalid, or what the server refused the client with: not admitted, nothing counted. With units at hand it takes a
// fraction of a microsecond and allocates nothing; else it waits as the meter's policy lets it, at most MeterOptions.Wait.
func (m *Meter) Use(units int64) (decision Decision, err error) {
	if !m.enter() {
		return unknown, closedError()
	}
	var status C.dreamapi_status
	if m.isQuiet {
		status = useQuietly(m.meter, units, &decision.raw)
		m.name(&decision)
		m.leave()
	} else {
		status = m.useAloud(units, &decision)
	}
	if status != C.DREAMAPI_OK {
		err = refusal(status, &decision)
	}
	return decision, err
}

// useAloud is the use of a meter that may call Go, and the leaving of it: a function of the caller's may panic, and be recovered from.
func (m *Meter) useAloud(units int64, decision *Decision) C.dreamapi_status {
	defer m.leave()
	status := use(m.meter, units, &decision.raw)
	m.name(decision)
	return status
}

// Check tells what Use would say of units with what is at hand now; it counts nothing, waits for nothing, asks nobody.
func (m *Meter) Check(units int64) (decision Decision, err error) {
	if !m.enter() {
		return unknown, closedError()
	}
	defer m.leave()
	status := check(m.meter, units, &decision.raw)
	m.name(&decision)
	if status != C.DREAMAPI_OK {
		err = refusal(status, &decision)
	}
	return decision, err
}

// Refund takes an admitted use back: its units are not billed, and return to the user's allowance when settled. The decision is
// consumed: a second refund of it is ErrInvalid. Copies are not told apart: refund one of them only.
func (m *Meter) Refund(decision *Decision) error {
	if !m.enter() {
		return closedError()
	}
	defer m.leave()
	// A copy without pointers: C only reads numbers, and clears the token.
	raw := decision.raw
	raw.plan = 0
	status := C.dreamapi_meter_refund(m.meter, raw.c())
	decision.raw.refund = raw.refund
	if status != C.DREAMAPI_OK {
		return refused(status)
	}
	return nil
}

// Reservation is units set aside for work whose size is known only afterwards. Not committed, it bills nothing.
type Reservation struct {
	// What the reservation was granted on.
	Decision Decision

	meter   *Meter
	units   C.int64_t
	token   [2]C.uint64_t
	isEnded int32
}

// Reserve sets units aside for at most hold. It counts as one call of the rate and bills nothing yet. Errors are those of Use.
func (m *Meter) Reserve(units int64, hold time.Duration) (*Reservation, error) {
	if !m.enter() {
		return nil, closedError()
	}
	defer m.leave()
	var decision Decision
	var reservation C.dreamapi_reservation
	status := C.dreamapi_meter_reserve(m.meter, C.int64_t(units), milliseconds(hold), &reservation, decision.raw.c())
	m.name(&decision)
	if status != C.DREAMAPI_OK {
		return nil, refusal(status, &decision)
	}
	return &Reservation{Decision: decision, meter: m, units: reservation.units, token: reservation.token}, nil
}

// Commit ends the reservation with what the work really took. Up to the reserved units it always books; the excess is an ordinary
// use, and its refusal leaves the reserved units booked. ErrNotFound: its time was over and others had its units since, or it was ended
// before; nothing is booked.
func (r *Reservation) Commit(units int64) (Decision, error) {
	if !atomic.CompareAndSwapInt32(&r.isEnded, 0, 1) {
		return unknown, refused(C.DREAMAPI_NOT_FOUND)
	}
	if !r.meter.enter() {
		return unknown, closedError()
	}
	defer r.meter.leave()
	var decision Decision
	reservation := C.dreamapi_reservation{units: r.units, token: r.token}
	status := C.dreamapi_meter_commit(r.meter.meter, &reservation, C.int64_t(units), decision.raw.c())
	r.meter.name(&decision)
	if status != C.DREAMAPI_OK {
		return decision, refusal(status, &decision)
	}
	return decision, nil
}

// Release ends the reservation and bills nothing. After Commit it does nothing, so it may be deferred.
func (r *Reservation) Release() {
	if atomic.LoadInt32(&r.isEnded) == 0 {
		_, _ = r.Commit(0)
	}
}
