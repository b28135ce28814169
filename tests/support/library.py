# SPDX-License-Identifier: Apache-2.0
"""The built libdreamapi through ctypes, for the tests that compare the documents with what the library does. Only what those
tests call is declared; the struct layouts are those of error.h, call.h and testing.h."""

import ctypes
import os
import pathlib
import re

import daemon

INCLUDE = daemon.ROOT / "include" / "dreamapi"
NEVER = 2**63 - 1
WALL_MS = 1_700_000_000_000


class Error(ctypes.Structure):
    """dreamapi_error."""
    _fields_ = [("status", ctypes.c_int), ("http_status", ctypes.c_int), ("retriable", ctypes.c_int), ("local", ctypes.c_int),
                ("retry_after_ms", ctypes.c_int64), ("used", ctypes.c_int64), ("limit", ctypes.c_int64),
                ("request_id", ctypes.c_char * 64), ("server_error", ctypes.c_char * 256), ("message", ctypes.c_char * 256),
                ("reserved", ctypes.c_ubyte * 64)]

    @property
    def text(self):
        return self.message.decode()


class CallOptions(ctypes.Structure):
    """dreamapi_call_options."""
    _fields_ = [("struct_size", ctypes.c_size_t), ("timeout_ms", ctypes.c_int64), ("idempotency_key", ctypes.c_char_p),
                ("user_token", ctypes.c_char_p)]


class CustomerParams(ctypes.Structure):
    """dreamapi_customer_params."""
    _fields_ = [("struct_size", ctypes.c_size_t)] + [(name, ctypes.c_char_p)
                                                     for name in ("email", "first_name", "last_name", "plan", "password")]


class Answer(ctypes.Structure):
    """dreamapi_test_answer."""
    _fields_ = [("struct_size", ctypes.c_size_t), ("method", ctypes.c_char_p), ("path", ctypes.c_char_p), ("times", ctypes.c_int),
                ("http_status", ctypes.c_int), ("headers", ctypes.POINTER(ctypes.c_char_p)), ("body", ctypes.c_char_p),
                ("delay_ms", ctypes.c_int64), ("failure", ctypes.c_int), ("maybe_sent", ctypes.c_int)]


RESULTS = {
    ctypes.c_void_p: "options_new call_user_data test_clock_new test_transport_new test_transport_request client_next",
    ctypes.c_char_p: "status_name status_text version call_json test_request_method test_request_url test_request_header",
    ctypes.c_int64: "test_clock_monotonic_ms test_request_at_ms client_timeout_ms",
    ctypes.c_size_t: "test_transport_count_path test_transport_request_count",
    None: "options_free client_free call_free call_cancel test_clock_free test_transport_free",
}


def load():
    """The library; a call is lib("usage_get", arguments...). Pointers come back as int or None. The environment of the person
    who runs the tests does not count."""
    for name in ("DREAMAPI_BASE_URL", "DREAMAPI_SECRET_KEY", "DREAMAPI_PUBLISHABLE_KEY"):
        os.environ.pop(name, None)
    lib = ctypes.CDLL(str(daemon.build_dir() / "src/lib/libdreamapi.so.0"))
    for result, names in RESULTS.items():
        for name in names.split():
            getattr(lib, "dreamapi_" + name).restype = result

    def call(name, *arguments):
        return getattr(lib, "dreamapi_" + name)(*[_argument(value) for value in arguments])
    return call


def _argument(value):
    if isinstance(value, str):
        return value.encode()
    # A bare int would be passed as a C int: pointers and times are 64 bits wide. Callee-side narrowing is harmless.
    return ctypes.c_int64(value) if isinstance(value, int) else value


class Client:
    """A client of this process; `settings` are the setters' names with their values. `status` and `error` are the last call's."""

    def __init__(self, lib, clock=None, transport=None, **settings):
        self.lib, self.error, self.handle = lib, Error(), ctypes.c_void_p()
        options = lib("options_new")
        for name, value in settings.items():
            given = (value, None) if name == "random" else (value,)
            assert lib("options_set_" + name, options, *given) == 0, (name, value)
        if clock:
            lib("test_clock_install", clock, options)
        if transport:
            lib("test_transport_install", transport, options)
        self.status = lib("client_new", options, ctypes.byref(self.handle), ctypes.byref(self.error))
        lib("options_free", options)

    def call(self, name, *arguments, options=None):
        """A blocking call whose object nobody wants; its status."""
        self.status = self.lib(name, self.handle, *arguments, ctypes.byref(options) if options else None, None,
                               ctypes.byref(self.error))
        return self.status

    def start(self, name, *arguments, options=None):
        """The call that was begun. Free it with lib("call_free", ...)."""
        begun = ctypes.c_void_p()
        status = self.lib(name + "_start", self.handle, *arguments, ctypes.byref(options) if options else None,
                          ctypes.byref(begun), ctypes.byref(self.error))
        assert status == 0, self.error.text
        return begun

    def close(self):
        self.lib("client_free", self.handle)
        self.handle = ctypes.c_void_p()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


RandomFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_size_t)
RANDOM = 0x31313131


@RandomFunction
def _same_random(_, out, size):
    for i in range(size):
        out[i] = RANDOM & 0xFF
    return 0


class Script:
    """A scripted transport with a virtual clock, and randomness that is always RANDOM. The server announces `extensions`."""

    def __init__(self, lib, extensions=("idempotency", "server-side")):
        self.lib = lib
        self.transport = lib("test_transport_new")
        self.clock = lib("test_clock_new", WALL_MS)
        listed = ",".join(f'"{name}"' for name in extensions)
        self.add(path="/health", times=-1, body=f'{{"status":"ok","extensions":[{listed}]}}')

    def add(self, path=None, times=1, http_status=200, headers=(), body=None, delay_ms=0, failure=0, maybe_sent=1):
        lines = (ctypes.c_char_p * (len(headers) + 1))(*[line.encode() for line in headers], None)
        answer = Answer(ctypes.sizeof(Answer), None, path.encode() if path else None, times, http_status, lines,
                        body.encode() if body is not None else None, delay_ms, failure, maybe_sent)
        assert self.lib("test_transport_add", self.transport, ctypes.byref(answer)) == 0

    def client(self, **settings):
        return Client(self.lib, self.clock, self.transport, random=_same_random,
                      **{"base_url": "https://service.example", "secret_key": "sk_test_1", **settings})

    def now_ms(self):
        return self.lib("test_clock_monotonic_ms", self.clock)

    def times_ms(self, path):
        """When each request whose URL ends with this was made."""
        every = [self.lib("test_transport_request", self.transport, i)
                 for i in range(self.lib("test_transport_request_count", self.transport))]
        return [self.lib("test_request_at_ms", ctypes.c_void_p(one)) for one in every
                if self.lib("test_request_url", ctypes.c_void_p(one)).decode().endswith(path)]

    def count(self, path):
        return self.lib("test_transport_count_path", self.transport, path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lib("test_transport_free", self.transport)
        self.lib("test_clock_free", self.clock)


def enum(header, name):
    """An enum of a public header: {constant: value}, in the header's order."""
    text = re.sub(r"/\*.*?\*/", "", pathlib.Path(INCLUDE / header).read_text(encoding="utf-8"), flags=re.DOTALL)
    body = re.search(rf"typedef enum {name} \{{(.*?)\}} {name};", text, re.DOTALL).group(1)
    return {constant: int(value) for constant, value in re.findall(r"(\w+)\s*=\s*(\d+)", body)}


def customer_params(email=None, plan=None):
    return ctypes.byref(CustomerParams(ctypes.sizeof(CustomerParams), email.encode() if email else None, None, None,
                                       plan.encode() if plan else None, None))


def call_options(timeout_ms=0, key=None, token=None):
    return CallOptions(ctypes.sizeof(CallOptions), timeout_ms, key.encode() if key else None, token.encode() if token else None)
