#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the table of typed calls in calls.c with the functions that the headers declare.

  check_calls.py SOURCE HEADER...
"""
import re
import sys

# What it fetches is a key set, of another server than the contract's: tests/unit/lib/test_token.c tries its answers.
NOT_OF_THE_CONTRACT = {"token_verify"}


def main():
    declared = set()
    for path in sys.argv[2:]:
        with open(path) as file:
            # Accessors of a period's start look alike but take an object.
            declared |= set(re.findall(r"dreamapi_status dreamapi_(\w+)_start\(\s*dreamapi_client \*", file.read()))
    declared -= NOT_OF_THE_CONTRACT
    with open(sys.argv[1]) as file:
        listed = set(re.findall(r'^\s*{ "(\w+)",', file.read(), re.M))
    names = sorted(declared | listed)
    print(f"1..{len(names)}")
    for number, name in enumerate(names, 1):
        print(f"{'ok' if name in declared and name in listed else 'not ok'} {number} - {name} is declared and tried")
    return 0 if declared == listed and declared else 1


sys.exit(main())
