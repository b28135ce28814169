# SPDX-License-Identifier: Apache-2.0
"""The documents against the tree: the reference builds without a warning and holds everything public, code in documents compiles,
commands and options in them exist, links resolve, and files that they name are there."""

import os
import re
import subprocess

import pytest

import daemon

pytestmark = pytest.mark.plain

TOP = daemon.ROOT
INCLUDE = TOP / "include"
PAGES = sorted(path for path in [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *(TOP / "include").rglob("*.md"),
                                 *(TOP / "src").rglob("*.md"), *(TOP / "tests").rglob("*.md"), *(TOP / "examples").rglob("*.md"),
                                 *(TOP / "bindings").glob("**/README.md"), *(TOP / "packaging").rglob("*.md")])
HEADERS = sorted((INCLUDE / "dreamapi").glob("*.h"))
COMMANDS = ("serve", "migrate", "check", "restore", "lease list", "lease write-off", "tenant create", "key create", "key list", "key rotate",
            "key revoke", "audit list", "master-key rotate", "fixture load")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path):
    return str(path.relative_to(TOP))


def text_of(path):
    return path.read_text(encoding="utf-8")


# ---- the reference ----

@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The HTML folder; made as ./dev docs makes it, but for the place."""
    folder = tmp_path_factory.mktemp("reference")
    run = subprocess.run(["doxygen", "-"], input=text_of(TOP / "docs" / "Doxyfile") + f"\nOUTPUT_DIRECTORY = {folder}\n", cwd=TOP, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    assert (run.returncode, run.stdout) == (0, "")
    return folder / "html"


def test_the_reference_builds_without_a_warning(reference):
    assert (reference / "index.html").exists()


def test_a_header_without_a_comment_would_be_a_warning(tmp_path):
    header = tmp_path / "dreamapi" / "odd.h"
    header.parent.mkdir()
    header.write_text("/** @file odd.h\n * Odd. */\n#ifndef DREAMAPI_ODD_H\n#define DREAMAPI_ODD_H\nint dreamapi_odd(void);\n#endif\n")
    config = text_of(TOP / "docs" / "Doxyfile") + f"\nOUTPUT_DIRECTORY = {tmp_path}/out\nINPUT = {header.parent}\n"
    run = subprocess.run(["doxygen", "-"], input=config, cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode != 0 and "odd.h:5" in run.stdout and "not documented" in run.stdout


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_everything_public_is_in_its_topic(reference, header):
    page = text_of(reference / f"group__{header.stem.replace('_', '__')}.html")  # Doxygen doubles them
    declared = re.sub(r"/\*.*?\*/", "", text_of(header), flags=re.DOTALL)
    names = set(re.findall(r"^DREAMAPI_API[^;{]*?\b(dreamapi_\w+)\s*\(", declared, re.MULTILINE))
    names |= set(re.findall(r"^(?:typedef struct \w+|\}) (\w+);", declared, re.MULTILINE))
    names |= set(re.findall(r"^#define (DREAMAPI_\w+)(?!.*_H$)", declared, re.MULTILINE)) - {f"DREAMAPI_{header.stem.upper()}_H"}
    missing = sorted(name for name in names if not re.search(rf"\b{name}\b", page))
    assert names and not missing


def test_each_header_is_a_topic_with_a_title_and_each_topic_a_header():
    topics = dict(re.findall(r"@defgroup (\w+) (.*?) \*/", text_of(TOP / "docs" / "topics.dox")))
    assert sorted(topics) == [header.stem for header in HEADERS]
    assert all(topics.values())


def test_the_reference_has_the_headers_version():
    version = re.search(r'DREAMAPI_VERSION "(.*)"', text_of(INCLUDE / "dreamapi" / "version.h")).group(1)
    assert re.search(r"PROJECT_NUMBER\s*= (\S+)", text_of(TOP / "docs" / "Doxyfile")).group(1) == version


# ---- code ----

def blocks(language):
    return [pytest.param(body, id=f"{name_of(page)}:{text_of(page)[:found.start()].count(chr(10)) + 1}")
            for page in PAGES for found in FENCE.finditer(text_of(page)) for body in [found.group(2)] if found.group(1) == language]


@pytest.mark.parametrize("code", blocks("c"))
def test_c_in_a_document_compiles_and_a_whole_program_links(code, tmp_path):
    """With the packages beside ours that the block's own first lines name."""
    source, libraries = tmp_path / "block.c", daemon.build_dir() / "src" / "lib"
    source.write_text(code)
    flags = ["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{INCLUDE}"]
    end = [f"-L{libraries}", "-ldreamapi"] if re.search(r"^int main\(", code, re.MULTILINE) else ["-c"]
    for package in " ".join(re.findall(r"--libs dreamapi ([\w. -]+)\)", code)).split():
        found = subprocess.run(["pkg-config", "--cflags", "--libs", package], stdout=subprocess.PIPE, text=True)
        if found.returncode != 0:
            pytest.skip(f"{package} is not installed")
        end += found.stdout.split()
    run = subprocess.run(["cc", *flags, source, "-o", tmp_path / "block", *end], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("code", blocks("cpp"))
def test_cpp_in_a_document_compiles_and_a_whole_program_links(code, tmp_path):
    source, libraries = tmp_path / "block.cpp", daemon.build_dir() / "src" / "lib"
    source.write_text(code)
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", f"-I{INCLUDE}"]
    end = [f"-L{libraries}", "-ldreamapi"] if re.search(r"^int main\(", code, re.MULTILINE) else ["-fsyntax-only"]
    run = subprocess.run(["c++", *flags, source, "-o", tmp_path / "block", *end], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout


# ---- commands ----

@pytest.fixture(scope="module")
def options():
    """{command: its options}, from what dreamapid itself says."""
    return {command: set(re.findall(r"^  (--[a-z-]+)", daemon.run(*command.split(), "--help").stdout, re.MULTILINE))
            for command in COMMANDS}


def test_the_commands_are_those_that_dreamapid_lists():
    assert re.findall(r"^  ([a-z-]+(?: [a-z-]+)?)  ", daemon.run("--help").stdout, re.MULTILINE) == list(COMMANDS)


def shell_lines(page):
    """Lines of shell blocks, and words in backticks, without comments."""
    text = text_of(page)
    for found in FENCE.finditer(text):
        if found.group(1) in ("sh", "ini"):
            yield from (re.sub(r"(^|\s)#.*", "", line) for line in found.group(2).splitlines())
    yield from re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_in_a_document_exist(page, options):
    wrong = []
    offered = subprocess.run([TOP / "dev", "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    ours = set(re.findall(r"^  ([a-z]+)", offered, re.MULTILINE)) | {"help"}
    for line in shell_lines(page):
        for word in re.findall(r"\./dev ([a-z]+)", line):
            if word not in ours:
                wrong.append("./dev " + word)
        for tail in re.findall(r"\bdreamapid ((?!--)[a-z].*)", line):
            command = next((name for name in COMMANDS if re.match(rf"{name}\b", tail)), None)
            if not command:
                wrong.append("dreamapid " + tail)
                continue
            given = set(re.findall(r"(?<=\s)--[a-z][a-z-]*", re.split(r"[|;&]", tail)[0]))
            wrong += [f"dreamapid {command} {option}" for option in sorted(given - options[command])]
    assert not wrong


def test_the_operators_page_names_every_option_and_no_other(options):
    for page in ("operations.md", "dreamapid.8"):
        text = text_of(TOP / "docs" / page).replace("\\-", "-")
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
        every = set().union(*options.values())
        assert every - {"--help"} <= named, page
        # "a --listen option" stands for all of them.
        assert {option for option in named - {"--version"} if not any(real.startswith(option) for real in every)} == set(), page


# ---- links and names ----

def anchors(page):
    """The fragments that headings can be reached by."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_resolve(page):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (fragment and fragment not in anchors(there)):
            wrong.append(target)
    assert not wrong


@pytest.fixture(scope="module")
def tree():
    """Every file and folder of the tree, without what builds made."""
    paths = []
    for base, folders, files in os.walk(TOP):
        folders[:] = [name for name in folders if not name.startswith(("build", ".", "__"))]
        paths += [os.path.relpath(os.path.join(base, name), TOP) for name in folders + files]
    return paths


# A path or a file: with a slash behind a folder of the tree, or with the ending of a file that people write.
FILE = re.compile(r"(?<![\w/.:<*-])((?:(?:src|include|tests|docs|examples|pkgconfig)/[\w./-]*[\w/])|(?:[\w-]+/)*[\w-]+\.(?:c|h|py|md|json|dox))(?![\w*])")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=name_of)
def test_files_named_in_a_document_exist(page, tree):
    # Designed headers that do not exist yet are marked as such in a table.
    text = "\n".join(line for line in text_of(page).splitlines() if "to come" not in line)
    code = FENCE.sub("", text)
    known = {"/" + path for path in tree}
    wrong = []
    for name in sorted(set(FILE.findall(code))):
        bare = name.rstrip("/")
        # A program is named without its ending.
        if (page.parent / bare).exists() or any(path.endswith(("/" + bare, "/" + bare + ".c")) for path in known):
            continue
        wrong.append(name)
    assert not wrong
