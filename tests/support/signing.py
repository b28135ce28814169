# SPDX-License-Identifier: Apache-2.0
"""Signed requests by an independent implementation (PyPI http-message-signatures), and a proxy that writes down what a client sends.
What docs/security.md says is spelled out here once more, from Python's own hashlib and hmac."""

import base64
import datetime
import hashlib
import hmac
import secrets
import socket
import threading
import time
import urllib.parse

import http_message_signatures as hms

COMPONENTS = ("@method", "@authority", "@path", "@query")


def derived_key(secret_key):
    """HKDF-SHA256 (RFC 5869), empty salt, one block."""
    prk = hmac.new(bytes(32), secret_key.encode(), hashlib.sha256).digest()
    return hmac.new(prk, b"dreamapi-http-signature-v1\x01", hashlib.sha256).digest()


def keyid(publishable_key, secret_key):
    return f"{publishable_key}.{hashlib.sha256(secret_key.encode()).hexdigest()[:16]}"


def digest(body):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(body).digest()).decode() + ":"


class Message:
    """A request as http-message-signatures sees one."""

    def __init__(self, method, url, headers=None, body=b""):
        self.method, self.url, self.headers, self.body = method, url, dict(headers or {}), body


class _Key(hms.HTTPSignatureKeyResolver):
    def __init__(self, key):
        self.key = key

    def resolve_private_key(self, key_id):
        return self.key

    def resolve_public_key(self, key_id):
        return self.key


def sign(message, publishable_key, secret_key, age_s=0, life_s=300, nonce=None, components=None, **more):
    """Signs in place: adds Content-Digest where there is a body, Signature-Input and Signature."""
    covered = list(COMPONENTS)
    if message.body:
        message.headers["Content-Digest"] = digest(message.body)
        covered.append("content-digest")
    created = datetime.datetime.fromtimestamp(int(time.time()) - age_s)
    hms.HTTPMessageSigner(signature_algorithm=hms.algorithms.HMAC_SHA256, key_resolver=_Key(derived_key(secret_key))).sign(
        message, key_id=keyid(publishable_key, secret_key), created=created,
        expires=created + datetime.timedelta(seconds=life_s) if life_s is not None else None,
        nonce=secrets.token_hex(16) if nonce is None else nonce or None, label="sig1",
        covered_component_ids=components if components is not None else covered,
        use_existing_digest=bool(message.body), **more)
    return message


def verify(message, secret_key):
    """Raises unless the signature and the digest are right. The one result."""
    results = hms.HTTPMessageVerifier(signature_algorithm=hms.algorithms.HMAC_SHA256,
                                      key_resolver=_Key(derived_key(secret_key))).verify(
        message, max_age=datetime.timedelta(seconds=300), require_components=COMPONENTS, body=message.body)
    assert len(results) == 1
    return results[0]


class Recorder:
    """A TCP proxy in front of `url`. `sent` is all that clients sent, `messages()` the same as requests."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self._to = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._streams, self._lock = [], threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            stream = bytearray()
            with self._lock:
                self._streams.append(stream)
            threading.Thread(target=self._copy, args=(client, server, stream), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, None), daemon=True).start()

    def _copy(self, source, target, stream):
        try:
            while piece := source.recv(65536):
                if stream is not None:
                    with self._lock:
                        stream += piece
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @property
    def sent(self):
        with self._lock:
            return b"\0".join(bytes(stream) for stream in self._streams)

    def messages(self):
        """Every request, in order within a connection. Bodies have a Content-Length here."""
        with self._lock:
            streams = [bytes(stream) for stream in self._streams]
        found = []
        for stream in streams:
            while stream:
                head, _, stream = stream.partition(b"\r\n\r\n")
                first, *lines = head.decode().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines)
                size = int(headers.get("Content-Length", 0))
                method, target, _ = first.split(" ")
                found.append(Message(method, f"http://{headers['Host']}{target}", headers, stream[:size]))
                stream = stream[size:]
        return found

    def close(self):
        self._listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
