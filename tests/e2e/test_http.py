# SPDX-License-Identifier: Apache-2.0
"""The HTTP of the service as ordinary clients use it: chunked bodies, pipelines, HTTP/1.0, Expect, kept connections, request ids,
and headers that try to become two."""

import json
import re
import socket
import urllib.parse

import pytest

import daemon
import tenant

USER = "user_http"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """(daemon, names): one project without a rate limit, and one user."""
    folder = tmp_path_factory.mktemp("http")
    names = tenant.load(folder, folder / "h.db", [{"key": "app", "tiers": [tenant.tier("free", None, rateLimit=None)]}],
                        [tenant.user(USER, "app")])
    with daemon.Daemon(folder, "--db", folder / "h.db", "--free-ports") as serve:
        yield serve, names
        assert serve.stop() == 0


def talk(stage, text, answers):
    """Sends the text, reads so many answers, and gives them as (status, headers, body)."""
    parts = urllib.parse.urlsplit(stage[0].api)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(text.replace("SK", stage[1]["<sk-app>"]).encode())
        stream = connection.makefile("rb")
        return [read_answer(stream) for _ in range(answers)]


def read_answer(stream):
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return status, headers, stream.read(int(headers.get("content-length", 0)))


def use(extra="", version="1.1", body=json.dumps({"userId": USER})):
    return f"POST /api/data HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer SK\r\n{extra}Content-Length: {len(body)}\r\n\r\n{body}"


def count_of(answer):
    return json.loads(answer[2])["usage"]["count"]


def test_a_pipeline_is_answered_in_order(stage):
    answers = talk(stage, use() * 20, 20)
    assert [status for status, _, _ in answers] == [200] * 20
    first = count_of(answers[0])
    assert [count_of(answer) for answer in answers] == list(range(first, first + 20))


def test_a_chunked_body_is_read_like_any_other(stage):
    body = json.dumps({"userId": USER})
    chunks = "".join(f"{len(piece):x}\r\n{piece}\r\n" for piece in (body[:3], body[3:10], body[10:])) + "0\r\n\r\n"
    head = "POST /api/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer SK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert talk(stage, head + chunks, 1)[0][0] == 200


def test_http_1_0_is_answered_and_closed(stage):
    parts = urllib.parse.urlsplit(stage[0].api)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        whole = b"".join(iter(lambda: connection.recv(65536), b""))
    assert whole.split()[1] == b"200" and whole.endswith(b"}")


def test_expect_continue_is_heard(stage):
    parts = urllib.parse.urlsplit(stage[0].api)
    body = json.dumps({"userId": USER})
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head, _, _ = use("Expect: 100-continue\r\n").replace("SK", stage[1]["<sk-app>"]).partition("\r\n\r\n")
        connection.sendall(head.encode() + b"\r\n\r\n")
        stream = connection.makefile("rb")
        assert stream.readline().split()[1] == b"100"
        assert stream.readline() == b"\r\n"
        connection.sendall(body.encode())
        assert read_answer(stream)[0] == 200


def test_a_connection_serves_many_requests(stage):
    with tenant.Backend(stage[0].api, stage[1]["<sk-app>"]) as backend:
        for _ in range(200):
            assert backend.ask("GET", "/health").status == 200


def test_connection_close_is_honoured(stage):
    parts = urllib.parse.urlsplit(stage[0].api)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        whole = b"".join(iter(lambda: connection.recv(65536), b""))
    assert whole.split()[1] == b"200"


def test_each_answer_has_a_request_id_of_its_own(stage):
    ids = {daemon.ask(stage[0].api, "GET", "/health").headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(re.fullmatch(r"[\x21-\x7e]{8,128}", one) for one in ids)


def test_a_sane_request_id_is_kept_and_another_is_not(stage):
    kept = daemon.ask(stage[0].api, "GET", "/health", {"X-Request-Id": "order-17_a"})
    assert kept.headers["x-request-id"] == "order-17_a"
    for bad in ("a b", "x" * 5000, "<script>", "\x7f"):
        assert daemon.ask(stage[0].api, "GET", "/health", {"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_an_origin_cannot_smuggle_a_header(stage):
    for origin in ("https://a.test\tX-Evil: 1", "https://a.test%0d%0aX-Evil: 1", "null"):
        answer = daemon.ask(stage[0].api, "GET", "/health", {"Origin": origin})
        assert answer.status in (200, 400)
        assert "x-evil" not in answer.headers


def test_head_has_no_body(stage):
    answer = daemon.ask(stage[0].api, "HEAD", "/health")
    assert answer.status == 200 and answer.text == ""


def test_errors_are_json_too(stage):
    for method, path in (("GET", "/nowhere"), ("TRACE", "/api/tiers"), ("PROPFIND", "/api/tiers"), ("GET", "/api/customers/")):
        answer = daemon.ask(stage[0].api, method, path, {"Authorization": "Bearer " + stage[1]["<sk-app>"]})
        assert 400 <= answer.status < 500
        assert answer.json["error"]


@pytest.mark.parametrize("units, status", [(1, 200), (7, 200), (0, 400), (-1, 400), (1.5, 400), ("2", 400), (2**53, 400), (2**63, 400),
                                           (10**30, 400), ([], 400), (True, 400)])
def test_a_backend_may_count_several_units_at_once(stage, units, status):
    with tenant.Backend(stage[0].api, stage[1]["<sk-app>"]) as backend:
        before = backend.usage(USER)["usageCount"]
        assert backend.ask("POST", "/api/data", {"userId": USER, "units": units}).status == status
        assert backend.usage(USER)["usageCount"] == before + (units if status == 200 else 0)


def test_the_admin_port_answers_the_operator_only(stage):
    assert daemon.ask(stage[0].admin, "GET", "/api/tiers").status == 404
    assert daemon.ask(stage[0].api, "GET", "/metrics").status == 401
