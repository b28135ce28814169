# SPDX-License-Identifier: Apache-2.0
"""run.py FOLDER SECONDS REPORT [TARGET...]: fuzzes with the programs in FOLDER (build-fuzz/tests/fuzz), two at a time, for SECONDS
of processor time all together, and writes a JUnit XML report: one case a target. A crash, a hang or a leak is a failed case that prints the
input and how to give it to the target again."""
import base64
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
AT_ONCE = 2
INPUT_SECONDS = 25
# Targets that start the whole service make few steps a second: they get a larger share.
SHARES = {"api": 3, "http": 2, "journal": 3, "lease_answer": 3, "leases": 3, "stored": 2, "token": 2}


def targets(folder):
    return sorted(re.fullmatch(r"fuzz_(\w+)", name)[1] for name in os.listdir(folder) if re.fullmatch(r"fuzz_(\w+)", name))


def finding(name, found):
    """What to print of the input that libFuzzer left."""
    with open(found, "rb") as file:
        text = base64.b64encode(file.read()).decode()
    return (f"To try it again:\n  echo {text} | base64 -d >/tmp/{name}-input && build-fuzz/tests/fuzz/fuzz_{name} /tmp/{name}-input\n"
            f"To keep it: tests/fuzz/seeds/{name}/WHAT-IT-IS (tests/fuzz/README.md)\n")


def fuzz(folder, name, seconds):
    """Returns seconds taken, what it said last, and what went wrong ("" if nothing)."""
    began = time.monotonic()
    # In memory where there is some: targets that commit to files are several times as fast. What a crash leaves goes with it.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as work:
        corpus = os.path.join(work, "corpus")
        os.mkdir(corpus)
        command = [os.path.join(os.path.abspath(folder), "fuzz_" + name), f"-max_total_time={seconds}", f"-timeout={INPUT_SECONDS}",
                   "-rss_limit_mb=3000", "-print_final_stats=1", f"-artifact_prefix={work}/found-"]
        command += [f"-dict={path}" for path in glob.glob(os.path.join(HERE, "dictionaries", name + ".dict"))]
        command += [corpus, os.path.join(HERE, "seeds", name)]
        environment = {**os.environ, "TMPDIR": work, "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}
        try:
            run = subprocess.run(command, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 timeout=seconds + 120, check=False)
            status, output = run.returncode, run.stdout
        except subprocess.TimeoutExpired as late:
            status, output = "none: it did not end", late.stdout or b""
        said = output.decode("utf-8", "replace")
        problem = "" if status == 0 else f"exit status {status}\n{said[-6000:]}\n"
        for found in sorted(glob.glob(work + "/found-*")):
            problem = problem or said[-6000:]
            problem += finding(name, found)
        steps = re.search(r"number_of_executed_units: (\d+)", said)
        return time.monotonic() - began, steps[1] if steps else "?", problem


def main():
    folder, total, report = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    names = sys.argv[4:] or targets(folder)
    if not names:
        sys.exit(f"{folder} has no targets")
    share = total / sum(SHARES.get(name, 1) for name in names)
    suite = ElementTree.Element("testsuite", name="fuzz", tests=str(len(names)))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        runs = {name: pool.submit(fuzz, folder, name, max(1, round(share * SHARES.get(name, 1)))) for name in names}
        for name, run in runs.items():
            taken, steps, problem = run.result()
            case = ElementTree.SubElement(suite, "testcase", classname="fuzz", name=name, time=f"{taken:.1f}")
            print(f"{name:<14} {steps:>10} inputs {taken:>7.1f} s {'FOUND SOMETHING' if problem else ''}", flush=True)
            if problem:
                failed += 1
                # XML has no place for most control characters.
                clean = re.sub(r"[^\t\n\x20-\x7e]", "?", problem)
                ElementTree.SubElement(case, "failure", message=f"fuzz_{name} found something").text = clean
                print(clean, flush=True)
    suite.set("failures", str(failed))
    ElementTree.ElementTree(suite).write(report, encoding="utf-8", xml_declaration=True)
    return 1 if failed else 0


sys.exit(main())
