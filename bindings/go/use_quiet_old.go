// SPDX-License-Identifier: Apache-2.0

//go:build !go1.24

package dreamapi

// #include <dreamapi.h>
import "C"

// useQuietly is use: older compilers cannot be told that C calls nothing.
func useQuietly(meter *C.dreamapi_meter, units int64, raw *rawDecision) C.dreamapi_status {
	return use(meter, units, raw)
}
