# SPDX-License-Identifier: Apache-2.0
"""summary.py FAILED NAME... -- DIR: adds up DIR/NAME.xml (JUnit XML), prints a table of what was tried, what held and how many
seconds it took (DIR/NAME.seconds; DIR/total.seconds counts the builds too) with the lines of DIR/NAME.note beneath, and
'N passed, N failed' last.

A report that is missing, empty or unreadable counts as a failure, and so does FAILED=1 with no failed case: a run that
fell over must never look green.
"""
import os
import sys
import xml.etree.ElementTree as ElementTree


def count(path):
    passed = failed = 0
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        bad = any(case.find(kind) is not None for kind in ("failure", "error", "skipped"))
        passed, failed = passed + (not bad), failed + bad
    return passed, failed


def seconds(folder, name):
    try:
        with open(os.path.join(folder, name + ".seconds"), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return "-"


def note(folder, name):
    try:
        with open(os.path.join(folder, name + ".note"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def row(part, passed, failed, time):
    print(f"{part:<10} {passed:>7} {failed:>7} {time:>8}")


def main():
    split = sys.argv.index("--")
    was_failure, names, folder = sys.argv[1] != "0", sys.argv[2:split], sys.argv[split + 1]
    total_passed = total_failed = 0
    row("part", "passed", "failed", "seconds")
    for name in names:
        problem = ""
        try:
            passed, failed = count(os.path.join(folder, name + ".xml"))
        except (OSError, ElementTree.ParseError) as error:
            problem, passed, failed = error, 0, 1
        if passed + failed == 0:
            problem, failed = "no case", 1
        row(name, passed, failed, seconds(folder, name))
        if problem:
            print(f"  no report of {name}: {problem}")
        print(note(folder, name), end="")
        total_passed, total_failed = total_passed + passed, total_failed + failed
    if was_failure and total_failed == 0:
        print("a test command failed without naming a case")
        total_failed = 1
    row("all", total_passed, total_failed, seconds(folder, "total"))
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


sys.exit(main())
