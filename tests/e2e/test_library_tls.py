# SPDX-License-Identifier: Apache-2.0
"""The library talks to `serve --tls-cert` with an authority of its own, and to nobody else who stands there: what it refuses gets no
request. Peers that get TLS wrong in other ways are tests/faults/test_tls.c."""

import re
import subprocess

import pytest

import certificates
import daemon
import library
import tenant

pytestmark = pytest.mark.plain

STATUS = library.enum("error.h", "dreamapi_status")
USER = "user_one"


@pytest.fixture(scope="module")
def lib():
    return library.load()


@pytest.fixture
def place(tmp_path):
    names = tenant.load(tmp_path, tmp_path / "t.db", [{"key": "app", "tiers": [tenant.tier("free", 10)]}], [tenant.user(USER, "app")])
    return tmp_path, names, certificates.Authority(tmp_path)


def usage_get(lib, place, ca_file, **certificate):
    """The status of one call over a service with this certificate, and whether a request arrived."""
    folder, names, authority = place
    files = authority.issue("server", **certificate)
    with daemon.Daemon(folder, "--db", folder / "t.db", "--free-ports", "--tls-cert", files[0], "--tls-key", files[1]) as serve:
        settings = {"ca_file": str(ca_file)} if ca_file else {}
        with library.Client(lib, base_url=serve.api, secret_key=names["<sk-app>"], **settings) as client:
            status = client.call("usage_get", USER)
            text = client.error.text
        assert serve.stop() == 0
        return status, '"event":"request"' in serve.log(), text


def test_the_ca_file_is_enough_to_be_served(lib, place):
    assert usage_get(lib, place, place[2].file)[:2] == (STATUS["DREAMAPI_OK"], True)


@pytest.mark.parametrize("what", ["unknown authority", "wrong name", "expired", "not yet"])
def test_a_certificate_that_does_not_do_gets_no_request(lib, place, what):
    certificate = {"wrong name": {"address": "192.0.2.1"}, "expired": {"days": (-5, -1)}, "not yet": {"days": (1, 5)}}.get(what, {})
    status, is_sent, text = usage_get(lib, place, None if what == "unknown authority" else place[2].file, **certificate)
    assert (status, is_sent) == (STATUS["DREAMAPI_TLS"], False), text


def test_one_file_says_whom_to_trust(place):
    """libcurl has a folder of authorities besides its file of them, in which OpenSSL looks for whoever the file does not know. That would trust
    more than a ca_file says; and beside a folder libcurl reads the system's file again for each connection."""
    folder, _, authority = place
    certificate, key = authority.issue("server")
    looked_at = folder / "trace"
    with daemon.Daemon(folder, "--db", folder / "t.db", "--free-ports", "--tls-cert", certificate, "--tls-key", key) as serve:
        for words, is_systems in ((["--ca-file", authority.issue("other")[0]], False), ([], True)):
            run = subprocess.run(["strace", "-f", "-qq", "-o", looked_at, "-e", "trace=%file", daemon.build_dir() / "src/cli/dreamapi", "health",
                                  "--base-url", serve.api, *words], env=daemon.environment({"DREAMAPI_SECRET_KEY": "sk_test_tls"}),
                                 capture_output=True, text=True, timeout=60)
            assert run.returncode != 0 and "certificate" in run.stderr, run
            files = re.findall(r'"/etc/ssl/certs/([^"]*)"', looked_at.read_text())
            assert set(files) == ({"ca-certificates.crt"} if is_systems else set()), files
