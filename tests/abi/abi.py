#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a compiled program relies on in libdreamapi, kept in dumps of libabigail's, one a release, and compared with what is there now.

  abi.py check               the headers, and that a change would be found; prints TAP
  abi.py library LIBRARY     a library that was built with debugging information; prints TAP
  abi.py refresh [--break]   writes the dump of the present version; a change that breaks programs only with --break

A dump is not made from the library but from one of empty functions, which the headers alone describe: it is the same whatever compiler made
it, however the sources are arranged, and takes a second. The library itself is compared with it. abidiff says whether anything is different; whether
programs would break by it is decided here, as docs/abi.md has it: abidiff takes two fields of one type that changed places for a renaming.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.dont_write_bytecode = True
sys.path.insert(0, str(TOP / "src" / "lib"))
import export_map  # noqa: E402 - found by the path above

DUMP_FLAGS = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs", "--no-architecture", "--no-elf-needed", "--no-parameter-names",
              "--no-write-default-sizes", "--drop-private-types", "--drop-undefined-syms", "--type-id-style", "hash"]
DECLARATION = re.compile(r"^DREAMAPI_API\s+([^;]*);", re.MULTILINE)


def setting(file, pattern):
    return re.search(pattern, (TOP / file).read_text(encoding="utf-8"), re.MULTILINE)[1]


VERSION = setting("meson.build", r"^  version: '([^']+)'")
SONAME = "libdreamapi.so." + setting("src/lib/meson.build", r"^dreamapi_soversion = '([^']+)'")
PRESENT = HERE / f"libdreamapi-{VERSION}.abi"


# ---- making a dump ----

def topic_headers(include):
    return sorted(pathlib.Path(include, "dreamapi").glob("*.h"))


def compile_headers(include, folder):
    """A library that has every function of the headers and does nothing."""
    headers = topic_headers(include)
    lines = [f"#include <dreamapi/{header.name}>" for header in headers]
    for header in headers:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
        lines += [declaration + "\n{\n    __builtin_trap();\n}" for declaration in DECLARATION.findall(text)]
    (folder / "headers.c").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "headers.map").write_text(export_map.version_script(export_map.declared(headers)), encoding="utf-8")
    subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-g", "-O0", "-fPIC", "-shared", "-fvisibility=hidden", "-I", str(include),
                    "-Wl,--version-script=headers.map", f"-Wl,-soname,{SONAME}", "headers.c", "-o", "headers.so"], cwd=folder, check=True)
    return folder / "headers.so"


def dump_library(library, include, target):
    """Types that only our sources know are left out: to a program they are opaque."""
    subprocess.run(["abidw", "--headers-dir", str(include), *DUMP_FLAGS, "--out-file", str(target), str(library)], check=True)
    return target


def dump_headers(include, folder):
    return dump_library(compile_headers(include, folder), include, folder / "headers.abi")


# ---- comparing two ----

def report(old, new, *flags):
    """What abidiff finds, be it harmless; "" when nothing."""
    run = subprocess.run(["abidiff", "--harmless", *flags, str(old), str(new)], capture_output=True, text=True, check=False)
    return "" if run.returncode == 0 else run.stdout + run.stderr


class Dump:
    """The functions, structs, enumerations and named types of a dump, by name."""

    def __init__(self, path):
        self.root = ElementTree.parse(path).getroot()
        self.types = {node.get("id"): node for node in self.root.iter() if node.get("id")}
        self.symbols = {node.get("name") for node in self.root.iter("elf-symbol")}
        self.functions = {node.get("name"): self.signature(node) for node in self.root.iter("function-decl") if node.get("elf-symbol-id")}
        self.named = {node.get("name"): self.describe(node.get("type-id")) for node in self.root.iter("typedef-decl")
                      if node.get("name").startswith("dreamapi_")}
        self.enums = {node.get("name"): {item.get("name"): int(item.get("value")) for item in node.iter("enumerator")}
                      for node in self.root.iter("enum-decl")}
        self.structs = {node.get("name"): self.fields(node) for node in self.root.iter("class-decl") if node.get("size-in-bits")}
        self.sizes = {node.get("name"): int(node.get("size-in-bits")) for node in self.root.iter("class-decl") if node.get("size-in-bits")}

    def fields(self, node):
        found = {}
        for member in node.iter("data-member"):
            variable = member.find("var-decl")
            found[variable.get("name")] = (int(member.get("layout-offset-in-bits")), self.describe(variable.get("type-id")))
        return found

    def signature(self, node):
        given = ", ".join("..." if item.get("is-variadic") else self.describe(item.get("type-id")) for item in node.findall("parameter"))
        return f"{self.describe(node.find('return').get('type-id'))} ({given})"

    def describe(self, type_id):
        """Ends at whatever has a name: that is compared by itself."""
        node = self.types[type_id]
        inner = node.get("type-id")
        if node.tag == "pointer-type-def":
            return self.describe(inner) + " *"
        if node.tag == "qualified-type-def":
            return self.describe(inner) + " const"
        if node.tag == "array-type-def":
            return f"{self.describe(inner)} [{node.get('size-in-bits')} bits]"
        if node.tag == "function-type":
            return self.signature(node)
        if node.tag == "type-decl":
            return f"{node.get('name')} of {node.get('size-in-bits')} bits"
        return f"{node.tag.partition('-')[0]} {node.get('name')}"


def is_sized(fields):
    return fields.get("struct_size", (None,))[0] == 0


def struct_breaks(name, old, new):
    if name not in new.structs:
        return [f"struct {name} is gone"]
    before, after, found = old.structs[name], new.structs[name], []
    has_grown, is_same_size = new.sizes[name] > old.sizes[name], new.sizes[name] == old.sizes[name]
    if not is_same_size and not (has_grown and is_sized(before)):
        found.append(f"struct {name} had {old.sizes[name]} bits, has {new.sizes[name]}")
    for field, place in before.items():
        # Kept to be given away.
        if field != "reserved" and after.get(field) != place:
            found.append(f"struct {name}: {field} was {place}, is {after.get(field)}")
    return found


def breaks(old, new):
    """What a program that was compiled by `old` would not survive with `new`."""
    found = [f"{name} is gone" for name in sorted(old.symbols - new.symbols)]
    # An optimized library's debugging information does not describe each function.
    found += [f"{name} was {was}, is {new.functions[name]}" for name, was in old.functions.items() if new.functions.get(name, was) != was]
    found += [f"{name} was {was}, is {new.named.get(name, 'gone')}" for name, was in old.named.items() if new.named.get(name) != was]
    for name, items in old.enums.items():
        after = new.enums.get(name, {})
        found += [f"enum {name}: {item} was {value}, is {after.get(item)}" for item, value in items.items() if after.get(item) != value]
    for name in old.structs:
        found += struct_breaks(name, old, new)
    return found


def kept_dumps():
    """Those of this soname: what every library that has it must be compatible with."""
    return [path for path in sorted(HERE.glob("libdreamapi-*.abi")) if ElementTree.parse(path).getroot().get("soname") == SONAME]


# ---- the tests ----

# A change that must be found, as (header, text, instead), and what must be said of it.
BREAKING = [
    ("version.h", "DREAMAPI_API int dreamapi_version_number(void);", "", "dreamapi_version_number is gone"),
    ("meter.h", "dreamapi_meter_use(dreamapi_meter *meter, int64_t units,", "dreamapi_meter_use(dreamapi_meter *meter, int32_t units,",
     "dreamapi_meter_use was"),
    ("usage.h", "DREAMAPI_API int64_t dreamapi_usage_count(", "DREAMAPI_API int dreamapi_usage_count(", "dreamapi_usage_count was"),
    ("options.h", "typedef int (*dreamapi_random_function)", "typedef void (*dreamapi_random_function)", "dreamapi_random_function was"),
    ("customer.h", "    const char *email;\n    /** Any", "    const char *odd;\n    const char *email;\n    /** Any",
     "struct dreamapi_customer_params: email was"),
    ("call.h", "const char *traceparent;", "int traceparent;", "struct dreamapi_call_options: traceparent was"),
    ("tier_check.h", "    const char *min_plan;", "    const char *max_plan;", "struct dreamapi_tier_check_params: min_plan was"),
    ("error.h", "unsigned char reserved[64];", "unsigned char reserved[128];", "struct dreamapi_error had"),
    ("error.h", "    int64_t used;", "    uint64_t used;", "struct dreamapi_error: used was"),
    ("cart.h", "    int64_t quantity;", "    int64_t quantity;\n    int64_t odd;", "struct dreamapi_cart_item had"),
    ("transport.h", "    int64_t (*timeout_ms)(void *instance);", "    int (*timeout_ms)(void *instance);", "struct dreamapi_transport: timeout_ms was"),
    ("error.h", "DREAMAPI_NOMEM = 2,", "DREAMAPI_NOMEM = 200,", "enum dreamapi_status: DREAMAPI_NOMEM was"),
    ("error.h", "    DREAMAPI_PENDING = 20,\n", "", "enum dreamapi_status: DREAMAPI_PENDING was"),
]
# Those that break nothing, but make the dump old; what abidiff must mention.
ADDING = [
    ("version.h", "DREAMAPI_API int dreamapi_version_number(void);",
     "DREAMAPI_API int dreamapi_version_number(void);\nDREAMAPI_API int dreamapi_odd(void);", "dreamapi_odd"),
    ("error.h", "DREAMAPI_JOURNAL = 21", "DREAMAPI_JOURNAL = 21, DREAMAPI_ODD = 99", "DREAMAPI_ODD"),
    ("meter.h", "    int64_t cached_units;", "    int64_t cached_units;\n    int64_t odd_units;", "odd_units"),
    ("tier_check.h", "    int64_t reserved[4];", "    int64_t odd_ms;\n    int64_t reserved[3];", "odd_ms"),
]


def mutant(changes, folder):
    """The dump of the headers with all these changes, but for those whose text is not there: they will not be found."""
    shutil.copytree(TOP / "include", folder / "include")
    for name, text, instead, _ in changes:
        path = folder / "include" / "dreamapi" / name
        path.write_text(path.read_text(encoding="utf-8").replace(text, instead, 1), encoding="utf-8")
    return dump_headers(folder / "include", folder)


def compared(new):
    """The cases that both the headers and a library have to pass."""
    now, results = Dump(new), []
    wanted = set(export_map.declared(topic_headers(TOP / "include")))
    missing = wanted ^ now.symbols
    results.append((not missing, "every function of the headers is there, and no other", " ".join(sorted(missing))))
    results.append((len(now.functions) > len(wanted) * 9 // 10, "their types were found", f"of {len(now.functions)}"))
    results.append((PRESENT in kept_dumps(), f"there is a dump of {VERSION}: ./dev abi makes it", ""))
    for path in kept_dumps():
        found = breaks(Dump(path), now)
        results.append((not found, f"programs compiled by {path.stem} go on working (docs/abi.md)", "\n".join(found)))
    return results


def check_library(library, folder):
    """abidiff has to see where each type comes from to tell ours from the public ones, so it gets no dump but the headers, compiled."""
    include = TOP / "include"
    found = report(compile_headers(include, folder), library, "--headers-dir1", str(include), "--headers-dir2", str(include))
    return [*compared(dump_library(library, include, folder / "library.abi")), (not found, "abidiff finds the library to be what the headers say", found)]


def check(folder):
    new = dump_headers(TOP / "include", folder)
    results = compared(new)
    found = report(PRESENT, new) if PRESENT.exists() else ""
    results.append((not found, "the dump is up to date: ./dev abi refreshes it after an addition", found))
    text = PRESENT.read_text(encoding="utf-8") if PRESENT.exists() else ""
    results.append((str(TOP) not in text and "='/" not in text, "the dump names no place on a machine", ""))
    for name, changes in (("breaking", BREAKING), ("adding to", ADDING)):
        place = folder / name.split()[0]
        place.mkdir()
        other = mutant(changes, place)
        said = breaks(Dump(new), Dump(other)) if changes is BREAKING else report(new, other).splitlines()
        for header, text, _, word in changes:
            problem = f"of {text!r} in {header}, if that is there; else take another line for this case. Found:\n" + "\n".join(said[:50])
            results.append((any(word in line for line in said), f"found when {name} {header}: {word}", problem))
    results.append((bool(report(new, folder / "breaking" / "headers.abi")), "abidiff finds breaking changes", ""))
    found = breaks(Dump(new), Dump(folder / "adding" / "headers.abi"))
    results.append((not found, "an addition breaks nothing", "\n".join(found)))
    return results


def print_tap(results):
    print(f"1..{len(results)}")
    for number, (is_good, name, output) in enumerate(results, 1):
        print("%s %d - %s" % ("ok" if is_good else "not ok", number, name))
        if not is_good:
            print("\n".join("# " + line for line in output.splitlines()))
    return 0 if all(is_good for is_good, _, _ in results) else 1


def refresh(folder, may_break):
    new = dump_headers(TOP / "include", folder)
    now = Dump(new)
    for path in kept_dumps():
        found = breaks(Dump(path), now)
        if found and not (may_break and path == PRESENT):
            print("\n".join([f"This breaks programs compiled by {path.stem}:", *found, "Nothing was written: see docs/abi.md."]), file=sys.stderr)
            return 1
    is_first = not PRESENT.exists()
    found = "" if is_first else report(PRESENT, new)
    if is_first or found:
        shutil.copyfile(new, PRESENT)
    print(found or f"{PRESENT.name} {'is new' if is_first else 'is up to date'}")
    return 0


def main(arguments):
    if shutil.which("abidiff") is None:
        print("Bail out! abidiff and abidw are needed: the package abigail-tools")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments == ["check"]:
            return print_tap(check(folder))
        if len(arguments) == 2 and arguments[0] == "library":
            return print_tap(check_library(arguments[1], folder))
        if arguments in (["refresh"], ["refresh", "--break"]):
            return refresh(folder, len(arguments) == 2)
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
