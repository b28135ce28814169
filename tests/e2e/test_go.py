# SPDX-License-Identifier: Apache-2.0
"""The Go package against an installed prefix, as a user has it: formatted, vetted, its own tests (which run the installed service), and
the code of docs/go.md compiled. Everything is offline: the package needs the standard library alone."""
import hashlib
import os
import pathlib
import re
import subprocess

import pytest

import behaviours
import daemon

pytestmark = pytest.mark.plain

TOP = daemon.ROOT
GO = TOP / "bindings" / "go"
IS_LONG = os.environ.get("DREAMAPI_LONG") == "1"
MODULE = "github.com/dream-api/dream-api-c/bindings/go"


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    root = tmp_path_factory.mktemp("go")
    subprocess.run(["meson", "install", "-C", str(daemon.build_dir()), "--no-rebuild", "--quiet", "--destdir", str(root)], check=True,
                   stdout=subprocess.DEVNULL)
    found = [base for base, _, names in os.walk(root) if "dreamapid" in names]
    assert len(found) == 1
    return os.path.dirname(found[0])


@pytest.fixture(scope="module")
def go(prefix):
    """Runs the go command. A staged prefix lies elsewhere than it was configured for, so the package is told where it is."""
    package, = [base for base, _, names in os.walk(prefix) if "dreamapi.pc" in names]
    library = os.path.dirname(package)
    tool = os.path.join(prefix, "pkg-config-here")
    with open(tool, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec pkg-config --define-variable=prefix={prefix} "$@"\n')
    os.chmod(tool, 0o755)
    # Go's cache does not see what pkg-config says, nor headers outside of a package: told of the installation by a macro it does.
    headers = sorted(path for path in pathlib.Path(prefix, "include").rglob("*.h"))
    installed = hashlib.sha256(b"".join([prefix.encode()] + [path.read_bytes() for path in headers])).hexdigest()
    env = {name: value for name, value in os.environ.items() if not name.startswith("DREAMAPI_")}
    env |= {"PKG_CONFIG": tool, "PKG_CONFIG_PATH": package, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local",
            "LD_LIBRARY_PATH": library, "CGO_CFLAGS": f"-O2 -g -DDREAMAPI_INSTALLED_{installed}", "DREAMAPI_TEST_DAEMON": os.path.join(prefix, "bin", "dreamapid")}

    def run(*words, folder=GO):
        done = subprocess.run(["go", *words], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_every_file_is_as_gofmt_has_it():
    run = subprocess.run(["gofmt", "-l", "."], cwd=GO, stdout=subprocess.PIPE, text=True, check=True)
    assert run.stdout == ""


def test_the_package_and_its_example_pass_their_own_tests(go):
    """A test that finds no service skips itself; here there is one. The race detector takes its time."""
    go("vet", "./...")
    said = go("test", "-count=1", "-v", *(["-race"] if IS_LONG else []), "./...")
    assert re.search(rf"^ok\s+{MODULE}\s", said, re.MULTILINE) and re.search(rf"^ok\s+{MODULE}/examples/server\s", said, re.MULTILINE)
    assert "--- SKIP" not in said
    rows = {re.sub(r"\s", "_", row["name"]) for row in behaviours.Rows().rows}
    assert set(re.findall(r"--- PASS: TestBehaviours/(\S+) \(", said)) == rows


def test_the_package_needs_nothing_but_the_standard_library():
    assert (GO / "go.mod").read_text(encoding="utf-8").split() == ["module", MODULE, "go", "1.19"]


def test_go_in_the_guide_compiles(go, tmp_path):
    """All blocks in one run: each is a package of its own."""
    text = (TOP / "docs" / "go.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```go\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    for number, block in enumerate(blocks):
        folder = tmp_path / f"block{number}"
        folder.mkdir()
        (folder / "block.go").write_text(block, encoding="utf-8")
        run = subprocess.run(["gofmt", "-l", str(folder)], stdout=subprocess.PIPE, text=True, check=True)
        assert run.stdout == "", block
    (tmp_path / "go.mod").write_text(f"module guide\n\ngo 1.19\n\nrequire {MODULE} v0.0.0\n\nreplace {MODULE} => {GO}\n", encoding="utf-8")
    go("vet", "./...", folder=tmp_path)
