#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what is generated from the public headers, each language by a module of its own beside this one.

  generate.py          writes the files that are out of date, and names them
  generate.py --check  writes nothing; fails if a file is out of date
"""
import pathlib
import sys

import cpp
import go_values
import headers
import python_values

TOP = pathlib.Path(__file__).resolve().parents[1]

# What each file is made by.
MADE = {
    "include/dreamapi/values.hpp": cpp.values,
    "include/dreamapi/calls.hpp": cpp.calls,
    "bindings/python/src/dreamapi/_cdef.h": python_values.cdef,
    "bindings/python/src/dreamapi/_values.py": python_values.values,
    "bindings/python/src/dreamapi/_calls.py": python_values.calls,
    "bindings/go/values_generated.go": go_values.values,
    "bindings/go/calls_generated.go": go_values.calls,
}


def main() -> int:
    is_check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not is_check:
        print(__doc__, file=sys.stderr)
        return 2
    api = headers.read(sorted((TOP / "include" / "dreamapi").glob("*.h")))
    stale = 0
    for name, make in MADE.items():
        path, text = TOP / name, make(api)
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{name} is out of date: run bindings/generate.py" if is_check else name)
        if not is_check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 1 if is_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
