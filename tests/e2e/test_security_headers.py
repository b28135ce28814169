# SPDX-License-Identifier: Apache-2.0
"""What every answer tells a browser, whoever gives it: the API's handlers, the server by itself, webhooks, files, the operator's port, the
sandbox and its pages. CORS is the contract's (tests/wire/cors.json)."""

import base64
import socket
import ssl
import urllib.parse

import pytest

import certificates
import daemon
import tenant


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headers")
    made = tenant.create(folder / "h.db", folder)
    with daemon.Daemon(folder, "--db", folder / "h.db", "--sandbox", "--free-ports") as serve:
        yield serve, made
        assert serve.stop() == 0


def raw(url, request):
    parts = urllib.parse.urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        text = connection.makefile("rb").read()
    head = text.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in head[1:]]
    return int(head[0].split()[1]), {name.lower(): value for name, value in pairs}, [(name.lower(), value) for name, value in pairs]


def answers(serve, made):
    key = {"Authorization": "Bearer " + made["secretKey"]}
    stripe = serve.urls["sandbox"]["stripe"]["test"]
    for what, base, method, path, headers, status in (
            ("data", serve.api, "GET", "/api/customers", key, 200), ("refused", serve.api, "GET", "/api/customers", {}, 401),
            ("nowhere", serve.api, "GET", "/nowhere", key, 404), ("health", serve.api, "GET", "/health", {}, 200),
            ("preflight", serve.api, "OPTIONS", "/api/data", {"Origin": "https://shop.example"}, 204),
            ("webhook", serve.api, "POST", "/webhook/stripe", {}, 400), ("no file", serve.api, "GET", "/api/assets/plt_x/y.png", {}, 404),
            ("metrics", serve.admin, "GET", "/metrics", {}, 200), ("operator", serve.admin, "GET", "/nowhere", {}, 404),
            ("sandbox", stripe["url"], "GET", "/v1/products", {"Authorization": "Bearer " + stripe["secretKey"]}, 200),
            ("sandbox refuses", stripe["url"], "GET", "/v1/products", {}, 401)):
        answer = daemon.ask(base, method, path, headers)
        assert answer.status == status, (what, answer)
        yield what, answer.headers
    for what, request, status in (("malformed", b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
                                  ("too large", b"POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413)):
        got, headers, _ = raw(serve.api, request)
        assert got == status
        yield what, headers


def test_no_answer_is_guessed_at_or_kept(stage):
    for what, headers in answers(*stage):
        assert headers.get("x-content-type-options") == "nosniff", what
        assert headers.get("cache-control") == "no-store", what


def test_no_header_is_there_twice(stage):
    serve, made = stage
    for path in ("/health", "/api/customers"):
        _, _, pairs = raw(serve.api, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                     f"Authorization: Bearer {made['secretKey']}\r\n\r\n".encode())
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names


def test_an_uploaded_file_may_be_kept_but_is_no_page(stage):
    serve, made = stage
    answer = daemon.ask(serve.api, "POST", "/api/assets", {"Authorization": "Bearer " + made["secretKey"]},
                        {"filename": "page.html", "contentType": "text/html", "data": base64.b64encode(b"<script>").decode()})
    assert answer.status == 200, answer
    path = urllib.parse.urlsplit(answer.json["url"]).path
    status, file, pairs = raw(serve.api, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert status == 200 and "immutable" in file["cache-control"]
    assert file["x-content-type-options"] == "nosniff"
    # Beside the policy of all answers: a browser keeps to both.
    assert ("content-security-policy", "default-src 'none'; sandbox") in pairs


def test_pages_of_the_sandbox_run_nothing_and_are_framed_by_nobody(stage):
    serve, _ = stage
    page = daemon.ask(serve.urls["sandbox"]["stripe"]["test"]["url"], "GET", "/pay/cs_test_none")
    assert page.headers["content-type"].startswith("text/html"), page
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src" not in policy
    assert page.headers["cache-control"] == "no-store"


def test_a_browser_that_came_by_tls_is_told_to_stay_with_it(tmp_path):
    authority = certificates.Authority(tmp_path)
    certificate, key = authority.issue("server")
    trust = ssl.create_default_context(cafile=authority.file)
    with daemon.Daemon(tmp_path, "--db", tmp_path / "t.db", "--free-ports", "--tls-cert", certificate, "--tls-key", key) as serve:
        for path in ("/health", "/api/customers"):
            assert "max-age=31536000" in daemon.ask(serve.api, "GET", path, tls=trust).headers["strict-transport-security"]
        webhook = daemon.ask(serve.api, "POST", "/webhook/stripe", tls=trust)
        assert webhook.headers["strict-transport-security"] == "max-age=31536000"
        assert serve.stop() == 0


def test_a_proxy_that_ended_tls_counts_as_tls_if_it_is_trusted(tmp_path):
    for options, is_told in ((("--trusted-proxy", "127.0.0.1"), True), ((), False)):
        with daemon.Daemon(tmp_path, "--db", tmp_path / "p.db", "--free-ports", *options) as serve:
            for scheme, is_https in (("https", True), ("http", False), ("https, http", False), ("http,HTTPS", True)):
                headers = daemon.ask(serve.api, "POST", "/webhook/stripe", {"X-Forwarded-Proto": scheme}).headers
                assert ("strict-transport-security" in headers) == (is_told and is_https), (options, scheme)
            assert serve.stop() == 0
