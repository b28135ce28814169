// SPDX-License-Identifier: Apache-2.0

//go:build go1.24

package dreamapi

/*
#cgo noescape go_meter_use_quietly
#cgo nocallback go_meter_use_quietly
#include <dreamapi.h>

// `out` is a rawDecision on the goroutine's stack, which C fills and forgets.
static dreamapi_status go_meter_use_quietly(uintptr_t meter, int64_t units, int64_t *out)
{
    return dreamapi_meter_use((dreamapi_meter *)meter, units, (dreamapi_decision *)(void *)out);
}
*/
import "C"

import "unsafe"

// useQuietly is use for meters that never call Go: newer compilers then need no preparations, and no copy.
func useQuietly(meter *C.dreamapi_meter, units int64, raw *rawDecision) C.dreamapi_status {
	return C.go_meter_use_quietly(C.uintptr_t(uintptr(unsafe.Pointer(meter))), C.int64_t(units), (*C.int64_t)(unsafe.Pointer(raw)))
}
