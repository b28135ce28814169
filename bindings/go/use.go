// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>

// By value: what C gets a pointer to is allocated, and a result is not. The meter is a number to Go, which then has no pointer to check.
typedef struct go_used {
    int64_t decision[sizeof(dreamapi_decision) / sizeof(int64_t)];
    dreamapi_status status;
} go_used;

static go_used go_meter_use(uintptr_t meter, int64_t units)
{
    go_used used;

    used.status = dreamapi_meter_use((dreamapi_meter *)meter, units, (dreamapi_decision *)(void *)used.decision);
    return used;
}

static go_used go_meter_check(uintptr_t meter, int64_t units)
{
    go_used used;

    used.status = dreamapi_meter_check((dreamapi_meter *)meter, units, (dreamapi_decision *)(void *)used.decision);
    return used;
}
*/
import "C"

import "unsafe"

// use is dreamapi_meter_use, which may call Go.
func use(meter *C.dreamapi_meter, units int64, raw *rawDecision) C.dreamapi_status {
	used := C.go_meter_use(C.uintptr_t(uintptr(unsafe.Pointer(meter))), C.int64_t(units))
	*raw = *(*rawDecision)(unsafe.Pointer(&used.decision))
	return used.status
}

func check(meter *C.dreamapi_meter, units int64, raw *rawDecision) C.dreamapi_status {
	used := C.go_meter_check(C.uintptr_t(uintptr(unsafe.Pointer(meter))), C.int64_t(units))
	*raw = *(*rawDecision)(unsafe.Pointer(&used.decision))
	return used.status
}
