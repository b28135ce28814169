# SPDX-License-Identifier: Apache-2.0
"""Reads the public headers into a model that everything generated is made from: the declarations that cffi compiles, the value
types of Python, Go and C++.

The headers keep to a few forms, and whatever this file does not understand is an error, never left out: a declaration that a
binding misses would be found by its users. `python3 headers.py HEADER...` prints what was understood.

Only the language of our own headers is read, not C: no function bodies, one declarator a line of a struct, every exported
function marked DREAMAPI_API."""
from __future__ import annotations

import pathlib
import re
import sys
from dataclasses import dataclass, field


# Handles that do things, or that stand for something under way. All others that have accessors are values.
ACTORS = ("dreamapi_call", "dreamapi_client", "dreamapi_exchange", "dreamapi_options", "dreamapi_meter", "dreamapi_test_clock",
          "dreamapi_test_transport", "dreamapi_test_request")

# Calls whose user may be named by a token alone: they take a NULL for the text.
BY_TOKEN = ("usage_get", "usage_track")


class Unclear(Exception):
    """A line of a header that is in none of the forms known here."""


@dataclass(frozen=True)
class Param:
    type: str  # as C has it, one space between words, stars at the end: "const char *"
    name: str


@dataclass(frozen=True)
class Constant:
    name: str
    value: str
    doc: str


@dataclass(frozen=True)
class EnumMember:
    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Enum:
    name: str
    members: tuple[EnumMember, ...]
    doc: str


@dataclass(frozen=True)
class Field:
    type: str  # as Param.type; of a pointer to a function the whole declaration is in `declaration`
    name: str
    declaration: str
    doc: str


@dataclass(frozen=True)
class Struct:
    name: str
    fields: tuple[Field, ...]
    doc: str


@dataclass(frozen=True)
class Handle:
    """An opaque type."""
    name: str
    doc: str


@dataclass(frozen=True)
class Callback:
    name: str
    returns: str
    params: tuple[Param, ...]
    doc: str
    declaration: str


@dataclass(frozen=True)
class Function:
    name: str
    returns: str
    params: tuple[Param, ...]
    doc: str
    topic: str  # the header's name without ".h"

    @property
    def declaration(self) -> str:
        params = ", ".join(join(param.type, param.name) for param in self.params) or "void"
        return f"{join(self.returns, self.name)}({params});"


@dataclass(frozen=True)
class Accessor:
    """How one field of a value is read. kind: "text" (may be None), "integer", "flag", "texts", "values", "lookup" (takes a name)."""
    name: str
    kind: str
    function: Function
    count: Function | None = None
    value_type: str | None = None  # of "values": the object's name
    missing: str | None = None  # what the function returns when the answer does not say: "NULL", "-1", "0"; None: it always says


@dataclass(frozen=True)
class Value:
    """A type that is only read: what a call answers, or a part of it."""
    name: str  # "dreamapi_customer"
    doc: str
    accessors: tuple[Accessor, ...]
    free: Function | None  # None: part of another value
    result: Function | None

    @property
    def parts(self) -> set[str]:
        """The values that it is made of."""
        return {accessor.value_type for accessor in self.accessors if accessor.value_type}


@dataclass(frozen=True)
class Argument:
    """One argument of a call, as a method of any language has to place it. kind: "text", "optional text", "params" (of `struct`), "events"
    (a list of usage events) or "count" (how many events)."""
    name: str
    kind: str
    struct: Struct | None = None


@dataclass(frozen=True)
class Call:
    """A request: a blocking function and its twin that starts it."""
    name: str  # "customer_create"
    function: Function
    start: Function
    arguments: tuple[Param, ...]  # between the client and the call options
    params: str | None  # the struct among them, if there is one: "dreamapi_customer_params"
    answer: str  # "dreamapi_customer"
    result: Function  # takes the answer out of a finished call


@dataclass
class Api:
    constants: list[Constant] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)
    handles: list[Handle] = field(default_factory=list)
    structs: list[Struct] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    order: list[Enum | Handle | Struct | Callback | Function] = field(default_factory=list)

    def function(self, name: str) -> Function | None:
        return next((function for function in self.functions if function.name == name), None)

    def values(self) -> list[Value]:
        """Parts before what is made of them: no language has to announce a type before it is there."""
        left = [value for value in map(self._value, self.handles) if value is not None]
        found: list[Value] = []
        while left:
            known = {value.name for value in found}
            ready = next((value for value in left if value.parts <= known), None)
            if ready is None:
                raise Unclear(f"{', '.join(value.name for value in left)}: made of each other, or of something that is no value")
            found.append(ready)
            left.remove(ready)
        return found

    def arguments(self, call: Call) -> list[Argument]:
        """What a call is given besides its client and the call options."""
        return [self._argument(call, param) for param in call.arguments]

    def _argument(self, call: Call, param: Param) -> Argument:
        if param.type == "const char *":
            return Argument(param.name, "optional text" if call.name in BY_TOKEN else "text")
        if param.type.endswith("_params *"):
            return Argument(param.name, "params", next(struct for struct in self.structs if param.type == f"const {struct.name} *"))
        if param.type == "const dreamapi_usage_event *" or (param.type, param.name) == ("size_t", "count"):
            return Argument(param.name, param.name)
        raise Unclear(f"{call.name}: {param.type} {param.name} is an argument in a form of its own")

    def calls(self) -> list[Call]:
        found = []
        for function in self.functions:
            start = self.function(function.name + "_start")
            if start is None:
                continue
            inputs = function.params[1:next(i for i, p in enumerate(function.params) if p.type == "const dreamapi_call_options *")]
            structs = [p.type.removeprefix("const ").removesuffix(" *") for p in inputs if p.type.endswith("_params *")]
            answer = function.params[-2].type.removesuffix(" **")
            result = self.function(answer + "_result")
            if result is None:
                raise Unclear(f"{function.name}: nothing takes a {answer} out of a finished call")
            found.append(Call(function.name.removeprefix("dreamapi_"), function, start, inputs, structs[0] if structs else None, answer, result))
        return found

    def _value(self, handle: Handle) -> Value | None:
        if handle.name in ACTORS:
            return None
        of_const = f"const {handle.name} *"
        readers = [f for f in self.functions if f.params and f.params[0].type == of_const and f.returns not in ("void", "dreamapi_status")]
        free = self.function(f"{handle.name}_free")
        if not readers or (free is None and not any(f.returns == of_const for f in self.functions)):
            return None
        by_name = {reader.name: reader for reader in readers}
        accessors = [accessor for reader in readers if (accessor := self._accessor(handle, reader, by_name))]
        return Value(handle.name, handle.doc, tuple(accessors), free, self.function(f"{handle.name}_result"))

    def _accessor(self, handle: Handle, reader: Function, by_name: dict[str, Function]) -> Accessor | None:
        short = reader.name.removeprefix(handle.name + "_")
        if len(reader.params) == 1:
            if reader.returns == "size_t":
                base = reader.name.removesuffix("count")
                if not (base + "at" in by_name or base.rstrip("_") in by_name):
                    raise Unclear(f"{reader.name}: no function gives the parts that it counts")
                return None
            kind = {"const char *": "text", "int64_t": "integer", "int": "flag", "double": "number"}.get(reader.returns)
            if kind is None:
                raise Unclear(f"{reader.name} returns {reader.returns}")
            return Accessor(short, kind, reader, missing=missing(kind, reader.doc))
        if len(reader.params) == 2 and reader.params[1].type == "size_t":
            # "tiers_at" is counted by "tiers_count", "customer_at" by "customer_count", "feature" by "feature_count".
            base = reader.name.removesuffix("_at")
            count = by_name.get(base + "_count")
            if count is None:
                raise Unclear(f"{reader.name}: nothing counts them")
            name = short.removesuffix("at").rstrip("_") or "items"
            name = name if name.endswith("s") else name + "s"
            if reader.returns == "const char *":
                return Accessor(name, "texts", reader, count)
            return Accessor(name, "values", reader, count, reader.returns.removeprefix("const ").removesuffix(" *"))
        if len(reader.params) == 2 and reader.params[1].type == "const char *":
            return Accessor(short, "lookup", reader)
        raise Unclear(f"{reader.name}: an accessor in a form of its own")


def missing(kind: str, doc: str) -> str | None:
    """The headers say it in the same words everywhere."""
    if kind == "text":
        return None if "never null" in doc.lower() else "NULL"
    said = re.search(r"(-1|\b0) when (?:the answer does not say|there is no|not known)", doc)
    return said[1] if said and kind == "integer" else None


def without_null_objects(doc: str) -> str:
    """A header's words without what they say of a NULL object, which no other language has."""
    for phrase in (" Never NULL but for a NULL object.", " Never NULL or empty.", " Never NULL.", "; never NULL but for a NULL object",
                   ", never NULL but for a NULL object", "; 0 for NULL", " 0 for NULL.", "; NULL for NULL", ", and for NULL"):
        doc = doc.replace(phrase, "")
    return doc


def join(type_: str, name: str) -> str:
    return type_ + name if type_.endswith("*") else f"{type_} {name}"


def clean_doc(text: str) -> str:
    lines = [line.strip().removeprefix("*").strip() for line in text.split("\n")]
    return re.sub(r"\s+", " ", " ".join(lines)).strip()


def normal_type(text: str) -> str:
    text = re.sub(r"\s+", " ", text.replace("*", " * ")).strip()
    return text.replace("* *", "**").replace("* const *", "* const *").strip()


def split_param(text: str) -> Param:
    text = text.strip()
    array = re.fullmatch(r"(.+?)\b(\w+)(\[\w*\])", text)
    if array:
        return Param(normal_type(array[1]) + " *", array[2])
    match = re.fullmatch(r"(.*?[\s*])(\w+)", text)
    if not match:
        raise Unclear(f"parameter '{text}'")
    return Param(normal_type(match[1]), match[2])


def split_params(text: str) -> tuple[Param, ...]:
    text = re.sub(r"\s+", " ", text).strip()
    return () if text in ("", "void") else tuple(split_param(part) for part in text.split(","))


TOKEN = re.compile(
    r"""(?P<doc>/\*\*.*?\*/)|(?P<comment>/\*.*?\*/)|(?P<macro>^\#(?:[^\n\\]|\\\n|\\.)*)|(?P<extern>extern\s"C"\s\{)|(?P<brace>^\})"""
    r"""|(?P<statement>[A-Za-z][^;{]*(?:\{[^}]*\}[^;]*)?;)""", re.S | re.M | re.X)


def read(paths: list[pathlib.Path]) -> Api:
    """Reads the headers in the order in which they include each other."""
    api = Api()
    done: set[str] = set()
    by_name = {path.name: path for path in paths}

    def visit(path: pathlib.Path) -> None:
        if path.name in done:
            return
        done.add(path.name)
        text = path.read_text(encoding="utf-8")
        for included in re.findall(r"#include <dreamapi/(\w+\.h)>", text):
            if included in by_name:
                visit(by_name[included])
        read_header(api, path.stem, text)

    for path in paths:
        visit(path)
    return api


def read_header(api: Api, topic: str, text: str) -> None:
    doc, position = "", 0
    while position < len(text):
        space = re.compile(r"\s+").match(text, position)
        if space:
            position = space.end()
            continue
        token = TOKEN.match(text, position)
        if not token:
            raise Unclear(f"{topic}.h: {text[position:position + 80]!r}")
        position = token.end()
        if token.lastgroup == "doc":
            doc = "" if "@file" in token["doc"] else clean_doc(token["doc"][3:-2])
        elif token.lastgroup == "macro":
            read_macro(api, token["macro"], doc)
            doc = ""
        elif token.lastgroup == "statement":
            read_statement(api, topic, token["statement"], doc)
            doc = ""


def read_macro(api: Api, text: str, doc: str) -> None:
    match = re.match(r"#\s*define\s+(DREAMAPI_\w+)[ \t]+([^\\{]+)$", text.strip())
    if match and match[1] != "DREAMAPI_API":
        api.constants.append(Constant(match[1], match[2].strip(), doc))


def read_statement(api: Api, topic: str, text: str, doc: str) -> None:
    kinds = ((r"DREAMAPI_API\s+(?P<returns>[\w\s*]+?[\s*])(?P<name>dreamapi_\w+)\s*\((?P<params>[^()]*)\);", read_function),
             (r"typedef enum (?P<name>\w+) \{(?P<body>.*)\} \w+;", read_enum),
             (r"typedef struct (?P<name>\w+) \{(?P<body>.*)\} \w+;", read_struct),
             (r"typedef struct (?P<name>\w+) \w+;", read_handle),
             (r"typedef (?P<returns>[\w\s*]+?)\(\*(?P<name>\w+)\)\((?P<params>.*)\);", read_callback))
    for pattern, reader in kinds:
        match = re.fullmatch(pattern, text.strip(), re.S)
        if match:
            item = reader(topic, match, doc)
            {Function: api.functions, Enum: api.enums, Struct: api.structs, Handle: api.handles, Callback: api.callbacks}[type(item)].append(item)
            api.order.append(item)
            return
    raise Unclear(f"{topic}.h: {text[:100]!r}")


def read_function(topic: str, match: re.Match[str], doc: str) -> Function:
    return Function(match["name"], normal_type(match["returns"]), split_params(match["params"]), doc, topic)


def read_handle(_topic: str, match: re.Match[str], doc: str) -> Handle:
    return Handle(match["name"], doc)


def read_callback(_topic: str, match: re.Match[str], doc: str) -> Callback:
    declaration = re.sub(r"\s+", " ", match[0])
    return Callback(match["name"], normal_type(match["returns"]), split_params(match["params"]), doc, declaration)


def parts(body: str, separator: str) -> list[tuple[str, str]]:
    """The members of a struct (separator ";") or of an enum (",") with the comment before each."""
    found, doc = [], ""
    for piece in re.split(r"(/\*\*.*?\*/)", body, flags=re.S):
        if piece.startswith("/**"):
            doc = clean_doc(piece[3:-2])
            continue
        for item in filter(None, (re.sub(r"\s+", " ", text).strip() for text in piece.split(separator))):
            found.append((item, doc))
            doc = ""
    return found


def read_enum(topic: str, match: re.Match[str], doc: str) -> Enum:
    members = []
    for item, its_doc in parts(match["body"], ","):
        member = re.fullmatch(r"(DREAMAPI_\w+) = (-?\d+)", item)
        if not member:
            raise Unclear(f"{topic}.h: member '{item}' of {match['name']}: each needs its number")
        members.append(EnumMember(member[1], int(member[2]), its_doc))
    return Enum(match["name"], tuple(members), doc)


def read_struct(topic: str, match: re.Match[str], doc: str) -> Struct:
    fields = []
    for item, its_doc in parts(match["body"], ";"):
        function = re.fullmatch(r"(.+?)\(\*(\w+)\)\((.*)\)", item)
        array = re.fullmatch(r"(.+?)\b(\w+)(\[\d+\])", item)
        if function:
            fields.append(Field("function", function[2], item + ";", its_doc))
        elif array:
            fields.append(Field(normal_type(array[1]) + array[3], array[2], item + ";", its_doc))
        else:
            param = split_param(item)
            fields.append(Field(param.type, param.name, item + ";", its_doc))
    return Struct(match["name"], tuple(fields), doc)


def cdef(api: Api) -> str:
    """What cffi's cdef() takes: the declarations without comments, attributes and macros that are no numbers."""
    lines = ["/* Made by bindings/generate.py from the headers in include/. */"]
    lines += [f"#define {constant.name} ..." for constant in api.constants if not constant.value.startswith('"')]
    for item in api.order:
        if isinstance(item, Enum):
            lines.append("typedef enum { " + ", ".join(f"{member.name} = {member.value}" for member in item.members) + f" }} {item.name};")
        elif isinstance(item, Handle):
            lines.append(f"typedef struct {item.name} {item.name};")
        elif isinstance(item, Struct):
            lines.append(f"typedef struct {item.name} {{ " + " ".join(part.declaration for part in item.fields) + f" }} {item.name};")
        else:
            lines.append(item.declaration)
    return "\n".join(lines) + "\n"


def main() -> int:
    api = read([pathlib.Path(name) for name in sys.argv[1:]])
    for value in api.values():
        print(value.name, "" if value.free else "(part)")
        for accessor in value.accessors:
            print("   ", accessor.name, accessor.kind, accessor.value_type or "")
    for call in api.calls():
        print(call.name, [f"{join(argument.type, argument.name)}" for argument in call.arguments], "->", call.answer)
    print(f"{len(api.functions)} functions, {len(api.structs)} structs, {len(api.enums)} enums, {len(api.handles)} handles, "
          f"{len(api.constants)} constants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
