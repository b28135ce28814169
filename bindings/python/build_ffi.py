# SPDX-License-Identifier: Apache-2.0
"""Compiles dreamapi._ffi against the installed library, which pkg-config finds. The declarations are _cdef.h, made from the headers; the
compiler checks them against the headers that are installed."""
import pathlib
import re
import subprocess

from cffi import FFI

HERE = pathlib.Path(__file__).resolve().parent


def pkg_config(*words: str) -> list[str]:
    try:
        return subprocess.run(["pkg-config", *words, "dreamapi"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as problem:
        raise SystemExit("dreamapi: pkg-config does not find libdreamapi. Install it first, and name its folder in PKG_CONFIG_PATH, as in "
                         "PKG_CONFIG_PATH=/usr/local/lib/pkgconfig pip install ./bindings/python") from problem


CDEF = (HERE / "src" / "dreamapi" / "_cdef.h").read_text(encoding="utf-8")
# The defaults of parameters are the headers' macros, which only a compiler can read.
DEFAULTS = re.findall(r"^typedef struct (dreamapi_(?:\w+_params|call_options)) \{ size_t struct_size;", CDEF, re.MULTILINE)

ffi = FFI()
ffi.cdef(CDEF)
ffi.cdef("".join(f"{name} {name}_init(void);\n" for name in DEFAULTS))
ffi.set_source("dreamapi._ffi", "#include <dreamapi.h>\n#include <dreamapi/testing.h>\n"
               + "".join(f"static {name} {name}_init(void)\n{{\n    {name} params = {name.upper()}_INIT;\n    return params;\n}}\n" for name in DEFAULTS),
               extra_compile_args=pkg_config("--cflags"), extra_link_args=pkg_config("--libs"))

if __name__ == "__main__":
    ffi.compile(verbose=True)
