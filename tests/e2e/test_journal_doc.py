# SPDX-License-Identifier: Apache-2.0
"""docs/journal.md gives each field of each record with its place and size: the compiler is asked if that is so."""

import re
import subprocess

import daemon

HEADERS = [daemon.ROOT / "src/lib/meter" / name for name in ("record.h", "journal.h")]
# In the order of the document.
STRUCTS = ["dream_journal_header", "dream_identity", "dream_share", "dream_lease", "dream_account", "dream_settled", "dream_refund",
           "dream_text_record", "dream_direct", "dream_free"]


def fields(struct):
    """Their names; a last one without a size is marked with []."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in HEADERS)
    body = re.search(r"typedef struct %s \{(.*?)\n\} %s;" % (struct, struct), source, re.S).group(1)
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    for declaration in filter(str.strip, body.split(";")):
        for name in re.sub(r"^(_Atomic\s+|unsigned\s+)*\w+\s+", "", declaration.strip()).split(","):
            yield re.sub(r"\[\w+\]", "", name.strip())


def check_document(folder, compiler, emulator=()):
    lines = ['#include <stdio.h>', '#include "lib/meter/journal.h"', "int main(void)", "{"]
    for struct in STRUCTS:
        for name in fields(struct):
            plain = name.removesuffix("[]")
            size = '"to the end"' if name.endswith("[]") else f'"%zu", sizeof((({struct} *)0)->{plain})'
            lines += [f'    printf("| {plain} | %zu | ", offsetof({struct}, {plain}));', f"    printf({size});", '    puts(" |");']
    (folder / "layout.c").write_text("\n".join([*lines, "    return 0;", "}"]))
    subprocess.run([*compiler, "-std=gnu11", "-D_GNU_SOURCE", f"-I{daemon.ROOT}/src", f"-I{daemon.ROOT}/include", "-o", folder / "layout",
                    folder / "layout.c"], check=True)
    compiled = subprocess.run([*emulator, folder / "layout"], check=True, text=True, stdout=subprocess.PIPE).stdout.splitlines()
    document = (daemon.ROOT / "docs/journal.md").read_text(encoding="utf-8")
    told = re.findall(r"^(\| \w+ \| \d+ \| (?:\d+|to the end) \|)", document, re.M)
    assert told == compiled


def test_the_document_tells_where_each_field_is(tmp_path):
    check_document(tmp_path, ["cc"])
