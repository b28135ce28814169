/* SPDX-License-Identifier: Apache-2.0 */
/* witness.h - what an outside observer knows of the units a worker used: a file, mapped by the worker and by the test that kills it.
 * Every thread has a slot; per account it holds the least and the most units that can have been admitted. The two differ while
 * an operation is under way, and stay apart only where a thread was killed in it. */
#ifndef DREAM_CRASH_WITNESS_H
#define DREAM_CRASH_WITNESS_H

#include <stdatomic.h>
#include <stdint.h>

enum { WITNESS_ACCOUNTS = 8, WITNESS_SLOTS = 512 };

typedef enum slot_state { SLOT_UNUSED = 0, SLOT_RUNS = 1, SLOT_ENDED = 2 } slot_state;

typedef struct witness_slot {
    _Atomic int64_t state;
    _Atomic int64_t operations;
    _Atomic int64_t least[WITNESS_ACCOUNTS];
    _Atomic int64_t most[WITNESS_ACCOUNTS];
} witness_slot;

typedef struct witness {
    _Atomic int64_t stop; /* the test's: workers are to end */
    _Atomic int64_t slots_used;
    _Atomic int64_t forks;
    _Atomic int64_t failed; /* a status that no rule allows, or 0 */
    witness_slot slots[WITNESS_SLOTS];
} witness;

#endif
