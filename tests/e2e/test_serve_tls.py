# SPDX-License-Identifier: Apache-2.0
"""`serve --tls-cert --tls-key`: what is spoken and what is not, files that do not do, handshakes that never end, answers that come
later than their request on a connection with more requests in it, and the sandbox's webhooks. Whom the library trusts over
it is test_library_tls.py."""

import contextlib
import resource
import select
import socket
import ssl
import urllib.parse

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

import certificates
import daemon
import tenant

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
FILES = 1024
PIPELINED = 200
START_BYTES = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # of a ClientHello whose rest never comes


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trust(authority):
    return ssl.create_default_context(cafile=authority.file)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = authority.issue("server")
    names = tenant.load(folder, folder / "t.db", [{"key": "app", "tiers": [tenant.tier("free", 1000, rateLimit=None)]}],
                        [tenant.user("user_one", "app")])
    with daemon.Daemon(folder, "--db", folder / "t.db", "--free-ports", "--tls-cert", certificate, "--tls-key", key,
                       under=("prlimit", f"--nofile={FILES}:{FILES}")) as serve:
        yield serve, names
        assert serve.stop() == 0


def address(serve):
    parts = urllib.parse.urlsplit(serve.api)
    return parts.hostname, parts.port


def connect(serve):
    return socket.create_connection(address(serve), timeout=10)


def shake_hands(serve, context):
    with connect(serve) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        return secure.version()


def any_client(highest):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # willing to do anything
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = highest
    return context


def test_the_api_answers_over_https_and_the_operators_port_stays_plain(stage, trust):
    serve, names = stage
    assert serve.api.startswith("https://127.0.0.1:")
    assert serve.admin.startswith("http://127.0.0.1:")
    assert daemon.ask(serve.api, "GET", "/health", tls=trust).json["status"] == "ok"
    assert daemon.ask(serve.admin, "GET", "/ready").status == 200
    answer = daemon.ask(serve.api, "GET", "/api/usage?userId=user_one", {"Authorization": "Bearer " + names["<sk-app>"]}, tls=trust)
    assert answer.status == 200
    with connect(serve) as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in plain.recv(100)


def test_nothing_older_than_tls_1_2_is_spoken(stage):
    serve, _ = stage
    assert shake_hands(serve, any_client(ssl.TLSVersion.TLSv1_3)) == "TLSv1.3"
    assert shake_hands(serve, any_client(ssl.TLSVersion.TLSv1_2)) == "TLSv1.2"
    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises(ssl.SSLError):
            shake_hands(serve, any_client(old))


def only(suite):
    context = any_client(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite + ":@SECLEVEL=0")
    return context


def test_ciphers_that_do_not_authenticate_what_they_encrypt_are_refused(stage):
    assert shake_hands(stage[0], only("ECDHE-ECDSA-AES128-GCM-SHA256")) == "TLSv1.2"
    for suite in ("ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"):
        with pytest.raises(ssl.SSLError):
            shake_hands(stage[0], only(suite))


def test_an_rsa_key_signs_but_opens_nothing_that_was_recorded(tmp_path, authority):
    certificate, key = authority.issue("rsa", key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    with daemon.Daemon(tmp_path, "--db", tmp_path / "r.db", "--free-ports", "--tls-cert", certificate, "--tls-key", key) as serve:
        assert shake_hands(serve, only("ECDHE-RSA-AES128-GCM-SHA256")) == "TLSv1.2"
        with pytest.raises(ssl.SSLError):
            shake_hands(serve, only("AES128-GCM-SHA256"))
        assert serve.stop() == 0


def test_an_answer_that_comes_later_loses_no_request_of_the_same_record(stage, trust):
    """Each request is answered from another thread, while the bytes of the next ones are already out of the socket and decrypted."""
    serve, names = stage
    request = (f"GET /api/usage?userId=user_one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {names['<sk-app>']}\r\n\r\n").encode()
    with connect(serve) as plain, trust.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
        secure.sendall(request * PIPELINED)  # records of 16 KiB, each with about a hundred requests
        answered, rest = 0, b""
        while answered < PIPELINED:
            piece = secure.recv(1 << 16)
            assert piece, f"closed after {answered} answers"
            data = rest + piece
            answered += data.count(b"HTTP/1.1 200 ")
            rest = data[-12:] if b"HTTP/1.1 200 " not in data[-12:] else b""
    assert answered == PIPELINED


@pytest.mark.long
def test_handshakes_that_never_finish_keep_nobody_out_for_long(stage, trust):
    serve, names = stage
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        with contextlib.ExitStack() as stack:
            for i in range(FILES + 100):
                stack.enter_context(connect(serve)).sendall(START_BYTES[:11 * (i % 2)])
            daemon.wait_for("the crowd's being let in", lambda: serve.open_files() > FILES / 2)

            def is_let_in():
                with contextlib.suppress(OSError):
                    return daemon.ask(serve.api, "GET", "/health", timeout_s=1, tls=trust).status == 200
            daemon.wait_for("a newcomer's answer", is_let_in, timeout_s=10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.long
def test_a_handshake_that_drips_is_ended(stage):
    """A byte a second is no reason to stay for ever."""
    with connect(stage[0]) as slow:
        slow.sendall(START_BYTES)

        def is_ended():
            try:
                slow.send(b"\0")
                return select.select([slow], [], [], 1)[0] and slow.recv(1) == b""
            except OSError:  # reset: there was more of ours than it cared to read
                return True
        daemon.wait_for("the end of a slow handshake", is_ended, timeout_s=60)


def refused(folder, *options):
    """What serve says on standard error when it does not start; nothing was made."""
    done = daemon.run("serve", "--db", folder / "never.db", "--free-ports", *options, check=False, timeout_s=20)
    assert not (folder / "never.db").exists()
    assert done.stdout == ""
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_files_that_do_not_do_are_told_by_name_and_cause(tmp_path, authority):
    certificate, key = authority.issue("one")
    _, other_key = authority.issue("other")
    sealed, garbage, secret = tmp_path / "sealed.key", tmp_path / "garbage.pem", tmp_path / "none.pem"
    sealed.write_bytes(certificates.key_pem(certificates.ec.generate_private_key(certificates.ec.SECP256R1()), b"horse"))
    garbage.write_text("-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n")
    for pair, file, why in (((secret, key), secret, "No such file"), ((certificate, secret), secret, "No such file"),
                            ((tmp_path, key), tmp_path, "Is a directory"), ((garbage, key), garbage, "no certificate"),
                            ((key, key), key, "no certificate"), ((certificate, certificate), certificate, "no private key"),
                            ((certificate, sealed), sealed, "passphrase"),
                            ((certificate, other_key), other_key, "not the key of the certificate")):
        status, text = refused(tmp_path, "--tls-cert", pair[0], "--tls-key", pair[1])
        assert (status, str(file) in text, why in text) == (1, True, True), text
    for only in (("--tls-cert", certificate), ("--tls-key", key)):
        status, text = refused(tmp_path, *only)
        assert (status, "go together" in text) == (2, True), text


def test_a_certificate_out_of_its_time_and_a_key_that_all_may_read_are_warnings(tmp_path, authority):
    certificate, key = authority.issue("expired", days=(-5, -1))
    key.chmod(0o644)
    with daemon.Daemon(tmp_path, "--db", tmp_path / "w.db", "--free-ports", "--tls-cert", certificate, "--tls-key", key) as serve:
        assert '"event":"tls_certificate_out_of_date"' in serve.log() and "it has expired" in serve.log()
        assert '"event":"tls_key_is_readable_by_all"' in serve.log()
        with connect(serve) as idle:  # ends while a handshake is under way
            idle.sendall(START_BYTES)
            assert serve.stop() == 0


def test_the_sandbox_delivers_to_the_service_over_https_whatever_name_its_certificate_has(tmp_path, authority, trust):
    certificate, key = authority.issue("elsewhere", address="192.0.2.1")
    db = tmp_path / "s.db"
    made = tenant.create(db, tmp_path, env=None)
    trust = ssl.create_default_context(cafile=authority.file)
    trust.check_hostname = False
    with daemon.Daemon(tmp_path, "--db", db, "--sandbox", "--free-ports", "--tls-cert", certificate, "--tls-key", key) as serve:
        answer = daemon.ask(serve.api, "POST", "/api/customers", {"Authorization": "Bearer " + made["secretKey"]},
                            {"email": "ada@example.test", "plan": "free"}, tls=trust)
        assert answer.status in (200, 201), answer
        daemon.wait_for("the delivery of user.created", lambda: any(
            line.startswith("dreamapid_sandbox_deliveries_total") and 'result="taken"' in line and not line.endswith(" 0")
            for line in daemon.ask(serve.admin, "GET", "/metrics").text.splitlines()))
        assert serve.stop() == 0
