// SPDX-License-Identifier: Apache-2.0

package dreamapi

// #include <dreamapi.h>
import "C"

import (
	"errors"
	"fmt"
	"time"
)

// Error is every failure of this package. Branch on Code, or with errors.Is on one of the Err sentinels.
type Error struct {
	// Why.
	Code Code
	// The answer's HTTP status; 0 when there was no answer.
	HTTPStatus int
	// Making the same call again later may succeed, and cannot do its work twice.
	Retriable bool
	// The client refused by itself and sent nothing.
	Local bool
	// How long to wait before trying again, as the server asked; -1 when it asked for nothing.
	RetryAfter time.Duration
	// Of a use that was refused, and with CodeTierLimit: units used in this period; -1 when unknown.
	Used int64
	// The same: units the plan allows, or Unlimited; -1 when unknown.
	Limit int64
	// The server's id of the request, for a support question.
	RequestID string
	// The server's own words. Untrusted text without control characters.
	ServerError string
	// One sentence for a log. Never contains a secret.
	Message string
	// Of a POST that failed: the key that it was sent with. With it the call can be repeated (WithIdempotencyKey).
	IdempotencyKey string

	cause error
}

// ErrClosed is the cause when a client or meter is used after its Close.
var ErrClosed = errors.New("dreamapi: closed")

// Error is one line for a log.
func (e *Error) Error() string {
	if e.Message == "" {
		return "dreamapi: " + e.Code.String()
	}
	return fmt.Sprintf("dreamapi: %s: %s", e.Code, e.Message)
}

// Unwrap is the context's error when the context ended the call, ErrClosed after Close, else nil.
func (e *Error) Unwrap() error { return e.cause }

// Is makes the Err sentinels match.
func (e *Error) Is(target error) bool {
	code, ok := target.(sentinel)
	return ok && Code(code) == e.Code
}

// String is the constant's name in C, such as "DREAMAPI_LIMIT".
func (c Code) String() string {
	return text(C.dreamapi_status_name(C.dreamapi_status(c)))
}

// sentinel is a Code in the role of an error.
type sentinel Code

func (s sentinel) Error() string {
	return "dreamapi: " + text(C.dreamapi_status_text(C.dreamapi_status(s)))
}

// failure is what C wrote; it says so of `cause` too, if that is not nil.
func failure(from *C.dreamapi_error, cause error) *Error {
	return &Error{
		Code:        Code(from.status),
		HTTPStatus:  int(from.http_status),
		Retriable:   from.retriable != 0,
		Local:       from.local != 0,
		RetryAfter:  span(from.retry_after_ms),
		Used:        int64(from.used),
		Limit:       int64(from.limit),
		RequestID:   text(&from.request_id[0]),
		ServerError: text(&from.server_error[0]),
		Message:     text(&from.message[0]),
		cause:       cause,
	}
}

// refused is a failure of a function that only gives a status.
func refused(status C.dreamapi_status) *Error {
	return &Error{Code: Code(status), RetryAfter: -1, Used: -1, Limit: -1, Message: text(C.dreamapi_status_text(status))}
}

func closedError() *Error {
	return &Error{Code: CodeInvalid, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "It was closed.", cause: ErrClosed}
}
