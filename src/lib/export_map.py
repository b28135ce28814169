#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lists what the public headers declare, and writes it as the linker's version script.

A declaration is exported when, and only when, it begins with DREAMAPI_API, so the
headers are the one list of the library's symbols.

  export_map.py map  OUT HEADER...   writes a version script
  export_map.py list HEADER...       prints the names, one a line
"""
import pathlib
import re
import sys

VERSION = "DREAMAPI_0"
DECLARATION = re.compile(r"^DREAMAPI_API\s+[^;(]*?\b(dreamapi_\w+)\s*\(", re.MULTILINE)


def declared(headers):
    names = set()
    for header in headers:
        names.update(DECLARATION.findall(pathlib.Path(header).read_text(encoding="utf-8")))
    return sorted(names)


def version_script(names):
    lines = ["/* Made by export_map.py from the headers in include/. */", VERSION + " {", "  global:"]
    lines += ["    %s;" % name for name in names]
    lines += ["  local:", "    *;", "};", ""]
    return "\n".join(lines)


def main(arguments):
    if len(arguments) >= 3 and arguments[0] == "map":
        pathlib.Path(arguments[1]).write_text(version_script(declared(arguments[2:])), encoding="utf-8")
        return 0
    if len(arguments) >= 2 and arguments[0] == "list":
        print("\n".join(declared(arguments[1:])))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
