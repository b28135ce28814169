# SPDX-License-Identifier: Apache-2.0
"""Uploaded files: what their names may do (nothing), how large they may be, that each comes back byte by byte, that no crash and no
broken connection leaves half of one to be served, and where they lie."""

import base64
import hashlib
import http.client
import re
import socket
import urllib.parse
import uuid

import pytest

import daemon
import stage as stages

LARGEST = 10 << 20
TOO_LARGE = {"error": "File too large", "message": "An asset has at most 10 MiB"}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("assets")) as made:
        yield made


def content(seed, size):
    """Bytes that no other seed has, all 256 of them among these."""
    block = hashlib.sha512(str(seed).encode()).digest() + bytes(range(256))
    return (block * (size // len(block) + 1))[:size]


def upload(stage, data, filename="file.bin", key=None, **fields):
    headers = {**stage.secret(), **({"Idempotency-Key": key} if key else {})}
    return stage.ask("POST", "/api/assets", headers, {"filename": filename, "data": base64.b64encode(data).decode(), **fields})


def fetch(stage, path):
    """(status, headers, bytes): the path goes out as it is. Headers sent several times are joined."""
    parts = urllib.parse.urlsplit(stage.serve.api)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        headers = {}
        for name, value in response.getheaders():
            headers[name.lower()] = ", ".join(filter(None, [headers.get(name.lower()), value]))
        return response.status, headers, response.read()
    finally:
        connection.close()


def folder_of(stage):
    return stage.folder / "stage.db.assets" / stage.names["<platform>"]


def names_in(stage):
    return sorted(path.name for path in folder_of(stage).iterdir())


# Coming back.


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 4095, 4096, 65536, 1 << 20, LARGEST - 1, LARGEST])
def test_a_file_comes_back_byte_by_byte(stage, size):
    data = content(size, size)
    made = upload(stage, data, contentType="image/png")
    assert made.status == 200 and made.json["url"] == "/api/assets/" + made.json["key"]
    status, headers, got = fetch(stage, made.json["url"])
    assert (status, headers["content-type"], int(headers["content-length"])) == (200, "image/png", size)
    assert got == data


@pytest.mark.parametrize("size", [LARGEST + 1, LARGEST + 3, LARGEST + 1000])
def test_a_file_that_is_too_large_is_a_413(stage, size):
    refused = upload(stage, content(0, size))
    assert (refused.status, refused.json) == (413, TOO_LARGE)


@pytest.mark.parametrize("path, size", [("/api/assets", 40 << 20), ("/api/data", 2 << 20), ("/api/customers", 8 << 20), ("/api/assets/x", 2 << 20)])
def test_a_body_that_is_too_large_is_refused_before_it_is_read(stage, path, size):
    """Uploads alone may be large, and they only so far."""
    try:
        assert stage.ask("POST", path, stage.secret(), "x" * size).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused while the body was still on its way
    assert stage.ask("GET", "/health").status == 200


def test_a_file_may_be_kept_by_caches_and_does_nothing_in_a_page(stage):
    made = upload(stage, b"<script>alert(1)</script>", "page.html", contentType="text/html")
    headers = fetch(stage, made.json["url"])[1]
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'; sandbox" in headers["content-security-policy"]
    assert headers["access-control-allow-origin"] == "*"


# At once, and again.


def test_uploads_of_one_name_at_once_are_files_of_their_own(stage):
    files = {n: content(f"same{n}", 3000 + n) for n in range(16)}
    answers = stages.at_once(16, lambda n: upload(stage, files[n], "same.bin"), files)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["key"] for answer in answers}) == 16
    assert [fetch(stage, answer.json["url"])[2] for answer in answers] == list(files.values())


def test_many_large_uploads_at_once_are_all_answered(stage):
    data = content("crowd", 4 << 20)
    answers = stages.at_once(16, lambda n: upload(stage, data, f"{n}.bin"), range(16))
    found = [answer.status for answer in answers]
    assert set(found) <= {200, 503} and 200 in found
    assert all(answer.headers["retry-after"] for answer in answers if answer.status == 503)
    assert len({answer.json["key"] for answer in answers if answer.status == 200}) == found.count(200)
    daemon.wait_for("a place", lambda: upload(stage, data).status == 200)


@pytest.mark.parametrize("credential, status", [
    (None, 401), ({"Authorization": "Bearer sk_live_" + "0" * 64}, 401), ({"Authorization": "Bearer nonsense"}, 401),
    ({"X-Publishable-Key": "<pk-app>"}, 403)], ids=["no key", "unknown key", "no key at all", "publishable key"])
def test_who_has_no_key_takes_no_place_for_a_large_body(stage, credential, status):
    """More than the service keeps in memory at a time stop in the middle; who has a key is served all the same."""
    parts = urllib.parse.urlsplit(stage.serve.api)
    head = "".join(f"{name}: {stage.names.get(value, value)}\r\n" for name, value in (credential or {}).items())
    head = f"POST /api/assets HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {12 << 20}\r\n\r\n"
    slow = [socket.create_connection((parts.hostname, parts.port), timeout=30) for _ in range(10)]
    try:
        for connection in slow:
            connection.sendall(head.encode() + b"x" * (10 << 20))  # more than any buffer on the way holds
        made = upload(stage, content("served", 2 << 20))
        assert made.status == 200, made
        slow[0].sendall(b"x" * (2 << 20))
        response = http.client.HTTPResponse(slow[0])
        response.begin()
        assert response.status == status
        assert response.read().startswith(b'{"error":')
    finally:
        for connection in slow:
            connection.close()


def test_an_upload_with_a_key_is_one_file(stage):
    key = uuid.uuid4().hex
    first = upload(stage, b"once", key=key)
    before = names_in(stage)
    assert (first.status, upload(stage, b"once", key=key).text) == (200, first.text)
    assert upload(stage, b"other", key=key).status == 422
    assert names_in(stage) == before


# Names.


@pytest.mark.parametrize("filename", ["../../etc/passwd", "..", ".", "/etc/passwd", "a/b/c", "a\\b", ".hidden", "a b", "\u00e4\u4e2d\U0001f600", "%2e%2e%2f",
                                      "a\tb\r\nc", "a?b#c", "con:", "-rf", "x" * 200, "name.tar.gz", "'\"<>|", "\u202egnp.exe"], ids=ascii)
def test_any_name_becomes_a_harmless_one(stage, filename):
    made = upload(stage, b"named", filename)
    assert made.status == 200, made
    assert re.fullmatch(re.escape(stage.names["<platform>"]) + r"/\d{13}-[A-Za-z0-9._-]+", made.json["key"])
    assert fetch(stage, made.json["url"])[2] == b"named"
    assert (folder_of(stage) / made.json["key"].split("/")[1]).read_bytes() == b"named"


@pytest.mark.parametrize("fields", [
    {"filename": "x" * 201}, {"filename": ""}, {"filename": None}, {"filename": 7}, {"filename": ["a"]}, {"data": ""}, {"data": None}, {"data": 7},
    {"data": "***"}, {"data": "aGk"}, {"data": "aGk=="}, {"data": "aGk=x"}, {"data": "a Gk="}, {"data": "aGk=\n"}, {"data": "=aGk"},
    {"contentType": 7}, {"contentType": "text"}, {"contentType": "/"}, {"contentType": "text/html\r\nX-Evil: 1"}, {"contentType": "text/\u00e4"},
    {"contentType": "a/" + "b" * 300}], ids=ascii)
def test_an_upload_that_makes_no_sense_is_a_400_and_leaves_nothing(stage, fields):
    assert upload(stage, b"there", "there.bin").status == 200
    before = names_in(stage)
    answer = stage.ask("POST", "/api/assets", stage.secret(), {"filename": "a.png", "data": "aGk=", **fields})
    assert answer.status == 400, answer
    assert names_in(stage) == before


@pytest.mark.parametrize("path", [
    "/api/assets/", "/api/assets/{platform}", "/api/assets/{platform}/", "/api/assets/{platform}/.", "/api/assets/{platform}/..",
    "/api/assets/{platform}//{file}", "/api/assets//{platform}/{file}", "/api/assets/{platform}/{file}/", "/api/assets/{platform}/./{file}",
    "/api/assets/{platform}/../{platform}/{file}", "/api/assets/../assets/{platform}/{file}", "/api/assets/{platform}/..%2f{platform}%2f{file}",
    "/api/assets/{platform}/%2e%2e/%2e%2e/stage.db", "/api/assets/{platform}/../../stage.db", "/api/assets/../stage.db",
    "/api/assets/..%2fstage.db", "/api/assets/%2e%2e/stage.db", "/api/assets/{platform}/%2fetc%2fpasswd", "/api/assets//etc/passwd",
    "/api/assets/%2fetc/passwd", "/api/assets/{platform}/{file}%00", "/api/assets/{platform}/{file}%00.png", "/api/assets/{platform}%00/{file}",
    "/api/assets/{platform}/..%5c{file}", "/api/assets/{platform}\\{file}", "/api/assets/{platform}/{file}%20", "/api/assets/{platform}/{upper}",
    "/api/assets/{other}/{file}", "/api/assets/{platform}/%zz", "/api/assets/{platform}/" + "x" * 4000, "/api/assets/{platform}/%c0%ae%c0%ae/stage.db",
    "/api/assets/{platform}/%25%32%65%25%32%65/stage.db"])
def test_no_path_leads_anywhere_but_to_a_file(stage, path):
    made = upload(stage, b"known", "known.bin").json["key"].split("/")
    filled = path.format(platform=made[0], file=made[1], upper=made[1].upper(), other=stage.names["<platform-other>"])
    status, _, body = fetch(stage, filled)
    assert status in (400, 401, 404, 414), (status, body)
    assert b"known" not in body and b"SQLite" not in body and b"root:" not in body


def test_a_link_in_a_files_place_is_not_followed(stage):
    made = upload(stage, b"there")
    target = stage.folder / "elsewhere"
    target.write_bytes(b"where")
    link = folder_of(stage) / made.json["key"].split("/")[1]
    link.unlink()
    link.symlink_to(target)
    assert fetch(stage, made.json["url"])[0] == 404


def test_a_file_that_the_service_did_not_keep_is_not_served(stage):
    upload(stage, b"there")
    for name in ("1700000000000-planted", ".draft"):
        (folder_of(stage) / name).write_bytes(b"planted")
        assert fetch(stage, f"/api/assets/{stage.names['<platform>']}/{name}")[0] == 404
        (folder_of(stage) / name).unlink()


@pytest.mark.parametrize("now", [b"whole", b"whole file and more", b""], ids=str)
def test_a_file_that_changed_its_size_is_not_served(stage, now):
    made = upload(stage, b"whole file")
    (folder_of(stage) / made.json["key"].split("/")[1]).write_bytes(now)
    assert fetch(stage, made.json["url"])[0] == 404


# What breaks off.


def test_a_connection_that_ends_within_the_body_leaves_nothing(stage):
    upload(stage, b"there")
    before = names_in(stage)
    parts = urllib.parse.urlsplit(stage.serve.api)
    body = b'{"filename":"half.bin","data":"' + base64.b64encode(content("half", 1 << 20))
    for cut in (1, len(body) // 2, len(body) - 1):
        with socket.create_connection((parts.hostname, parts.port)) as raw:
            raw.sendall(f"POST /api/assets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {stage.names['<sk-app>']}\r\n"
                        f"Content-Type: application/json\r\nContent-Length: {len(body) + 2}\r\n\r\n".encode() + body[:cut])
    assert upload(stage, b"after", "after.bin").status == 200
    assert [name for name in set(names_in(stage)) - set(before) if not name.endswith("-after.bin")] == []


@pytest.mark.parametrize("after", [1, 6, 15])
def test_a_kill_in_the_middle_of_uploads_leaves_no_half_file(tmp_path, after):
    """Eight clients upload 30 files of a megabyte when the service is killed. What was answered is there, what was not can be sent again,
    and nothing that is served is less than whole."""
    with stages.Stage(tmp_path) as stage:
        files = {f"file{n}": content(f"kill{n}", (1 << 20) + n) for n in range(30)}
        by_size = {len(data): data for data in files.values()}
        urls, killer = {}, stages.KillAfter(stage, after)

        def put(name):
            try:
                answer = upload(stage, files[name], name + ".bin", key="upload-" + name)
            except (OSError, http.client.HTTPException):
                return
            if answer.status == 200:
                urls[name] = answer.json["url"]
            killer.answered()

        stages.at_once(8, put, files)
        stage.start()
        assert len(urls) < len(files)
        for name in names_in(stage):
            status, _, got = fetch(stage, f"/api/assets/{stage.names['<platform>']}/{name}")
            assert status == 404 or (status == 200 and got == by_size[len(got)]), name
        # The claim of a process that died ends after half a minute; who does not wait for that takes a new key.
        for name in files.keys() - urls.keys():
            answer = upload(stage, files[name], name + ".bin", key="again-" + name)
            assert answer.status == 200, answer
            urls[name] = answer.json["url"]
        for name, url in urls.items():
            assert fetch(stage, url)[2] == files[name], name


# The folder.


def test_what_was_answered_survives_a_kill(tmp_path):
    with stages.Stage(tmp_path) as stage:
        kept = upload(stage, b"kept", key="once").json
        stage.serve.kill()
        stage.start()
        assert fetch(stage, kept["url"])[2] == b"kept"
        again = upload(stage, b"kept", key="once")
        assert (again.json, again.headers["idempotent-replayed"]) == (kept, "true")
        file, = (stage.folder / "stage.db.assets").glob("*/*")
        assert str(file).endswith("stage.db.assets/" + kept["key"])
        assert oct((stage.folder / "stage.db.assets").stat().st_mode & 0o777) == "0o700"
        assert oct(file.stat().st_mode & 0o777) == "0o600"


def test_the_folder_can_be_elsewhere_or_nowhere(tmp_path):
    with stages.Stage(tmp_path, env={"ASSETS_DIR": str(tmp_path / "elsewhere")}) as stage:
        kept = upload(stage, b"kept").json
        assert (tmp_path / "elsewhere" / kept["key"]).read_bytes() == b"kept"
        stage.serve.stop()
        with daemon.Daemon(tmp_path, "--db", stage.db, "--free-ports", "--assets", "off", env=stage.env) as without:
            missing = daemon.ask(without.api, "GET", kept["url"])
            assert (missing.status, missing.text) == (501, "Not configured")
            assert missing.headers["content-type"] == "text/plain;charset=UTF-8"
            assert daemon.ask(without.api, "POST", "/api/assets", stage.secret(), {"filename": "a", "data": "aGk="}).status == 501
            assert without.stop() == 0


def test_a_folder_that_cannot_be_used_is_named_at_the_start(tmp_path):
    (tmp_path / "file").write_text("")
    done = daemon.run("serve", "--db", tmp_path / "a.db", "--free-ports", "--assets", tmp_path / "file", check=False)
    assert done.returncode == 1 and str(tmp_path / "file") in done.stderr


def test_the_temporary_folder_of_a_sandbox_goes_with_its_assets(tmp_path):
    with daemon.Daemon(tmp_path, "--sandbox", "--free-ports", env={"TMPDIR": str(tmp_path)}) as serve:
        folder, = tmp_path.glob("dreamapid-*")
        assert (folder / "dreamapid.db.assets").is_dir()
        (folder / "dreamapid.db.assets" / "plt_1").mkdir()
        (folder / "dreamapid.db.assets" / "plt_1" / "1-a").write_text("a")
        assert serve.stop() == 0
    assert not list(tmp_path.glob("dreamapid-*"))
