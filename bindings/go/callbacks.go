// SPDX-License-Identifier: Apache-2.0

package dreamapi

// #include <dreamapi.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// What C calls. It gets a handle, never a Go pointer. Only declarations may stand in this file's preamble, as it exports.

//export dreamapiGoLog
func dreamapiGoLog(data unsafe.Pointer, level C.dreamapi_log_level, message *C.char) {
	log := cgo.Handle(uintptr(data)).Value().(func(LogLevel, string))
	log(LogLevel(level), text(message))
}

//export dreamapiGoToken
func dreamapiGoToken(data unsafe.Pointer, userID *C.char, out *C.char, size C.size_t) C.dreamapi_status {
	token, err := cgo.Handle(uintptr(data)).Value().(func(string) (string, error))(text(userID))
	if err != nil || token == "" || C.size_t(len(token)) >= size {
		return C.DREAMAPI_AUTH
	}
	room := unsafe.Slice((*byte)(unsafe.Pointer(out)), int(size))
	room[copy(room, token)] = 0
	return C.DREAMAPI_OK
}
