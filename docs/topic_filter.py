# SPDX-License-Identifier: Apache-2.0
"""Doxygen's filter for headers. One header is one topic: what a header says about itself becomes the topic's page, and what it
declares goes into the topic, so that headers need no marks of their own. Titles and order are in topics.dox."""
import pathlib
import re
import sys

path = pathlib.Path(sys.argv[1])
text = path.read_text(encoding="utf-8")
if path.parent.name == "dreamapi":
    # The include guard makes place for the marks, so that Doxygen's warnings name the right lines.
    text = re.sub(r"^/\*\* @file (\w+)\.h$", r"/** @addtogroup \1", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^#ifndef DREAMAPI_\w+_H\n#define DREAMAPI_\w+_H$",
                  f"/** @file {path.name} */ /** @addtogroup {path.stem}\n * @{{ */", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"^#endif\s*\Z", "/** @} */\n", text, flags=re.MULTILINE)
sys.stdout.write(text)
