#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the rows of docs/threads-and-forks.md with the test cases that cite their numbers.

  check_rows.py DOCUMENT SOURCE...
"""
import re
import sys


def main():
    with open(sys.argv[1]) as file:
        rows = re.findall(r"^\| ([TF]\d+) \|", file.read(), re.M)
    cases = []
    for path in sys.argv[2:]:
        with open(path) as file:
            cases += re.findall(r'{ "([TF]\d+): ', file.read())
    results = [(row in cases, f"row {row} has a test") for row in rows]
    results += [(case in rows, f"test {case} has a row") for case in sorted(set(cases))]
    results.append((len(rows) == len(set(rows)) and len(rows) >= 18, "rows are numbered once"))
    print(f"1..{len(results)}")
    for number, (is_good, sentence) in enumerate(results, 1):
        print(f"{'ok' if is_good else 'not ok'} {number} - {sentence}")
    return 0 if all(is_good for is_good, _ in results) else 1


sys.exit(main())
