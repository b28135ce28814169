# SPDX-License-Identifier: Apache-2.0
"""The model of the headers that bindings are made from misses nothing, and what it prints is C."""
import pathlib
import re
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bindings"))
import headers  # noqa: E402

pytestmark = pytest.mark.plain

HEADERS = sorted((TOP / "include" / "dreamapi").glob("*.h"))
API = headers.read(HEADERS)


def test_every_exported_function_is_in_the_model():
    exported = {name for path in HEADERS
                for name in re.findall(r"^DREAMAPI_API\s[^;(]*?\b(dreamapi_\w+)\s*\(", path.read_text(encoding="utf-8"), re.M)}
    assert len(exported) > 300
    assert {function.name for function in API.functions} == exported


def test_every_accessor_of_an_object_is_a_field_of_its_value_or_counts_one():
    values = {value.name: value for value in API.values()}
    read = {accessor.function.name for value in values.values() for accessor in value.accessors}
    read |= {accessor.count.name for value in values.values() for accessor in value.accessors if accessor.count}
    for function in API.functions:
        of = re.fullmatch(r"const (\w+) \*", function.params[0].type) if function.params else None
        if of and of[1] in values:
            assert function.name in read, function.name
    assert {"dreamapi_customer", "dreamapi_tier", "dreamapi_history_event"} <= set(values)


def test_every_call_that_can_be_started_is_in_the_model_with_its_answer():
    starts = {function.name for function in API.functions
              if function.name.endswith("_start") and function.params[0].type == "dreamapi_client *"}
    assert {call.start.name for call in API.calls()} == starts
    assert {call.answer for call in API.calls()} <= {value.name for value in API.values()}


def test_what_cffi_is_given_declares_the_same_as_the_headers(tmp_path):
    """A compiler that sees both refuses any difference."""
    lines = [line for line in headers.cdef(API).splitlines() if not line.startswith("#define")]
    functions = [line for line in lines if not line.startswith("typedef")]
    source = tmp_path / "both.c"
    source.write_text("#include <dreamapi.h>\n#include <dreamapi/testing.h>\n" + "\n".join(functions) + "\n", encoding="utf-8")
    subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{TOP / 'include'}", str(source)], check=True)
    structs = [struct for struct in API.structs]
    checks = [f'_Static_assert(sizeof(struct own_{s.name}) == sizeof({s.name}), "{s.name}");' for s in structs]
    own = [f"struct own_{s.name} {{ " + " ".join(field.declaration for field in s.fields) + " };" for s in structs]
    source.write_text("#include <dreamapi.h>\n#include <dreamapi/testing.h>\n" + "\n".join(own + checks) + "\n", encoding="utf-8")
    subprocess.run(["cc", "-std=c11", "-fsyntax-only", f"-I{TOP / 'include'}", str(source)], check=True)
    assert len(structs) > 20


def test_what_is_generated_is_up_to_date():
    run = subprocess.run([sys.executable, str(TOP / "bindings" / "generate.py"), "--check"], stdout=subprocess.PIPE, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("line", ["DREAMAPI_API int dreamapi_a(int (*callback)(int));", "typedef enum a { DREAMAPI_A, DREAMAPI_B = 1 } a;",
                                  "typedef int a;", "int dreamapi_a(void);"])
def test_a_form_that_is_not_known_is_refused_and_not_left_out(tmp_path, line):
    header = tmp_path / "odd.h"
    header.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(headers.Unclear):
        headers.read([header])
