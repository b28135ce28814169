#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what the shared library exports with what the public headers declare, and bounds its size; in the archive, which cannot hide what its
objects share, every name is ours.

  check_exports.py STRIP MAX_SIZE EXPORT_MAP_SCRIPT LIBRARY ARCHIVE HEADER...
"""
import os
import subprocess
import sys
import tempfile


def exported(library):
    output = subprocess.run(["nm", "-D", "--defined-only", library], text=True, capture_output=True,
                            check=True).stdout
    # The version's own name is listed as an absolute symbol (A).
    rows = [line.split() for line in output.splitlines()]
    return {row[2].split("@")[0] for row in rows if row[1] != "A"}


def shared_names(archive):
    output = subprocess.run(["nm", "-g", "--defined-only", archive], text=True, capture_output=True, check=True).stdout
    return {line.split()[2] for line in output.splitlines() if len(line.split()) == 3}


def declared(script, headers):
    output = subprocess.run([sys.executable, script, "list", *headers], text=True, capture_output=True,
                            check=True).stdout
    return set(output.split())


def stripped_size(strip, library):
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "stripped.so")
        subprocess.run([strip, "-o", copy, library], check=True)
        return os.path.getsize(copy)


def soname(library):
    output = subprocess.run(["readelf", "-d", library], text=True, capture_output=True, check=True).stdout
    return [line for line in output.splitlines() if "SONAME" in line and "[libdreamapi.so.0]" in line]


def main():
    strip, max_size, script, library, archive, *headers = sys.argv[1:]
    there, wanted = exported(library), declared(script, headers)
    # Every declaration, marked or not, so that a forgotten mark is noticed.
    text = "".join(open(header, encoding="utf-8").read() for header in headers)
    unmarked = [line for line in text.splitlines()
                if line.startswith("dreamapi_") and line.rstrip().endswith(";") and "(" in line]
    size = stripped_size(strip, library)
    ours = shared_names(archive)
    odd = sorted(name for name in there | ours if not name.startswith(("dreamapi_", "dream_")))
    results = [
        (not wanted - there, "every declared function is exported", " ".join(sorted(wanted - there))),
        (not there - wanted, "every exported symbol is declared", " ".join(sorted(there - wanted))),
        (len(wanted) > 100, "the declarations were found", str(len(wanted))),
        (not unmarked, "every function in the headers is marked DREAMAPI_API", " ".join(unmarked)),
        (all(name.startswith("dreamapi_") for name in there), "every exported symbol begins with dreamapi_", ""),
        (wanted <= ours and not odd, "the archive has every function, and no name that is not ours", " ".join(odd)),
        (bool(soname(library)), "the soname is libdreamapi.so.0", ""),
        (size < int(max_size), "stripped, the library is under %s bytes" % max_size, "%d bytes" % size),
    ]
    print("1..%d" % len(results))
    for number, (is_good, name, output) in enumerate(results, 1):
        print("%s %d - %s" % ("ok" if is_good else "not ok", number, name))
        if not is_good:
            print("# " + output)
    return 0 if all(is_good for is_good, _, _ in results) else 1


sys.exit(main())
