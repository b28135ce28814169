// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>

extern void dreamapiGoLog(void *, dreamapi_log_level, char *);

// The handle travels as a pointer that nobody follows.
static dreamapi_status go_set_log(dreamapi_options *options, uintptr_t handle)
{
    return dreamapi_options_set_log(options, (dreamapi_log_function)dreamapiGoLog, (void *)handle);
}
*/
import "C"

import (
	"runtime/cgo"
	"time"
)

// Options is what a Client is made from. The zero value takes everything from the environment (DREAMAPI_BASE_URL,
// DREAMAPI_SECRET_KEY, DREAMAPI_PUBLISHABLE_KEY).
type Options struct {
	// Where the service is: "https://host[:port][/prefix]". Plain http with a secret key is refused but for loopback addresses.
	BaseURL string
	// The project's secret key ("sk_..."), for a backend.
	SecretKey string
	// The project's publishable key ("pk_..."); sent only when there is no secret key.
	PublishableKey string
	// Signs each request (RFC 9421) with a key made from the secret one, instead of sending that. Needs both keys, and a server that
	// announces "signatures".
	Sign bool
	// Where the keys are published that end users' tokens are signed with, for TokenVerify: the provider's
	// "https://.../.well-known/jwks.json".
	JWKSURL string
	// The keys themselves, instead of their URL: a JWKS, or one public key in PEM.
	TokenKeys string
	// The total time of a call, retries included, where the context has no deadline; 0: 30 seconds. At most a day.
	Timeout time.Duration
	// How often a call may be tried again where that is safe; 0: 4 times, negative: never. At most 100.
	MaxRetries int
	// The largest answer accepted, in bytes; 0: 1 MiB.
	MaxResponseSize int
	// A PEM file of certificates to trust instead of the system's.
	CAFile string
	// A proxy, as in "http://proxy.example:3128".
	Proxy string
	// Added to the User-Agent, as in "shop/2.1".
	UserAgentSuffix string
	// The file where meters keep their counts, so that a crash loses none; empty: memory.
	Journal string
	// How long Close may take to settle what meters spent; 0: 2 seconds, negative: not at all.
	CloseTimeout time.Duration
	// Takes log lines, one at a time, without secrets; nil: there are none. It must not call the same client, nor block for long.
	Log func(level LogLevel, message string)
}

// c makes the C options. The log's handle, 0 without one, is the caller's to delete.
func (o *Options) c(lent *lent) (*C.dreamapi_options, cgo.Handle, error) {
	options := C.dreamapi_options_new()
	if options == nil {
		return nil, 0, refused(C.DREAMAPI_NOMEM)
	}
	var log cgo.Handle
	for _, one := range o.settings(options, lent, &log) {
		if !one.isSet {
			continue
		}
		status := one.set()
		err := lent.err()
		if err == nil && status != C.DREAMAPI_OK {
			failed := refused(status)
			failed.Message, failed.Local = "Options."+one.name+" was refused.", true
			err = failed
		}
		if err != nil {
			C.dreamapi_options_free(options)
			if log != 0 {
				log.Delete()
			}
			return nil, 0, err
		}
	}
	return options, log, nil
}

type setting struct {
	name  string
	isSet bool
	set   func() C.dreamapi_status
}

func (o *Options) settings(to *C.dreamapi_options, lent *lent, log *cgo.Handle) []setting {
	return []setting{
		{"BaseURL", o.BaseURL != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_base_url(to, lent.text(o.BaseURL))
		}},
		{"SecretKey", o.SecretKey != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_secret_key(to, lent.text(o.SecretKey))
		}},
		{"PublishableKey", o.PublishableKey != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_publishable_key(to, lent.text(o.PublishableKey))
		}},
		{"Sign", o.Sign, func() C.dreamapi_status {
			return C.dreamapi_options_set_auth(to, C.DREAMAPI_AUTH_SIGNATURE)
		}},
		{"JWKSURL", o.JWKSURL != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_jwks_url(to, lent.text(o.JWKSURL))
		}},
		{"TokenKeys", o.TokenKeys != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_token_keys(to, lent.text(o.TokenKeys))
		}},
		{"Timeout", o.Timeout != 0, func() C.dreamapi_status {
			return C.dreamapi_options_set_timeout_ms(to, milliseconds(o.Timeout))
		}},
		{"MaxRetries", o.MaxRetries != 0, func() C.dreamapi_status {
			return C.dreamapi_options_set_max_retries(to, C.int(max(o.MaxRetries, 0)))
		}},
		{"MaxResponseSize", o.MaxResponseSize != 0, func() C.dreamapi_status {
			return C.dreamapi_options_set_max_response_size(to, C.size_t(max(o.MaxResponseSize, 0)))
		}},
		{"CAFile", o.CAFile != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_ca_file(to, lent.text(o.CAFile))
		}},
		{"Proxy", o.Proxy != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_proxy(to, lent.text(o.Proxy))
		}},
		{"UserAgentSuffix", o.UserAgentSuffix != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_user_agent_suffix(to, lent.text(o.UserAgentSuffix))
		}},
		{"Journal", o.Journal != "", func() C.dreamapi_status {
			return C.dreamapi_options_set_journal(to, lent.text(o.Journal))
		}},
		{"CloseTimeout", o.CloseTimeout != 0, func() C.dreamapi_status {
			return C.dreamapi_options_set_close_timeout_ms(to, milliseconds(maxSpan(o.CloseTimeout, 0)))
		}},
		{"Log", o.Log != nil, func() C.dreamapi_status {
			*log = cgo.NewHandle(o.Log)
			return C.go_set_log(to, C.uintptr_t(*log))
		}},
	}
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

func maxSpan(a, b time.Duration) time.Duration {
	if a > b {
		return a
	}
	return b
}

// CallOption is something that one call is given besides its parameters.
type CallOption func(*callOptions)

type callOptions struct {
	idempotencyKey, userToken, traceparent string
}

// WithIdempotencyKey names a POST, so that repeating it, even after a restart of the program, does its work once. Without it each call
// gets a key of its own. Visible ASCII, at most 255 characters.
func WithIdempotencyKey(key string) CallOption {
	return func(options *callOptions) { options.idempotencyKey = key }
}

// WithUserToken gives the end user's token (a JWT) to calls on a user's behalf, which want either this or a user id.
func WithUserToken(token string) CallOption {
	return func(options *callOptions) { options.userToken = token }
}

// WithTraceparent passes a W3C trace context on: "00-<32 hex digits>-<16 hex digits>-<2 hex digits>", small letters.
func WithTraceparent(traceparent string) CallOption {
	return func(options *callOptions) { options.traceparent = traceparent }
}
