/* SPDX-License-Identifier: Apache-2.0 */
/* memory_of.h - what a process has in memory, as its proportional set size: pages that others map too count in part. */
#ifndef TESTS_BENCH_MEMORY_OF_H
#define TESTS_BENCH_MEMORY_OF_H

/* Bytes; -1 where the kernel does not tell. */
long memory_of_this_process(void);

#endif
