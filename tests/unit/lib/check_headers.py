#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles each public header alone, with each of its initialisers used, as strict C99, C11 and C++11 to C++20, and checks that none of them
needs more than standard headers and each other; the .hpp as C++17, the umbrella as C++20 and C++23 too, and without exceptions.

  check_headers.py CC CXX INCLUDE_DIR HEADER...
"""
import concurrent.futures
import os
import re
import subprocess
import sys

STANDARD = {"stddef.h", "stdint.h"}
STRICT = ["-pedantic-errors", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wundef", "-Wcast-qual",
          "-Wcast-align", "-Wwrite-strings", "-Wformat=2"]
STRICT_C = STRICT + ["-Wstrict-prototypes", "-Wmissing-prototypes", "-Wold-style-definition"]
STRICT_CXX = STRICT + ["-Wold-style-cast", "-Wnon-virtual-dtor", "-Woverloaded-virtual", "-Wzero-as-null-pointer-constant"]


def compiles(compiler, language, standard, include, header):
    """`standard` may go on with further flags."""
    flags = STRICT_C if language == "c" else STRICT_CXX
    run = subprocess.run(compiler.split() + ["-x", language, *("-std=" + standard).split(), *flags, "-I", include,
                                             "-fsyntax-only", "-"],
                         input=program(include, header), text=True, capture_output=True, check=False)
    return run.returncode == 0, run.stderr


def program(include, header):
    """An initialiser is a macro, which nobody compiles until it is used."""
    text = open(os.path.join(include, header), encoding="utf-8").read()
    lines = ["#include <%s>" % header, "int main(void)", "{"]
    for number, macro in enumerate(re.findall(r"^#define DREAMAPI_(\w+)_INIT\b", text, re.MULTILINE)):
        lines += ["    const dreamapi_%s value_%d = DREAMAPI_%s_INIT;" % (macro.lower(), number, macro), "    (void)value_%d;" % number]
    return "\n".join(lines + ["    return 0;", "}", ""])


def foreign_includes(include, header):
    text = open(os.path.join(include, header), encoding="utf-8").read()
    names = re.findall(r"^#include [<\"]([^>\"]+)", text, re.MULTILINE)
    return [name for name in names if name not in STANDARD and not name.startswith("dreamapi/")]


def main():
    c_compiler, cxx_compiler, include, *paths = sys.argv[1:]
    headers = [os.path.relpath(path, include) for path in paths]
    c_ways = [(c_compiler, "c", "c99"), (c_compiler, "c", "c11"), (cxx_compiler, "c++", "c++11"),
              (cxx_compiler, "c++", "c++14"), (cxx_compiler, "c++", "c++17"), (cxx_compiler, "c++", "c++20")]
    hpp_way = [(cxx_compiler, "c++", "c++17")]
    umbrella_ways = [(cxx_compiler, "c++", "c++17 -fno-exceptions"), (cxx_compiler, "c++", "c++20"), (cxx_compiler, "c++", "c++2b")]
    jobs, results = [], []
    for header in headers:
        is_cxx = header.endswith(".hpp")
        ways = hpp_way + umbrella_ways if header == "dreamapi.hpp" else hpp_way if is_cxx else c_ways
        jobs += [(*way, include, header) for way in ways]
        if not is_cxx:
            foreign = foreign_includes(include, header)
            results.append((not foreign, "%s includes standard headers alone" % header, " ".join(foreign)))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for job, (is_good, output) in zip(jobs, pool.map(lambda job: compiles(*job), jobs)):
            results.append((is_good, "%s compiles alone as %s" % (job[-1], job[2]), output))
    print("1..%d" % len(results))
    for number, (is_good, name, output) in enumerate(results, 1):
        print("%s %d - %s" % ("ok" if is_good else "not ok", number, name))
        if not is_good:
            print("\n".join("# " + line for line in output.splitlines()))
    return 0 if all(is_good for is_good, _, _ in results) else 1


sys.exit(main())
