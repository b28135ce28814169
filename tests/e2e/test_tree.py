# SPDX-License-Identifier: Apache-2.0
"""The shape of the tree: which folder may include which, and that the architecture page names what exists."""
import os
import re

import pytest

pytestmark = pytest.mark.plain

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# folder -> what its files may include of ours: "x/" as "x/file.h", "<>" as <dreamapi/...>.
ARROWS = {
    "include": ["<>"],
    "src/common": ["common/"],
    "src/lib": ["lib/", "common/", "<>"],
    "src/cli": ["<>"],
    "src/net": ["net/", "common/"],
    "src/service": ["service/", "net/", "common/"],
    "src/sandbox": ["sandbox/", "net/", "common/"],
    "src/dreamapid": ["dreamapid/", "service/", "sandbox/", "net/", "common/"],
    "examples": ["<>"],
}
# Third-party headers, each with the only folders that may see it.
PRIVATE = {
    "curl/": ["src/lib", "src/net"],
    "microhttpd": ["src/net", "examples/saas-backend"],
    "gnutls/": ["src/net"],
    "sqlite3": ["src/net"],
    "mbedtls/": ["src/common"],
    "cjson/": ["src/common"],
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(folder):
    for base, _, names in os.walk(os.path.join(TOP, folder)):
        for name in names:
            if name.endswith((".c", ".h", ".cpp", ".hpp")):
                yield os.path.join(base, name)


def includes(path):
    with open(path, encoding="utf-8") as file:
        return INCLUDE.findall(file.read())


@pytest.mark.parametrize("folder", ARROWS)
def test_a_folder_includes_only_what_its_arrows_allow(folder):
    allowed, seen, wrong = ARROWS[folder], 0, []
    for path in sources(folder):
        seen += 1
        for mark, name in includes(path):
            if mark == "<":
                fine = not name.startswith("dreamapi") or "<>" in allowed
            else:
                beside = os.path.exists(os.path.join(os.path.dirname(path), name))
                fine = any(name.startswith(prefix) for prefix in allowed if prefix != "<>") or (beside and "/" not in name)
            if not fine:
                wrong.append(f"{os.path.relpath(path, TOP)} includes {name}")
    assert seen > 0
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("header", PRIVATE)
def test_a_third_party_header_stays_in_the_folder_that_wraps_it(header):
    wrong = []
    for folder in ARROWS:
        for path in sources(folder):
            inside = os.path.relpath(path, TOP).startswith(tuple(owner + "/" for owner in PRIVATE[header]))
            if not inside and any(mark == "<" and name.startswith(header) for mark, name in includes(path)):
                wrong.append(os.path.relpath(path, TOP))
    assert not wrong, wrong


def test_every_file_named_in_the_architecture_page_exists():
    with open(os.path.join(TOP, "docs", "architecture.md"), encoding="utf-8") as file:
        named = set(re.findall(r"`((?:src|include|tests|docs|examples|pkgconfig)/[A-Za-z0-9_./-]+)`", file.read()))
    assert len(named) > 20
    missing = sorted(name for name in named if not os.path.exists(os.path.join(TOP, name)))
    assert not missing, missing


def test_every_source_file_begins_with_its_licence_and_says_what_it_is():
    wrong = []
    for folder in ARROWS:
        for path in sources(folder):
            with open(path, encoding="utf-8") as file:
                first, second = file.readline(), file.readline()
            if "SPDX-License-Identifier: Apache-2.0" not in first or not second.startswith("/*"):
                wrong.append(os.path.relpath(path, TOP))
    assert not wrong, wrong


def all_files():
    """Every file of the tree, without what builds made."""
    for base, folders, names in os.walk(TOP):
        folders[:] = [name for name in folders if not name.startswith(("build", ".", "__pycache__", "node_modules"))]
        yield from (os.path.join(base, name) for name in names if name != ".git")


def test_every_build_file_begins_with_its_licence():
    wrong, seen = [], 0
    for path in all_files():
        if os.path.basename(path) in ("meson.build", "meson_options.txt"):
            seen += 1
            with open(path, encoding="utf-8") as file:
                if file.readline() != "# SPDX-License-Identifier: Apache-2.0\n":
                    wrong.append(os.path.relpath(path, TOP))
    assert seen > 20
    assert not wrong, wrong


PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s")
# A key as Clerk, Stripe, svix and we ourselves hand them out. Tests have some that are patterns (sk_live_00...01) or published examples.
SECRET = re.compile(rb"\b(?:[sr]k_(?:live|test)_[0-9A-Za-z]{20}|whsec_[0-9A-Za-z+/]{20})")


def secrets_in(path, text):
    is_test = "tests" in os.path.relpath(path, TOP).split(os.sep) or path.endswith("_test.go")
    return PRIVATE_KEY.findall(text) + ([] if is_test else SECRET.findall(text))


def test_no_secret_is_in_the_source():
    found, seen = {}, 0
    for path in all_files():
        seen += 1
        with open(path, "rb") as file:
            secrets = secrets_in(path, file.read())
        if secrets:
            found[os.path.relpath(path, TOP)] = secrets
    assert seen > 500
    assert not found


@pytest.mark.parametrize("path, text, is_found", [
    ("src/a.c", b'"sk_live_' + b"4eC39HqLyjWDarjtT1zd" + b'"', True), ("docs/a.md", b"whsec_" + b"c2VjcmV0IG9mIDI0IGJ5dGVz", True),
    ("tests/a.pem", b"-----BEGIN EC " + b"PRIVATE KEY-----\nMHc", True), ("docs/a.md", b"sk_test_0123456789abcdef, sk_live_...", False)])
def test_a_secret_in_the_source_would_be_found(path, text, is_found):
    assert bool(secrets_in(os.path.join(TOP, path), text)) == is_found


# An event's name as it is logged: the second argument of dreamd_log, or what a file's own helper passes on.
LOGGED = re.compile(r'(?:dreamd_log\(DREAMD_LOG_\w+,|log_fault\(db,)\s*"([a-z_]+)"')


def test_every_logged_event_is_explained_to_the_operator():
    logged = set()
    for path in sources("src"):
        with open(path, encoding="utf-8") as file:
            logged.update(LOGGED.findall(file.read()))
    assert "store_commit_failed" in logged
    with open(os.path.join(TOP, "docs", "operations.md"), encoding="utf-8") as file:
        page = file.read()
    explained = set(re.findall(r'`([a-z_]+)`|"event":"([a-z_]+)"', page))
    assert sorted(logged - {name for pair in explained for name in pair}) == []
