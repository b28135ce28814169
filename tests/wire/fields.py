# SPDX-License-Identifier: Apache-2.0
"""fields.py OUTPUT: writes a C++ header that hands every field of every value to a visitor, by its name on the wire: so that the runner
compares all of them, those too that a header gets tomorrow."""
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "bindings"))
import cpp  # noqa: E402 - found by the path above
import headers  # noqa: E402


def wire_name(name):
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def visits(value):
    fields = [accessor for accessor in value.accessors if accessor.kind != "lookup"]
    return (f"template <class Visitor> void each_field(const dreamapi::{cpp.short(value.name)}_view &value, Visitor &visit)\n{{\n"
            + "".join(f'    visit("{cpp.short(value.name)}", "{wire_name(field.name)}", value.{cpp.safe(field.name)}());\n' for field in fields) + "}\n")


def main():
    values = headers.read(sorted((TOP / "include" / "dreamapi").glob("*.h"))).values()
    text = "/* Made by tests/wire/fields.py. */\n" + "\n".join(map(visits, values))
    text += "\n/* The fields of no object, once for each value. */\ntemplate <class Visitor> void each_value(Visitor &visit)\n{\n"
    text += "".join(f"    each_field(dreamapi::{cpp.short(value.name)}_view(), visit);\n" for value in values) + "}\n"
    pathlib.Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
