# SPDX-License-Identifier: Apache-2.0
"""dreamapi_webhook_verify against the senders' own Python packages: what they sign it takes, and on each altered delivery the two
give the same answer."""

import base64
import ctypes
import datetime

import pytest
import standardwebhooks
import stripe
import svix

import library

pytestmark = pytest.mark.plain

CODES = library.enum("error.h", "dreamapi_status")
BODY = b'{"id":"evt_1","object":"event","data":{"text":"\xc3\xa9"}}'
STRIPE_SECRETS = ("whsec_one", "whsec_two")
STANDARD_SECRETS = tuple("whsec_" + base64.b64encode(text).decode() for text in (b"one secret of 24 bytes..", b"another secret, 24 bytes"))


class Params(ctypes.Structure):
    """dreamapi_webhook_params."""
    _fields_ = [("struct_size", ctypes.c_size_t), ("scheme", ctypes.c_int), ("signature", ctypes.c_char_p), ("id", ctypes.c_char_p),
                ("timestamp", ctypes.c_char_p), ("body", ctypes.c_char_p), ("body_size", ctypes.c_size_t),
                ("secrets", ctypes.POINTER(ctypes.c_char_p)), ("tolerance_s", ctypes.c_int64), ("now_s", ctypes.c_int64),
                ("replays", ctypes.c_void_p)]


@pytest.fixture
def now():
    """The packages have no other clock."""
    return int(datetime.datetime.now(datetime.timezone.utc).timestamp())


@pytest.fixture(scope="module")
def lib():
    return library.load()


def verify(lib, scheme, secrets, body, signature, **headers):
    """The status's name."""
    given = (ctypes.c_char_p * (len(secrets) + 1))(*(secret.encode() for secret in secrets), None)
    texts = {name: value.encode() for name, value in {"signature": signature, **headers}.items() if value is not None}
    params = Params(struct_size=ctypes.sizeof(Params), scheme=scheme, body=body, body_size=len(body), secrets=given, tolerance_s=300,
                    **texts)
    status = lib("webhook_verify", ctypes.byref(params), None)
    return next(name for name, value in CODES.items() if value == status)


def stripe_header(secret, at, body=BODY):
    signed = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", secret)
    return f"t={at},v1={signed}"


def judged_by_stripe(header, body, secret):
    try:
        stripe.WebhookSignature.verify_header(body.decode(), header, secret, 300)
        return True
    except stripe.SignatureVerificationError:
        return False


def good(now):
    return stripe_header(STRIPE_SECRETS[0], now)


@pytest.mark.parametrize("make", [
    good, lambda now: good(now - 200), lambda now: good(now - 400), lambda now: stripe_header(STRIPE_SECRETS[1], now),
    lambda now: good(now) + ",v0=abc", lambda now: good(now) + ",v1=" + "0" * 64, lambda now: good(now).replace("v1", "v0"),
    lambda now: good(now)[:-1], lambda _: "t=,v1=", lambda _: "", lambda _: "t=abc,v1=00",
], ids=range(11))
def test_stripes_own_client_judges_a_header_as_the_library(lib, now, make):
    header = make(now)
    for body in (BODY, BODY + b" "):
        ours = verify(lib, 1, STRIPE_SECRETS[:1], body, header)
        assert (ours == "DREAMAPI_OK") == judged_by_stripe(header, body, STRIPE_SECRETS[0]), ours


def test_a_header_that_stripe_signs_with_two_secrets_passes_with_either(lib, now):
    header = good(now) + "," + stripe_header(STRIPE_SECRETS[1], now).split(",")[1]
    for secrets in (STRIPE_SECRETS, STRIPE_SECRETS[:1], STRIPE_SECRETS[1:]):
        assert verify(lib, 1, secrets, BODY, header) == "DREAMAPI_OK"
        assert judged_by_stripe(header, BODY, secrets[0])


@pytest.mark.parametrize("package, prefix", [(standardwebhooks, "webhook-"), (svix, "svix-")], ids=["standardwebhooks", "svix"])
def test_the_packages_of_svix_and_standard_webhooks_judge_as_the_library(lib, now, package, prefix):
    sender = package.Webhook(STANDARD_SECRETS[0])

    def both(body, message, at, signature):
        ours = verify(lib, 2, STANDARD_SECRETS[:1], body, signature, id=message, timestamp=at)
        try:
            sender.verify(body, {prefix + "id": message, prefix + "timestamp": at, prefix + "signature": signature})
            theirs = True
        except package.webhooks.WebhookVerificationError:
            theirs = False
        assert (ours == "DREAMAPI_OK") == theirs, (ours, at, signature)
        return ours

    def sign(at, body=BODY):
        return sender.sign("msg_1", datetime.datetime.fromtimestamp(at, datetime.timezone.utc), body.decode())

    signature, at = sign(now), str(now)
    assert both(BODY, "msg_1", at, signature) == "DREAMAPI_OK"
    assert both(BODY, "msg_1", at, "v1,AAAA v1a,x " + signature) == "DREAMAPI_OK"
    assert both(BODY, "msg_2", at, signature) == "DREAMAPI_AUTH"
    assert both(BODY + b" ", "msg_1", at, signature) == "DREAMAPI_AUTH"
    assert both(BODY, "msg_1", at, signature.replace("v1,", "v2,")) == "DREAMAPI_AUTH"
    assert both(BODY, "msg_1", str(now - 400), sign(now - 400)) == "DREAMAPI_TIMEOUT"
    assert both(BODY, "msg_1", "soon", signature) == "DREAMAPI_PROTOCOL"
