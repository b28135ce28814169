// SPDX-License-Identifier: Apache-2.0

// Package floor is what the benchmarks measure against: a call into C that does nothing. Test files cannot hold it.
package floor

// static void go_nothing(void) {}
import "C"

// Nothing calls C and comes back.
func Nothing() { C.go_nothing() }
