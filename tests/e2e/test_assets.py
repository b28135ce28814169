# SPDX-License-Identifier: Apache-2.0
"""Uploaded files over the wire: headers, sizes, what survives a kill, where they lie, and a service without a folder for them."""

import base64
import concurrent.futures
import http.client
import os
import urllib.parse

import pytest

import daemon
import stage

LARGEST = 10 << 20


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with stage.Stage(tmp_path_factory.mktemp("assets")) as made:
        yield made


def upload(made, data, name="photo.png", kind="image/png", headers=None):
    body = {"filename": name, "data": base64.b64encode(data).decode()}
    if kind:
        body["contentType"] = kind
    sent = {"Authorization": "Bearer " + made.names["<sk-shop>"], **(headers or {})}
    return daemon.ask(made.serve.api, "POST", "/api/assets", sent, body)


def download(made, path, method="GET"):
    parts = urllib.parse.urlsplit(made.serve.api)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def files(made):
    return sorted(str(path.relative_to(made.folder)) for path in made.folder.glob("*.assets/**/*") if path.is_file())


def test_a_file_comes_back_byte_by_byte_and_may_be_kept_for_ever(shop):
    data = bytes(range(256)) * 300
    made = upload(shop, data)
    assert made.status == 200 and made.json["url"] == "/api/assets/" + made.json["key"]
    answer, body = download(shop, made.json["url"])
    assert (answer.status, body) == (200, data)
    assert answer.getheader("content-type") == "image/png"
    assert answer.getheader("cache-control") == "public, max-age=31536000, immutable"
    assert answer.getheader("x-content-type-options") == "nosniff"
    assert answer.getheader("access-control-allow-origin") == "*"
    assert answer.getheader("content-length") == str(len(data))


def test_a_page_that_was_uploaded_cannot_act_as_one_of_ours(shop):
    answer, _ = download(shop, upload(shop, b"<script>alert(1)</script>", "a.html", "text/html").json["url"])
    assert "default-src 'none'; sandbox" in answer.headers.get_all("content-security-policy")


def test_without_a_content_type_it_is_bytes(shop):
    answer, body = download(shop, upload(shop, b"hi", "../../etc/p\u00e4sswd", None).json["url"])
    assert (answer.getheader("content-type"), body) == ("application/octet-stream", b"hi")


def test_ten_mebibytes_are_taken_and_a_byte_more_is_not(shop):
    data = os.urandom(LARGEST)
    made = upload(shop, data)
    assert made.status == 200
    assert download(shop, made.json["url"])[1] == data
    for size in (LARGEST + 1, LARGEST + 1000):
        refused = upload(shop, b"x" * size)
        assert (refused.status, refused.json) == (413, {"error": "File too large", "message": "An asset has at most 10 MiB"})
    assert upload(shop, b"x" * (LARGEST + (1 << 20))).status == 413
    big = daemon.ask(shop.serve.api, "POST", "/api/data", {"Authorization": "Bearer " + shop.names["<sk-shop>"]}, "x" * (2 << 20))
    assert big.status == 413  # other endpoints take what they took before


def test_many_large_uploads_at_once_are_all_answered(shop):
    data = os.urandom(4 << 20)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: upload(shop, data, f"{i}.bin"), range(16)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) <= {200, 503} and 200 in statuses
    assert all(answer.headers["retry-after"] for answer in answers if answer.status == 503)
    keys = {answer.json["key"] for answer in answers if answer.status == 200}
    assert len(keys) == statuses.count(200)
    daemon.wait_for("a place", lambda: upload(shop, data).status == 200)


def test_what_was_answered_survives_a_kill(tmp_path):
    with stage.Stage(tmp_path) as made:
        kept = upload(made, b"kept", headers={"Idempotency-Key": "once"}).json
        made.serve.kill()
        made.start()
        assert download(made, kept["url"])[1] == b"kept"
        again = upload(made, b"kept", headers={"Idempotency-Key": "once"})
        assert (again.json, again.headers["idempotent-replayed"]) == (kept, "true")
        assert files(made) == ["stage.db.assets/" + kept["key"]]
        assert oct((made.folder / "stage.db.assets").stat().st_mode & 0o777) == "0o700"
        assert oct((made.folder / files(made)[0]).stat().st_mode & 0o777) == "0o600"


def test_the_folder_can_be_elsewhere_or_nowhere(tmp_path):
    with stage.Stage(tmp_path, env={"ASSETS_DIR": str(tmp_path / "elsewhere")}) as made:
        kept = upload(made, b"kept").json
        assert (tmp_path / "elsewhere" / kept["key"]).read_bytes() == b"kept"
        made.serve.stop()
        with daemon.Daemon(tmp_path, "--db", made.db, "--free-ports", "--assets", "off", env=made.env) as without:
            missing = daemon.ask(without.api, "GET", kept["url"])
            assert (missing.status, missing.text) == (501, "Not configured")
            assert missing.headers["content-type"] == "text/plain;charset=UTF-8"
            sent = {"Authorization": "Bearer " + made.names["<sk-shop>"]}
            assert daemon.ask(without.api, "POST", "/api/assets", sent, {"filename": "a", "data": "aGk="}).status == 501
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
