// SPDX-License-Identifier: Apache-2.0

// Package dreamapi is libdreamapi for Go: customers, checkout, usage metering and tier checks of the dream-api service.
//
// A Client has one method for each call of the service, which takes a context.Context and returns a value that Go owns. A Meter
// answers "may this user do this now?" in the process, exactly, in well under a microsecond. Failures are *Error values, for
// errors.As, and match one of the Err sentinels, for errors.Is.
//
// All methods of all types may be called from any goroutine. A context's deadline becomes the call's timeout; cancelling it
// cancels the call in flight. A client has one goroutine, which ends with Close.
//
// The package needs libdreamapi and its headers, found by pkg-config. It keeps to the C library's words: what the C headers say of
// units, ranges and retries holds here.
package dreamapi

/*
#cgo pkg-config: dreamapi
#include <dreamapi.h>

// Before 1.0.0 the minor number may change what programs see.
#if DREAMAPI_VERSION_MAJOR != 0 || DREAMAPI_VERSION_MINOR != 1
#error "this version of the Go package needs libdreamapi 0.1"
#endif
*/
import "C"

// Version is this package's own.
const Version = "0.1.0"

// LibraryVersion is the version of the C library that runs.
func LibraryVersion() string {
	return text(C.dreamapi_version())
}
