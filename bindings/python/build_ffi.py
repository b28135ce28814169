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

# A use in one call out of Python, which costs less than making room for the answer first. The plan's name is copied, as a decision
# outlives its client. One unit, by far the most uses, has a function with one argument: cffi calls those fastest.
USE_DECLARATIONS = """
typedef struct dreamapi_py_answer { dreamapi_decision decision; dreamapi_status status; char plan[256]; } dreamapi_py_answer;
dreamapi_py_answer dreamapi_py_use(dreamapi_meter *meter, int64_t units);
dreamapi_py_answer dreamapi_py_use_one(dreamapi_meter *meter);
dreamapi_py_answer dreamapi_py_check(dreamapi_meter *meter, int64_t units);
dreamapi_py_answer dreamapi_py_client_use(dreamapi_client *client, const char *user_id, const char *meter, int64_t units);
dreamapi_py_answer dreamapi_py_reserve(dreamapi_meter *meter, int64_t units, int64_t hold_ms, dreamapi_reservation *reservation);
dreamapi_py_answer dreamapi_py_commit(dreamapi_meter *meter, dreamapi_reservation *reservation, int64_t units);
"""
# What _base.py defines: log lines, from the client's thread. C knows that a thread is in there, which Python code could tell only after it had begun.
LOG_DECLARATIONS = """
extern "Python" void dreamapi_py_log(void *, dreamapi_log_level, const char *);
void dreamapi_py_log_line(void *user_data, dreamapi_log_level level, const char *message);
int dreamapi_py_is_in_log(void);
"""
USE_SOURCE = r"""
#include <dreamapi.h>
#include <dreamapi/testing.h>
#include <string.h>

typedef struct dreamapi_py_answer { dreamapi_decision decision; dreamapi_status status; char plan[256]; } dreamapi_py_answer;

/* Bytes after the name are never read, so they stay as they are. */
static inline void keep_plan(dreamapi_py_answer *answer)
{
    size_t size = strnlen(answer->decision.plan, sizeof(answer->plan) - 1);

    memcpy(answer->plan, answer->decision.plan, size);
    answer->plan[size] = '\0';
    answer->decision.plan = NULL;
}

#define ANSWER(call)                                                                                                   \
    do {                                                                                                               \
        dreamapi_py_answer answer;                                                                                     \
        answer.status = call;                                                                                          \
        keep_plan(&answer);                                                                                            \
        return answer;                                                                                                 \
    } while (0)

static dreamapi_py_answer dreamapi_py_use(dreamapi_meter *meter, int64_t units)
{
    ANSWER(dreamapi_meter_use(meter, units, &answer.decision));
}

static dreamapi_py_answer dreamapi_py_use_one(dreamapi_meter *meter)
{
    ANSWER(dreamapi_meter_use(meter, 1, &answer.decision));
}

static dreamapi_py_answer dreamapi_py_check(dreamapi_meter *meter, int64_t units)
{
    ANSWER(dreamapi_meter_check(meter, units, &answer.decision));
}

static dreamapi_py_answer dreamapi_py_client_use(dreamapi_client *client, const char *user_id, const char *meter, int64_t units)
{
    ANSWER(dreamapi_client_use(client, user_id, meter, units, &answer.decision));
}

static dreamapi_py_answer dreamapi_py_reserve(dreamapi_meter *meter, int64_t units, int64_t hold_ms, dreamapi_reservation *reservation)
{
    ANSWER(dreamapi_meter_reserve(meter, units, hold_ms, reservation, &answer.decision));
}

static dreamapi_py_answer dreamapi_py_commit(dreamapi_meter *meter, dreamapi_reservation *reservation, int64_t units)
{
    ANSWER(dreamapi_meter_commit(meter, reservation, units, &answer.decision));
}
"""

LOG_SOURCE = r"""
static void dreamapi_py_log(void *user_data, dreamapi_log_level level, const char *message);
static _Thread_local int in_log;

static void dreamapi_py_log_line(void *user_data, dreamapi_log_level level, const char *message)
{
    in_log++;
    dreamapi_py_log(user_data, level, message);
    in_log--;
}

static int dreamapi_py_is_in_log(void)
{
    return in_log > 0;
}
"""

ffi = FFI()
ffi.cdef(CDEF + USE_DECLARATIONS + LOG_DECLARATIONS)
ffi.cdef("".join(f"{name} {name}_init(void);\n" for name in DEFAULTS))
ffi.set_source("dreamapi._ffi", USE_SOURCE + LOG_SOURCE
               + "".join(f"static {name} {name}_init(void)\n{{\n    {name} params = {name.upper()}_INIT;\n    return params;\n}}\n" for name in DEFAULTS),
               extra_compile_args=pkg_config("--cflags"), extra_link_args=pkg_config("--libs"))

if __name__ == "__main__":
    ffi.compile(verbose=True)
