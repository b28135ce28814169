// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>

static dreamapi_webhook_params go_webhook_params(void)
{
    dreamapi_webhook_params params = DREAMAPI_WEBHOOK_PARAMS_INIT;
    return params;
}

// The body is Go's, and lent for the call alone: it must not lie in a struct of Go's.
static dreamapi_status go_webhook_verify(dreamapi_webhook_params params, const void *body, size_t size, dreamapi_error *error)
{
    params.body = body;
    params.body_size = size;
    return dreamapi_webhook_verify(&params, error);
}
*/
import "C"

import (
	"net/http"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// WebhookOptions is how a webhook is to be signed, and by whom.
type WebhookOptions struct {
	// Required.
	Scheme WebhookScheme
	// The endpoint's secrets: one, or while it is being replaced the new one and the old. Required; an empty one is refused.
	Secrets []string
	// How far the time that was signed may be from now, in either direction, in whole seconds; 0: five minutes, negative: not at all.
	Tolerance time.Duration
	// Now, for tests; zero: the system's clock is asked.
	Now time.Time
	// Where to look for replays, and to remember this one; nil: they are not looked for.
	Replays *WebhookReplays
}

// WebhookReplays remembers webhooks that were taken, so that none is taken twice within its tolerance. It knows a webhook by the bytes that
// were signed: a sender's own repetition, signed anew, is no replay. Any goroutine may use it; other processes know nothing of it.
type WebhookReplays struct {
	mu      sync.RWMutex // held for writing by Close alone
	replays *C.dreamapi_webhook_replays
}

// NewWebhookReplays makes a set for at most so many webhooks (1 to WebhookReplaysMax) at a time, of 40 bytes each. Take more than will come in twice
// the tolerance.
func NewWebhookReplays(capacity int) (*WebhookReplays, error) {
	if capacity < 0 {
		capacity = 0 // C would take it for a large one
	}
	var failed C.dreamapi_error
	r := &WebhookReplays{}
	if C.dreamapi_webhook_replays_new(C.size_t(capacity), &r.replays, &failed) != C.DREAMAPI_OK {
		return nil, failure(&failed, nil)
	}
	runtime.SetFinalizer(r, func(r *WebhookReplays) { r.Close() })
	return r, nil
}

// Close lets go of the set, after the checks that are under way. Closing again does nothing. It always returns nil.
func (r *WebhookReplays) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	C.dreamapi_webhook_replays_free(r.replays)
	r.replays = nil
	runtime.SetFinalizer(r, nil)
	return nil
}

// The headers of each scheme: for the signature, the id and the time. The first that is there counts.
var webhookHeaders = map[WebhookScheme][3][]string{
	WebhookSchemeStripe:   {{"Stripe-Signature"}, nil, nil},
	WebhookSchemeStandard: {{"Webhook-Signature", "Svix-Signature"}, {"Webhook-Id", "Svix-Id"}, {"Webhook-Timestamp", "Svix-Timestamp"}},
}

// header is the first of these headers in C memory; nil if none was sent. An empty one is a text, too.
func (l *lent) header(from http.Header, names []string) *C.char {
	for _, name := range names {
		if values := from.Values(name); len(values) > 0 && values[0] == "" {
			return (*C.char)(l.memory(1))
		} else if len(values) > 0 {
			return l.text(values[0])
		}
	}
	return nil
}

// VerifyWebhook tells if a webhook came from whom it says, just now, and for the first time: then it is nil. body is what arrived, before
// anything parsed or changed it. It needs no client and no network.
//
// ErrProtocol: a header is missing or malformed. ErrAuth: nobody who knows a secret signed this body. ErrTimeout: genuine, but signed too
// long ago, or ahead. ErrConflict: genuine, but Replays has seen it. ErrUnavailable: genuine, but Replays is full; answer 503, and the
// sender comes again. ErrInvalid: the options cannot be used, which is not the sender's fault.
func VerifyWebhook(header http.Header, body []byte, options WebhookOptions) error {
	var lent lent
	defer lent.free()
	params := C.go_webhook_params()
	params.scheme = C.dreamapi_webhook_scheme(options.Scheme)
	names := webhookHeaders[options.Scheme]
	params.signature, params.id, params.timestamp = lent.header(header, names[0]), lent.header(header, names[1]), lent.header(header, names[2])
	if lent.hasNUL {
		return &Error{Code: CodeProtocol, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "A header contains a NUL byte."}
	}
	params.secrets = lent.texts(options.Secrets)
	if err := lent.err(); err != nil {
		return err
	}
	if options.Tolerance != 0 {
		params.tolerance_s = C.int64_t(maxSpan(options.Tolerance, 0) / time.Second)
	}
	if !options.Now.IsZero() {
		params.now_s = C.int64_t(options.Now.Unix())
	}
	if replays := options.Replays; replays != nil {
		replays.mu.RLock()
		defer replays.mu.RUnlock()
		if replays.replays == nil {
			return closedError()
		}
		params.replays = replays.replays
	}
	bytes := body
	if len(body) == 0 {
		bytes = []byte{0} // to point at
	}
	var failed C.dreamapi_error
	// The pointer is made in the call: then cgo asks that the bytes hold no Go pointer, and not all that they were allocated with.
	if C.go_webhook_verify(params, unsafe.Pointer(&bytes[0]), C.size_t(len(body)), &failed) != C.DREAMAPI_OK {
		return failure(&failed, nil)
	}
	return nil
}
