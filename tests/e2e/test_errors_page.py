# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md against error.h and the built library: the same codes, the same texts, and each example message is what a real
failure says today."""

import contextlib
import ctypes
import datetime
import json
import os
import re
import resource
import socket
import ssl
import tempfile
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import daemon
import library
import listener
import providers
import tenant

pytestmark = pytest.mark.plain

PAGE = daemon.ROOT / "docs" / "errors.md"
PARTS = ("Cause", "Done", "Cure", "Message")
CODES = library.enum("error.h", "dreamapi_status")


def sections():
    """{name: {"value", "text", and each of PARTS}}, in the page's order."""
    found = {}
    for heading, body in re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        name, value = re.fullmatch(r"(DREAMAPI_\w+) \((\d+)\)", heading).groups()
        entry = {"value": int(value), "text": body.strip().split("\n")[0]}
        for part, text in re.findall(r"^- \*\*(\w+):\*\*(.*?)(?=^- \*\*|\Z)", body, re.MULTILINE | re.DOTALL):
            entry[part] = " ".join(text.split())
        found[name] = entry
    return found


@pytest.fixture(scope="module")
def lib():
    return library.load()


def test_the_page_has_every_code_of_the_header_in_its_order():
    assert [(name, entry["value"]) for name, entry in sections().items()] == list(CODES.items())


@pytest.mark.parametrize("name", CODES)
def test_the_library_calls_the_code_by_the_headers_name_and_the_pages_text(lib, name):
    assert lib("status_name", CODES[name]).decode() == name
    assert lib("status_text", CODES[name]).decode() == sections()[name]["text"]


@pytest.mark.parametrize("name", CODES)
def test_the_page_tells_cause_outcome_cure_and_message(name):
    assert [part for part in PARTS if not sections()[name].get(part)] == []


def test_a_code_behind_the_last_has_no_name_yet(lib):
    assert lib("status_name", max(CODES.values()) + 1) == b"DREAMAPI_UNKNOWN"


class Odd(listener.Handler):
    """A server that answers as the first part of the path says; /health always works, and announces nothing."""
    ANSWERS = {"page": (200, b"<html>"), "old": (405, b""), "failing": (500, b'{"error":"Boom"}')}

    def do_GET(self):
        kind = self.path.split("/")[1]
        if self.path.endswith("/health"):
            self.answer(200, b'{"status":"ok"}')
        elif kind in self.ANSWERS:
            self.answer(*self.ANSWERS[kind])
        else:
            self.server.closing.wait(30)
            self.close_connection = True

    do_POST = do_GET


@pytest.fixture(scope="module")
def odd():
    """Where the odd server is."""
    with listener.Listener(Odd) as server:
        server.closing = threading.Event()
        yield server.url
        server.closing.set()


@pytest.fixture(scope="module")
def standin():
    stand = providers.Providers()
    yield stand
    stand.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory, standin):
    """A real service with two platforms, the second one's subscription over: (daemon, names)."""
    folder = tmp_path_factory.mktemp("errors")
    db = folder / "errors.db"
    tiers = [tenant.tier("free", 1, rateLimit=None), tenant.tier("slow", 100, rateLimit=1)]
    names = tenant.load(folder, db, [{"key": "app", "tiers": tiers}],
                        [tenant.user("user_ada", "app"), {**tenant.user("user_slow", "app"), "plan": "slow"}], env=standin.environment())
    lapsed = folder / "lapsed.json"
    lapsed.write_text(json.dumps({"platforms": {"<platform-x>": {
        "subscription": "canceled, grace ended 13 days ago", "stripe_connected": True, "projects": [
            {"pk": "<pk-x>", "sk": "<sk-x>", "mode": "live", "type": "saas", "name": "x", "tiers": tiers}]}}}))
    names.update(daemon.last_json_line(daemon.run("fixture", "load", "--db", db, lapsed, env=standin.environment()).stdout))
    with daemon.Daemon(folder, "--db", db, "--free-ports", env=standin.environment()) as serve:
        yield serve, names
        assert serve.stop() == 0


class Scene:
    """What the failures need. Each is a method named after its code, which returns (status, error)."""

    def __init__(self, lib, stage, odd, standin):
        self.lib, (self.serve, self.names), self.odd, self.standin = lib, stage, odd, standin

    def client(self, **settings):
        return library.Client(self.lib, **{"base_url": self.serve.api, "secret_key": self.names["<sk-app>"], **settings})

    def call(self, name, *arguments, options=None, **settings):
        with self.client(**settings) as client:
            return client.call(name, *arguments, options=options), client.error

    def ok(self):
        return self.call("tier_list")

    def invalid(self):
        client = library.Client(self.lib, secret_key="sk_1")
        return client.status, client.error

    def nomem(self):
        return in_child(self._without_descriptors)

    def _without_descriptors(self):
        count = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        client = self.client()
        return client.status, client.error

    def auth(self):
        return self.call("tier_list", secret_key="sk_live_wrong")

    def forbidden(self):
        return self.call("customer_get", "user_ada", secret_key=None, publishable_key=self.names["<pk-app>"])

    def not_found(self):
        return self.call("usage_track", "user_nobody", None)

    def conflict(self):
        """The first request with the key is held up at the identity provider while the second one comes."""
        options, params = library.call_options(key="once"), library.customer_params("grace@example.test")
        with self.client(max_retries=0) as client, self.standin.hold("clerk", "POST", "/v1/users") as hold:
            first = client.start("customer_create", params, options=options)
            hold.wait_arrived()
            status = client.call("customer_create", params, options=options)
            hold.release()
            assert self.lib("call_wait", first, -1, None) == 0
            self.lib("call_free", first)
            return status, client.error

    def limit(self):
        self.call("usage_track", "user_ada", None)
        status, error = self.call("usage_track", "user_ada", None)
        assert (error.used, error.limit) == (1, 1)
        return status, error

    def rate_limited(self):
        self.call("usage_track", "user_slow", None)
        # Another client, which knows nothing yet; no time for a retry.
        status, error = self.call("usage_track", "user_slow", None, timeout_ms=900)
        assert error.retry_after_ms > 0 and error.retriable
        return status, error

    def timeout(self):
        return self.call("tier_list", base_url=self.odd + "/silent", timeout_ms=200)

    def cancelled(self):
        with self.client(threads=0) as client:
            call = client.start("usage_get", "user_ada")
            self.lib("call_cancel", call)
            status = self.lib("call_wait", call, -1, ctypes.byref(client.error))
            self.lib("call_free", call)
            return status, client.error

    def unavailable(self):
        with listener.Listener(Odd) as gone:
            pass
        return self.call("tier_list", base_url=gone.url, max_retries=0)

    def outcome_unknown(self):
        status, error = self.call("customer_create", library.customer_params("ada@example.test"), base_url=self.odd + "/silent",
                                  timeout_ms=200)
        assert not error.retriable
        return status, error

    def unsupported(self):
        return self.call("tier_list", base_url=self.odd + "/old")

    def token_required(self):
        return self.call("usage_get", "user_ada", secret_key=None, publishable_key=self.names["<pk-app>"])

    def protocol(self):
        return self.call("tier_list", base_url=self.odd + "/page")

    def subscription_expired(self):
        return self.call("tier_list", secret_key=self.names["<sk-x>"])

    def tls(self):
        with untrusted_server() as url:
            return self.call("tier_list", base_url=url)

    def server(self):
        return self.call("tier_list", base_url=self.odd + "/failing", max_retries=0)

    def forked(self):
        with self.client() as client:
            return in_child(lambda: (client.call("usage_get", "user_ada"), client.error))

    def journal(self):
        client = library.Client(self.lib, base_url=self.odd, secret_key="sk_1", journal="/nonexistent/usage.journal")
        return client.status, client.error

    def pending(self):
        with self.client(base_url=self.odd + "/silent") as client:
            call = client.start("tier_list")
            status = self.lib("tiers_result", call, None, ctypes.byref(client.error))
            self.lib("call_free", call)
            return status, client.error


@contextlib.contextmanager
def untrusted_server():
    """Where somebody shakes hands with a certificate that no authority signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
                   .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
                   .sign(key, hashes.SHA256()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                   + certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)

    def shake_hands(listening):
        with contextlib.suppress(OSError):
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        thread = threading.Thread(target=shake_hands, args=(listening,))
        thread.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def in_child(do):
    """What `do` returns in a forked child."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            status, error = do()
            os.write(writer, status.to_bytes(4, "little") + bytes(error))
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    assert len(data) == 4 + ctypes.sizeof(library.Error)
    return int.from_bytes(data[:4], "little"), library.Error.from_buffer_copy(data[4:])


def without_numbers(text):
    return re.sub(r"\d+", "N", text)


@pytest.mark.parametrize("name", CODES)
def test_the_example_message_is_what_a_real_failure_says(lib, stage, odd, standin, name):
    status, error = getattr(Scene(lib, stage, odd, standin), name.removeprefix("DREAMAPI_").lower())()
    assert (status, error.status) == (CODES[name], CODES[name]), error.text
    shown = sections()[name]["Message"]
    assert without_numbers(f"`{error.text}`" if error.text else "none") == without_numbers(shown)
