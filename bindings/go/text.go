// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>
#include <stdlib.h>
#include <string.h>

// Texts may be passwords, tokens and keys: nothing of them stays behind.
static void go_wipe(void *memory, size_t size)
{
    volatile unsigned char *byte = memory;

    while (size-- > 0)
        *byte++ = 0;
    free(memory);
}
*/
import "C"

import (
	"strings"
	"time"
	"unsafe"
)

// piece is a piece of C memory.
type piece struct {
	memory unsafe.Pointer
	size   C.size_t
}

// lent is what a call lends to C: copies in C memory, so that C never sees a Go pointer that it could keep. The zero value is
// ready; free ends it. Used by one goroutine.
type lent struct {
	pieces []piece
	hasNUL bool // a text that C would see cut
}

func (l *lent) memory(size C.size_t) unsafe.Pointer {
	memory := C.calloc(1, size) // cgo: never nil
	l.pieces = append(l.pieces, piece{memory, size})
	return memory
}

// text is the text in C memory; nil for an empty one, which is how C is told that there is none.
func (l *lent) text(value string) *C.char {
	if value == "" {
		return nil
	}
	if strings.IndexByte(value, 0) >= 0 {
		l.hasNUL = true
		return nil
	}
	memory := C.CString(value)
	l.pieces = append(l.pieces, piece{unsafe.Pointer(memory), C.size_t(len(value))})
	return memory
}

func (l *lent) bytes(value []byte) unsafe.Pointer {
	if len(value) == 0 {
		return nil
	}
	memory := C.CBytes(value)
	l.pieces = append(l.pieces, piece{memory, C.size_t(len(value))})
	return memory
}

// err is nil if every text can be said in C.
func (l *lent) err() error {
	if l.hasNUL {
		return &Error{Code: CodeInvalid, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "A text contains a NUL byte."}
	}
	return nil
}

func (l *lent) free() {
	for _, piece := range l.pieces {
		C.go_wipe(piece.memory, piece.size)
	}
	l.pieces = nil
}

// text copies a C text; empty for none.
func text(value *C.char) string {
	if value == nil {
		return ""
	}
	return C.GoString(value)
}

// moment is the time of C's milliseconds since 1970; zero for 0.
func moment(ms C.int64_t) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// span is the time of C's milliseconds; negative ones, which stand for "not known", are -1.
func span(ms C.int64_t) time.Duration {
	if ms < 0 {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// milliseconds rounds up: a wait must not become none. Any span will do, the longest one, too.
func milliseconds(span time.Duration) C.int64_t {
	ms := span / time.Millisecond
	if span%time.Millisecond > 0 {
		ms++
	}
	return C.int64_t(ms)
}
