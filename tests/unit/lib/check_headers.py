#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles each public header alone, as strict C99, C11 and C++, and checks that none of them needs more than
standard headers and each other.

  check_headers.py CC CXX INCLUDE_DIR HEADER...
"""
import os
import re
import subprocess
import sys

STANDARD = {"stddef.h", "stdint.h"}
STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-Wstrict-prototypes"]


def compiles(compiler, language, standard, include, header):
    flags = [flag for flag in STRICT if language == "c" or flag != "-Wstrict-prototypes"]
    run = subprocess.run(compiler.split() + ["-x", language, "-std=" + standard, *flags, "-I", include,
                                             "-fsyntax-only", "-"],
                         input="#include <%s>\n" % header, text=True, capture_output=True, check=False)
    return run.returncode == 0, run.stderr


def foreign_includes(include, header):
    text = open(os.path.join(include, header), encoding="utf-8").read()
    names = re.findall(r"^#include [<\"]([^>\"]+)", text, re.MULTILINE)
    return [name for name in names if name not in STANDARD and not name.startswith("dreamapi/")]


def main():
    c_compiler, cxx_compiler, include, *paths = sys.argv[1:]
    headers = [os.path.relpath(path, include) for path in paths]
    ways = [(c_compiler, "c", "c99"), (c_compiler, "c", "c11"), (cxx_compiler, "c++", "c++11"),
            (cxx_compiler, "c++", "c++17")]
    results = []
    for header in headers:
        for compiler, language, standard in ways:
            is_good, output = compiles(compiler, language, standard, include, header)
            results.append((is_good, "%s compiles alone as %s" % (header, standard), output))
        foreign = foreign_includes(include, header)
        results.append((not foreign, "%s includes standard headers alone" % header, " ".join(foreign)))
    print("1..%d" % len(results))
    for number, (is_good, name, output) in enumerate(results, 1):
        print("%s %d - %s" % ("ok" if is_good else "not ok", number, name))
        if not is_good:
            print("\n".join("# " + line for line in output.splitlines()))
    return 0 if all(is_good for is_good, _, _ in results) else 1


sys.exit(main())
