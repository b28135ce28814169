#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fit_links.py FOLDER... - makes the links of packaged pages lead to packaged files.

A FOLDER is a package's under usr/share/doc: debhelper puts the pages of docs/ right into it, and examples/ below it. In the source they
link to each other as docs/ and examples/ lie there, and to files of other packages or none. Links to what the package has are written
anew; of others the text stays, and where the file is. A folder that is not there is a package that is not built."""

import os
import pathlib
import posixpath
import re
import sys

GUIDES = "/usr/share/doc/libdreamapi-dev"  # has every page of docs/
# A block of code, which stays; or a link that is no address of the web and no place on the same page.
PART = re.compile(r"^```.*?^```$|\[([^\]\n]+)\]\((?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?\)", re.MULTILINE | re.DOTALL)


def source_of(page):
    """Where in the source the page at this path in the folder is."""
    return page if page.startswith("examples/") else "docs/" + page


def fitted(link, page, folder):
    text, target, fragment = link.groups()
    if text is None:
        return link[0]
    source = posixpath.normpath(posixpath.join(posixpath.dirname(source_of(page)), target))
    packaged = source.removeprefix("docs/")
    if (folder / packaged).exists():
        return f"[{text}]({posixpath.relpath(packaged, posixpath.dirname(page) or '.')}{fragment or ''})"
    manual = re.fullmatch(r"docs/(\w+)\.(\d)", source)
    if manual:
        return f"{manual[1]}({manual[2]})"
    if re.fullmatch(r"docs/[\w-]+\.md", source):
        return f"{text} (in {GUIDES})"
    return f"{text} (in the source)" if text.strip("`") == source else f"{text} ({source} in the source)"


def fit(folder):
    for path in sorted(folder.rglob("*.md")):
        page = path.relative_to(folder).as_posix()
        path.write_text(PART.sub(lambda link: fitted(link, page, folder), path.read_text(encoding="utf-8")), encoding="utf-8")


for name in sys.argv[1:]:
    if os.path.isdir(name):
        fit(pathlib.Path(name))
