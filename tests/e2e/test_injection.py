# SPDX-License-Identifier: Apache-2.0
"""No text that a program hands to the library can change the request around it. Read from the headers: each text of each call, of its
params and of the call options, and each text option, is tried with line ends, control characters, broken UTF-8 and escapes. A raw server sees the
bytes: whatever arrives is one well-formed request with headers that the library sends, or nothing arrives."""

import ctypes
import json
import re
import socket
import threading

import pytest

import library

pytestmark = pytest.mark.plain

CASES = [b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a\r\n\r\nGET /evil HTTP/1.1\r\nHost: evil\r\n\r\n", b"\r\n", b"a\x1b[2J",
         b"a\x7fb", b"a\tb", b"a\xc2\x85b", b"a\xe2\x80\xa8b", b"a\xffb", b"a\xc0\x8ab", b'a","evil":"1', b"a\\", b"a/../../evil?x=1#f", b"a%0d%0aX-Evil: 1",
         b"a b", b"a&evil=1", b";", b"\xed\xa0\x80"]
HEADERS = {"host", "accept", "user-agent", "authorization", "content-type", "content-length", "idempotency-key", "x-publishable-key", "x-clerk-token",
           "traceparent", "x-request-id", "accept-encoding"}
# What makes a call complete, by the name of its argument or field; any other text is "abc".
GOOD = {"email": b"a@shop.example", "from": b"2026-01-01", "to": b"2026-01-02", "content_type": b"image/png",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", **{name: b"https://shop.example/x" for name in (
            "success_url", "cancel_url", "return_url")}}
# Calls whose texts never leave the process: they may fetch something that depends on none of them.
LOCAL = {"dreamapi_token_verify"}
# Well-formed, of an unknown key: for this one the key set is fetched.
TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA"
NUMBERS = {"units": 1, "quantity": 1, "count": 1, "event_count": 1, "item_count": 1, "size": 1}
TEXT = "const char *"


def declarations():
    """Structs as {name: [(type, field)]} and functions as {name: [(type, argument)]}, of all headers."""
    structs, functions = {}, {}
    for path in sorted(library.INCLUDE.glob("*.h")):
        code = re.sub(r"/\*.*?\*/|//[^\n]*|^#.*?(?<!\\)$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \w+;", code, re.DOTALL):
            structs[name] = [split(line) for line in body.split(";") if line.strip()]
        for name, arguments in re.findall(r"DREAMAPI_API [\w *]+?\b(dreamapi_\w+)\(([^;]*)\);", code):
            functions[name] = [split(line) for line in arguments.split(",")]
    return structs, functions


def split(text):
    found = re.fullmatch(r"\s*((?:const |struct )*\w+(?: \*const)? ?\**)\s*(\w+)(\[\w*\])?\s*", " ".join(text.split()))
    return (found.group(1).strip() + ("[]" if found.group(3) else ""), found.group(2)) if found else (text.strip(), "")


STRUCTS, FUNCTIONS = declarations()


def pointee(kind):
    """The params struct that an argument or field points to; None if it does not."""
    name = kind.removeprefix("const ").removesuffix("*").strip()
    return name if kind.startswith("const ") and kind.endswith("*") and name in STRUCTS else None


CTYPES = {TEXT: ctypes.c_char_p, "size_t": ctypes.c_size_t, "int64_t": ctypes.c_int64, "int": ctypes.c_int, "double": ctypes.c_double,
          "unsigned": ctypes.c_uint, "uint64_t": ctypes.c_uint64}


def ctype(kind):
    return CTYPES.get(kind) or (ctypes.c_void_p if "*" in kind or kind.endswith("_function") else ctypes.c_int)


def default(path, slot):
    """What another text is meanwhile. A user is named by id or by token, never by both; those of events are always named."""
    name = path.split(".")[-1]
    is_token_tried = slot.endswith("user_token") and "events" not in path
    return None if name == "user_token" or (name == "user_id" and is_token_tried) else GOOD.get(name, b"abc")


def make(name, path, slot, value, keep):
    """A filled struct. `slot` is the path of the text that gets `value`."""
    fields = STRUCTS[name]
    made = type(name, (ctypes.Structure,), {"_fields_": [(field, ctype(kind)) for kind, field in fields]})()
    for kind, field in fields:
        here = f"{path}.{field}"
        if field == "struct_size":
            setattr(made, field, ctypes.sizeof(made))
        elif kind == TEXT:
            setattr(made, field, value if here == slot else default(here, slot))
        elif pointee(kind):
            child = make(pointee(kind), here, slot, value, keep)
            setattr(made, field, ctypes.addressof(child))
        elif field in NUMBERS:
            setattr(made, field, NUMBERS[field])
        elif kind.startswith("const void"):
            setattr(made, field, ctypes.cast(ctypes.c_char_p(b"x"), ctypes.c_void_p))
    keep.append(made)
    return made


def texts_of(name, path):
    for kind, field in STRUCTS[name]:
        if kind == TEXT:
            yield f"{path}.{field}"
        elif pointee(kind):
            yield from texts_of(pointee(kind), f"{path}.{field}")


def calls():
    """Every blocking call of a client, with the paths of its texts."""
    for name, arguments in FUNCTIONS.items():
        kinds = [kind for kind, _ in arguments]
        if kinds[0] == "dreamapi_client *" and kinds[-1] == "dreamapi_error *" and f"{name}_start" in FUNCTIONS:
            for kind, argument in arguments:
                if kind == TEXT:
                    yield name, argument
                elif pointee(kind):
                    yield from ((name, slot) for slot in texts_of(pointee(kind), argument))


class Recorder:
    """Takes whatever bytes come, answers each request, and keeps them. One connection after another is enough for one client at a time."""

    def __init__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listening.getsockname()[1]
        self.requests, self.faults, self.is_health_counted = [], [], False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        if data:
                            self.faults.append(data)
                        return
                    data += piece
                head, data = data.split(b"\r\n\r\n", 1)
                length = int((re.search(rb"(?i)\r\ncontent-length: *(\d+)", head) or [0, 0])[1])
                while len(data) < length:
                    data += connection.recv(65536)
                body, data = data[:length], data[length:]
                self._check(head, body)
                answer = b'{"status":"ok","extensions":["idempotency","server-side","customer-list","usage-batch","usage-history"]}'
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))

    def _check(self, head, body):
        lines = head.split(b"\r\n")
        fine = re.fullmatch(rb"(GET|POST|PATCH|DELETE) /([a;][!-~]*/)?(health|api/[!-~]*) HTTP/1\.1", lines[0]) and b"#" not in lines[0] and b"/../" not in lines[0]
        names = [line.split(b":")[0].decode("latin-1").lower() for line in lines[1:]]
        fine = fine and all(re.fullmatch(rb"[A-Za-z-]+: [ -~]*", line) for line in lines[1:]) and set(names) <= HEADERS and len(names) == len(set(names))
        try:
            fine = fine and (not body or b"evil" not in json.dumps(list(json.loads(body))).encode())
        except ValueError:
            fine = False
        if not fine:
            self.faults.append(head + b"\r\n\r\n" + body)
        if b"/health HTTP" not in lines[0] or self.is_health_counted:
            self.requests.append(head + b"\r\n\r\n" + body)


@pytest.fixture(scope="module")
def lib():
    return library.load()


@pytest.fixture(scope="module")
def recorder():
    made = Recorder()
    yield made
    made.listening.close()


@pytest.fixture(scope="module")
def client(lib, recorder):
    with library.Client(lib, base_url=recorder.url, secret_key="sk_live_1", publishable_key="pk_live_1", max_retries=0,
                        jwks_url=recorder.url + "/api/keys") as made:
        yield made


def call(client, name, slot, value):
    """One call with everything in place and `value` in this slot; its status."""
    keep, given = [], []
    for kind, argument in FUNCTIONS[name][1:-1]:
        if kind == TEXT:
            given.append(value if argument == slot else default(argument, slot))
        elif pointee(kind):
            given.append(ctypes.byref(make(pointee(kind), argument, slot, value, keep)))
        elif kind == "size_t":
            given.append(1)
        elif kind.endswith("**") and name in LOCAL:
            given.append(ctypes.byref(ctypes.c_void_p()))  # it must be there; no token of these is good
        else:
            given.append(None)
    return client.lib(name.removeprefix("dreamapi_"), client.handle, *given, ctypes.byref(client.error))


ALL = sorted(set(calls()))


def test_the_headers_were_read():
    assert len({name for name, _ in ALL}) >= 15 and len(ALL) >= 80
    fields = {slot.split(".")[-1] for _, slot in ALL}
    assert {"customer_id", "email", "idempotency_key", "user_token", "traceparent", "success_url", "filename", "cursor", "meter"} <= fields, fields


@pytest.mark.parametrize("name", sorted({name for name, _ in ALL}))
def test_no_text_of_a_call_gets_out_of_its_place(client, recorder, name):
    recorder.is_health_counted = name == "dreamapi_health_get"
    for slot in (slot for called, slot in ALL if called == name):
        good = GOOD.get(slot.split(".")[-1], b"abc")
        recorder.requests.clear()
        status = call(client, name, slot, good)
        assert len(recorder.requests) == 1 or name in LOCAL, (slot, status, client.error.text)
        for case in CASES:
            recorder.requests.clear()
            recorder.faults.clear()
            status = call(client, name, slot, good[:-1] + case if slot.endswith("_url") else case)
            assert not recorder.faults, (slot, case, recorder.faults)
            assert len(recorder.requests) <= 1, (slot, case, recorder.requests)
            assert name not in LOCAL or all(request.startswith(b"GET /api/keys HTTP/1.1") for request in recorder.requests)
            assert recorder.requests or status != 0, (slot, case)


SETTERS = sorted(name.removeprefix("dreamapi_options_set_") for name, arguments in FUNCTIONS.items()
                 if name.startswith("dreamapi_options_set_") and [kind for kind, _ in arguments] == ["dreamapi_options *", TEXT])


@pytest.mark.parametrize("name", SETTERS)
def test_no_text_of_an_option_gets_out_of_its_place(lib, recorder, name, tmp_path):
    assert {"secret_key", "publishable_key", "user_agent_suffix", "base_url"} <= set(SETTERS)
    recorder.is_health_counted, sent = False, 0
    for case in CASES:
        good = {"base_url": recorder.url.encode() + b"/", "secret_key": b"sk_live_", "publishable_key": b"pk_live_", "proxy": b"http://127.0.0.1:1/",
                "journal": str(tmp_path).encode() + b"/", "user_agent_suffix": b"", "ca_file": b"",
                "jwks_url": recorder.url.encode() + b"/api/", "token_keys": b""}[name]
        options, error, handle = lib("options_new"), library.Error(), ctypes.c_void_p()
        for setter, value in (("base_url", recorder.url), ("secret_key", "sk_live_1"), ("publishable_key", "pk_live_1")):
            lib("options_set_" + setter, options, value)
        recorder.faults.clear()
        recorder.requests.clear()
        if lib("options_set_" + name, options, good + case) == 0:
            if lib("client_new", options, ctypes.byref(handle), ctypes.byref(error)) == 0:
                if name == "jwks_url":
                    lib("token_verify", handle, TOKEN, None, None, ctypes.byref(ctypes.c_void_p()), ctypes.byref(error))
                else:
                    lib("usage_get", handle, "abc", None, None, ctypes.byref(error))
                lib("client_free", handle)
        lib("options_free", options)
        sent += len(recorder.requests)
        assert not recorder.faults and len(recorder.requests) <= 1, (case, recorder.faults)
    assert sent > 0 or name in ("proxy", "base_url", "secret_key", "publishable_key", "token_keys")
