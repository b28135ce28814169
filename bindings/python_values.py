# SPDX-License-Identifier: Apache-2.0
"""The generated part of the Python package: _cdef.h (what cffi compiles against), _values.py (enums and what calls answer) and
_calls.py (the calls, blocking and for asyncio). What is written by hand is beside them in bindings/python/src/dreamapi."""
import keyword
import textwrap

import headers
from headers import Accessor, Api, Call, Enum, Param, Struct, Value

HEAD = "# SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi\n"
ENUMS = {"dreamapi_status": "DREAMAPI_", "dreamapi_reason": "DREAMAPI_REASON_", "dreamapi_source": "DREAMAPI_SOURCE_",
         "dreamapi_policy": "DREAMAPI_POLICY_", "dreamapi_webhook_scheme": "DREAMAPI_WEBHOOK_"}

# What C mostly answers in the calling thread, without a call: there its blocking form is much faster than a start and a wait.
LOCAL = {"token_verify"}


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.removeprefix("dreamapi_").split("_"))


def safe(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def spoken(text: str) -> str:
    """A header's words in Python's."""
    text = headers.without_null_objects(text)
    for phrase in (" for NULL and", "; may be NULL", "Borrowed, "):
        text = text.replace(phrase, "")
    text = text.replace("`params` may be NULL", "every parameter may be left out")
    text = text.replace("-1 when", "None when").replace("NULL", "None").replace("DREAMAPI_UNLIMITED", "UNLIMITED")
    return text.replace("\\", "\\\\").replace('"""', "'''")


def docstring(text: str, indent: str) -> str:
    if not text:
        return ""
    lines = textwrap.wrap(spoken(text), 116 - len(indent), break_long_words=False, break_on_hyphens=False)
    if len(lines) == 1 and not lines[0].endswith('"'):
        return f'{indent}"""{lines[0]}"""\n'
    return f'{indent}"""' + f"\n{indent}".join(lines) + f'\n{indent}"""\n'


def enum(item: Enum) -> str:
    lines = [f"class {camel(item.name)}(enum.IntEnum):\n" + docstring(item.doc, "    ")]
    for member in item.members:
        lines.append(f"    {member.name.removeprefix(ENUMS[item.name])} = {member.value}\n" + docstring(member.doc, "    "))
    return "\n".join(lines)


def annotation(accessor: Accessor) -> str:
    plain = {"text": "str", "integer": "int", "number": "float", "flag": "bool", "texts": "tuple[str, ...]"}.get(accessor.kind)
    if accessor.kind == "values":
        assert accessor.value_type
        plain = f"tuple[{camel(accessor.value_type)}, ...]"
    assert plain
    return f"{plain} | None" if accessor.missing else plain


def reading(accessor: Accessor) -> str:
    call = f"lib.{accessor.function.name}(c_object)"
    if accessor.kind == "text":
        return f"text({call})" if accessor.missing else f"sure_text({call})"
    if accessor.kind == "integer":
        return f"number({call}, {accessor.missing})" if accessor.missing else call
    if accessor.kind == "flag":
        return f"{call} != 0"
    if accessor.kind == "number":
        return call
    assert accessor.count
    item = f"lib.{accessor.function.name}(c_object, i)"
    made = f"sure_text({item})" if accessor.kind == "texts" else f"{camel(accessor.value_type or '')}._read({item})"
    return f"tuple({made} for i in range(lib.{accessor.count.name}(c_object)))"


def value_class(value: Value) -> str:
    fields = [accessor for accessor in value.accessors if accessor.kind != "lookup"]
    text = "@dataclass(frozen=True)\n" + f"class {camel(value.name)}:\n" + docstring(value.doc, "    ")
    for accessor in fields:
        text += f"\n    {safe(accessor.name)}: {annotation(accessor)}" + (" = field(repr=False)" if accessor.name == "json" else "") + "\n"
        text += docstring(accessor.function.doc, "    ")
    text += "\n    @classmethod\n    def _read(cls, c_object: Any) -> " + camel(value.name) + ":\n        return cls(\n"
    text += "".join(f"            {safe(accessor.name)}={reading(accessor)},\n" for accessor in fields)
    return text + "        )\n"


def values(api: Api) -> str:
    text = HEAD + '"""What calls answer: frozen, with everything copied out of the C objects."""\nfrom __future__ import annotations\n\n'
    text += "import enum\nfrom dataclasses import dataclass, field\nfrom typing import Any\n\n"
    text += "from ._convert import number, sure_text, text\nfrom ._ffi import lib\n\n"
    names = sorted([camel(item.name) for item in api.enums if item.name in ENUMS] + [camel(value.name) for value in api.values()])
    text += "__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n\n\n"
    text += "\n\n".join(enum(item) for item in api.enums if item.name in ENUMS) + "\n\n"
    return text + "\n\n".join(value_class(value) for value in api.values())


CTYPES = {"const char *": "str", "int64_t": "int", "int": "bool", "const char * const *": "Sequence[str]"}


def arguments(api: Api, call: Call) -> tuple[list[str], list[str], list[str]]:
    """Of a method: positional parameters, keyword parameters, and the statements that make C arguments named c_0, c_1, ..."""
    positional, keywords, lines = [], [], []
    for argument in api.arguments(call):
        if argument.struct:
            keywords += params_keywords(argument.struct)
            lines += params_lines(argument.struct)
        elif argument.kind == "events":
            positional.append("events: Sequence[UsageEvent]")
            lines.append("c_events = keep.events(events)")
        elif argument.kind == "count":
            lines.append("c_count = len(events)")
        else:
            positional.append(f"{argument.name}: str" if argument.kind == "text" else f"{argument.name}: str | None = None")
            lines.append(f"c_{argument.name} = keep.text({argument.name})")
    return positional, keywords, lines


def params_keywords(struct: Struct) -> list[str]:
    found = []
    for part in struct.fields[1:]:
        if part.name in ("size", "item_count"):
            continue
        kind = CTYPES.get(part.type) or {"items": "Sequence[CartItem]", "data": "bytes"}[part.name]
        needed = part.doc.startswith("Required") or part.name in ("items", "data")
        found.append(f"{safe(part.name)}: {kind}" if needed else f"{safe(part.name)}: {kind} | None = None")
    return sorted(found, key=lambda text: "=" in text)


def params_lines(struct: Struct) -> list[str]:
    lines = [f'c_params = keep.struct("{struct.name}")']
    for part in struct.fields[1:]:
        name = safe(part.name)
        if part.name in ("size", "item_count"):
            continue
        if part.type == "const char *":
            value = f"keep.text({name})"
            is_plain = not keyword.iskeyword(part.name)
            lines.append(f"c_params.{part.name} = {value}" if is_plain else f'setattr(c_params, "{part.name}", {value})')
        elif part.type in ("int64_t", "int"):
            value = name if part.type == "int64_t" else f"int({name})"
            lines += [f"if {name} is not None:", f"    c_params.{part.name} = {value}"]
        elif part.type == "const char * const *":
            lines.append(f"c_params.{part.name} = keep.texts({name})")
        elif part.name == "items":
            lines += ["c_params.items = keep.items(items)", "c_params.item_count = len(items)"]
        else:
            lines += ["c_params.data = keep.bytes(data)", "c_params.size = len(data)"]
    return lines


def method(api: Api, call: Call, is_async: bool) -> str:
    positional, keywords, lines = arguments(api, call)
    answer = camel(call.answer)
    listed = ", ".join(["self", *positional, "*", *keywords, "options: CallOptions | None = None"])
    given = ", ".join(["self._c", *(f"c_{argument.name}" for argument in call.arguments), "c_options"])
    head = f"    {'async ' if is_async else ''}def {call.name}({listed}) -> {answer}:\n"
    if len(head) > 130:
        head = f"    {'async ' if is_async else ''}def {call.name}(\n        " + ",\n        ".join(
            ["self", *positional, "*", *keywords, "options: CallOptions | None = None"]) + f",\n    ) -> {answer}:\n"
    text = head + docstring(call.function.doc.split("`*out_")[0], "        ") + "        keep = Keep()\n"
    text += "".join(f"        {line}\n" for line in [*lines, "c_options = keep.options(options)"])
    if call.name in LOCAL and not is_async:
        return text + (f"        return self._answer(\n            lambda out, error: lib.{call.function.name}({given}, out, error),\n"
                       f'            "{call.answer} *", {answer}._read, lib.{call.answer}_free)\n')
    return text + (f"        return {'await ' if is_async else ''}self._call(\n            lambda out, error: lib.{call.start.name}({given}, out, error),\n"
                   f'            lib.{call.result.name}, "{call.answer} *", {answer}._read, lib.{call.answer}_free)\n')


def calls(api: Api) -> str:
    answers = sorted({camel(call.answer) for call in api.calls()})
    text = HEAD + '"""The calls of Client and AsyncClient; what runs them is in _base.py."""\nfrom __future__ import annotations\n\n'
    text += "from collections.abc import Sequence\n\nfrom ._base import AsyncBase, Base\nfrom ._convert import CallOptions, CartItem, Keep, UsageEvent\n"
    text += "from ._ffi import lib\nfrom ._values import (\n    " + ",\n    ".join(answers) + ",\n)\n\n\n"
    text += "class Calls(Base):\n" + docstring("What a client can ask the service; each call waits for its answer.", "    ") + "\n"
    text += "\n".join(method(api, call, False) for call in api.calls()) + "\n\n"
    text += "class AsyncCalls(AsyncBase):\n" + docstring("The same calls for asyncio.", "    ") + "\n"
    return text + "\n".join(method(api, call, True) for call in api.calls())


def cdef(api: Api) -> str:
    return headers.cdef(api)
