# SPDX-License-Identifier: Apache-2.0
"""Compiles dreamapi._ffi against the installed library, which pkg-config finds. The declarations are _cdef.h, made from the headers; the
compiler checks them against the headers that are installed."""
import pathlib
import subprocess

from cffi import FFI

HERE = pathlib.Path(__file__).resolve().parent


def pkg_config(*words: str) -> list[str]:
    try:
        return subprocess.run(["pkg-config", *words, "dreamapi"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as problem:
        raise SystemExit("dreamapi: pkg-config does not find libdreamapi. Install it first, and name its folder in PKG_CONFIG_PATH, as in "
                         "PKG_CONFIG_PATH=/usr/local/lib/pkgconfig pip install ./bindings/python") from problem


ffi = FFI()
ffi.cdef((HERE / "src" / "dreamapi" / "_cdef.h").read_text(encoding="utf-8"))
ffi.set_source("dreamapi._ffi", "#include <dreamapi.h>\n#include <dreamapi/testing.h>\n",
               extra_compile_args=pkg_config("--cflags"), extra_link_args=pkg_config("--libs"))

if __name__ == "__main__":
    ffi.compile(verbose=True)
