# SPDX-License-Identifier: Apache-2.0
"""The official clients of Stripe and Clerk (PyPI `stripe`, `clerk-backend-api`, `svix`) judge the sandbox: what they cannot read, or
read otherwise than from the real services, is wrong. Webhooks are checked by Stripe's and svix's own verification, tokens by
`cryptography` against the published keys. The sandbox runs alone here, as sandbox_main; dreamapid is not involved."""

import base64
import json
import pathlib
import re
import selectors
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import stripe
import svix.webhooks
from clerk_backend_api import Clerk, models
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

import daemon
import listener

# Clerk's client warns of fields of its own that it will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

GOOD_CARD = {"card_number": "4242 4242 4242 4242", "exp": "12 / 40", "cvc": "123"}
SUCCESS_URL = "http://127.0.0.1:1/done?session={CHECKOUT_SESSION_ID}"
CANCEL_URL = "http://127.0.0.1:1/cart"


class Sandbox:
    """sandbox_main over one file; `line` is what it printed."""

    def __init__(self, path, *webhook_urls, clerk_urls=()):
        program = daemon.build_dir() / "tests/unit/sandbox/sandbox_main"
        assert program.exists(), f"no sandbox_main in {daemon.build_dir()}: build it with -Dtests=true"
        self.log = open(f"{path}.log", "ab")
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", str(program), str(path), *webhook_urls,
                                         "--clerk", *clerk_urls],
                                        env=daemon.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            ready = selector.select(20)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            self.kill()
            raise AssertionError(f"sandbox_main did not start: {pathlib.Path(f'{path}.log').read_text()}")
        self.line = json.loads(line)

    def stop(self):
        self.process.terminate()
        status = self.process.wait(15)
        self._close()
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self):
        self.process.stdout.close()
        self.log.close()

    def stripe(self, mode="live", key=None):
        endpoint = self.line["stripe"][mode]
        return stripe.StripeClient(key or endpoint["secretKey"], base_addresses={"api": endpoint["url"]}, max_network_retries=0)

    def clerk(self, app="clerkEndUser", mode="live", key=None):
        endpoint = self.line[app][mode]
        return Clerk(bearer_auth=key or endpoint["secretKey"], server_url=endpoint["url"] + "/v1")


class Receiver:
    """A webhook endpoint that takes note. `refuse` is how many deliveries it answers with 500 first."""

    def __init__(self, refuse=0):
        self.calls = []
        self.refuse = refuse
        receiver = self

        class Handler(listener.Handler):
            def do_POST(self):
                receiver.calls.append((time.monotonic(), dict(self.headers), self.body()))
                self.answer(500 if len(receiver.calls) <= receiver.refuse else 200)

        self.server = listener.Listener(Handler)
        self.url = f"{self.server.url}/webhook"

    def events(self, secret, account=None):
        """What was taken, verified by Stripe's own library."""
        taken = [stripe.Webhook.construct_event(body, headers["Stripe-Signature"], secret)
                 for _, headers, body in self.calls[self.refuse:]]
        return [event for event in taken if account is None or getattr(event, "account", None) == account]

    def messages(self, secret):
        """What was taken of Clerk's, verified by svix's own library."""
        for _, headers, body in self.calls[self.refuse:]:
            svix.webhooks.Webhook(secret).verify(body, headers)
        return [json.loads(body) for _, _, body in self.calls[self.refuse:]]

    def close(self):
        self.server.close()


@pytest.fixture(scope="module")
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture(scope="module")
def box(tmp_path_factory, receiver):
    one = Sandbox(tmp_path_factory.mktemp("sandbox") / "state.db", receiver.url)
    yield one
    assert one.stop() == 0


class Shop:
    """A connected account with a monthly price and a single one."""

    def __init__(self, box, mode="live"):
        self.client = box.stripe(mode)
        self.account = self.client.v1.accounts.create({"type": "standard", "email": "shop@example.test"})
        self.own = {"stripe_account": self.account.id}
        self.product = self.client.v1.products.create({"name": "Pro Plan", "metadata": {"tier": "pro"}}, self.own)
        self.monthly = self.client.v1.prices.create({"product": self.product.id, "unit_amount": 2900, "currency": "usd",
                                                     "recurring": {"interval": "month"}}, self.own)
        self.once = self.client.v1.prices.create({"product_data": {"name": "T-Shirt"}, "unit_amount": 2500, "currency": "usd"},
                                                 self.own)

    def checkout(self, **params):
        base = {"mode": "subscription", "line_items": [{"price": self.monthly.id, "quantity": 1}], "success_url": SUCCESS_URL,
                "cancel_url": CANCEL_URL}
        return self.client.v1.checkout.sessions.create({**base, **params}, self.own)

    def buy(self, **params):
        session = self.checkout(**{"customer_email": "buyer@example.test", **params})
        assert submit(session.url, **GOOD_CARD).status == 303
        return self.client.v1.checkout.sessions.retrieve(session.id, {}, self.own)


@pytest.fixture(scope="module")
def shop(box):
    return Shop(box)


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def fetch(url, data=None, headers=None):
    """The answer, whatever its status; redirects are not followed."""
    request = urllib.request.Request(url, data, headers or {})
    try:
        answer = urllib.request.build_opener(_Stay).open(request, timeout=15)
    except urllib.error.HTTPError as error:
        answer = error
    answer.text = answer.read().decode()
    return answer


def submit(url, **fields):
    return fetch(url, urllib.parse.urlencode(fields).encode())


def decode(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified_claims(token, keys):
    """The claims of a token whose signature holds with the published key it names."""
    head, payload, signature = token.split(".")
    header = json.loads(decode(head))
    assert header["alg"] == "RS256" and header["typ"] == "JWT"
    key = next(key for key in keys if key.kid == header["kid"])
    numbers = rsa.RSAPublicNumbers(int.from_bytes(decode(key.e), "big"), int.from_bytes(decode(key.n), "big"))
    numbers.public_key().verify(decode(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return json.loads(decode(payload))


# ---- Clerk ----


def make_user(clerk, email, **fields):
    return clerk.users.create(email_address=[email], **fields)


def refusal(call, **kwargs):
    """Status and first error. The client knows the envelope for some statuses of each call only, so it is read here."""
    with pytest.raises(models.ClerkBaseError) as caught:
        call(**kwargs)
    return caught.value.status_code, models.ClerkErrorsData.model_validate_json(caught.value.body).errors[0]


def test_clerk_user_is_made_read_changed_and_removed(box):
    clerk = box.clerk()
    made = make_user(clerk, "Ada@Example.test", first_name="Ada", last_name="L", password="correct horse",
                     public_metadata={"plan": "free"}, private_metadata={"note": "x"}, unsafe_metadata={"theme": "dark"})
    assert re.fullmatch(r"user_[0-9A-Za-z]{27}", made.id)
    assert made.email_addresses[0].email_address == "ada@example.test"
    assert made.primary_email_address_id == made.email_addresses[0].id and made.password_enabled
    read = clerk.users.get(user_id=made.id)
    assert (read.first_name, read.public_metadata, read.private_metadata, read.unsafe_metadata) == (
        "Ada", {"plan": "free"}, {"note": "x"}, {"theme": "dark"})
    assert abs(read.created_at / 1000 - time.time()) < 60
    changed = clerk.users.update(user_id=made.id, last_name="Lovelace")
    assert (changed.first_name, changed.last_name) == ("Ada", "Lovelace") and changed.updated_at >= made.updated_at
    gone = clerk.users.delete(user_id=made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "user", True)
    status, error = refusal(clerk.users.get, user_id=made.id)
    assert (status, error.code, error.message) == (404, "resource_not_found", "Not Found")


def test_clerk_metadata_is_merged_deeply_and_null_removes(box):
    clerk = box.clerk()
    user = make_user(clerk, "meta@example.test", public_metadata={"plan": "free", "deep": {"a": 1, "b": {"c": 2, "d": 3}}})
    merged = clerk.users.update_metadata(user_id=user.id, public_metadata={"plan": "pro", "deep": {"b": {"c": None, "e": 4}}})
    assert merged.public_metadata == {"plan": "pro", "deep": {"a": 1, "b": {"d": 3, "e": 4}}}
    assert clerk.users.get(user_id=user.id).public_metadata == merged.public_metadata


def test_clerk_patch_of_a_user_replaces_metadata(box):
    endpoint = box.line["clerkEndUser"]["live"]
    user = make_user(box.clerk(), "patch@example.test", public_metadata={"plan": "pro", "publishableKey": "pk"})
    answer = daemon.ask(endpoint["url"], "PATCH", f"/v1/users/{user.id}", {"Authorization": f"Bearer {endpoint['secretKey']}"},
                        json.dumps({"public_metadata": {"plan": "free"}}))
    assert answer.status == 200 and answer.json["public_metadata"] == {"plan": "free"}


@pytest.mark.parametrize("fields, code, message", [
    ({"email_address": ["TAKEN@example.test"]}, "form_identifier_exists", "That email address is taken. Please try another."),
    ({"email_address": ["not-an-email"]}, "form_param_format_invalid", "is invalid"),
    ({"email_address": ["a@b.test"], "password": "abc"}, "form_password_length_too_short", "Passwords must be 8 characters or more."),
    ({"email_address": []}, "form_data_missing", "missing data"),
])
def test_clerk_refuses_a_user(box, fields, code, message):
    clerk = box.clerk()
    if not clerk.users.list(request={"email_address": ["taken@example.test"]}):
        make_user(clerk, "taken@example.test")
    before = clerk.users.count(request={}).total_count
    status, error = refusal(clerk.users.create, **fields)
    assert (status, error.code, error.message) == (422, code, message)
    assert clerk.users.count(request={}).total_count == before


def test_clerk_address_of_a_removed_user_is_free_again(box):
    clerk = box.clerk()
    clerk.users.delete(user_id=make_user(clerk, "again@example.test").id)
    assert make_user(clerk, "again@example.test").id


def test_clerk_refuses_parameters_it_does_not_know(box):
    endpoint = box.line["clerkEndUser"]["live"]
    answer = daemon.ask(endpoint["url"], "POST", "/v1/users", {"Authorization": f"Bearer {endpoint['secretKey']}"},
                        json.dumps({"email_address": ["k@example.test"], "emailAddress": "typo"}))
    assert answer.status == 422 and answer.json["errors"][0]["code"] == "form_param_unknown"


@pytest.mark.parametrize("body", ["{", "[]", '{"email_address":["a@b.test"],"email_address":["c@d.test"]}', '"text"', "\x00"])
def test_clerk_refuses_what_is_no_json_object(box, body):
    endpoint = box.line["clerkEndUser"]["live"]
    answer = daemon.ask(endpoint["url"], "POST", "/v1/users", {"Authorization": f"Bearer {endpoint['secretKey']}"}, body)
    assert answer.status == 400 and answer.json["errors"][0]["code"] == "request_body_invalid"


def test_clerk_lists_users_by_page_order_and_filter(box):
    clerk = box.clerk("clerkPlatform", "test")
    ids = [make_user(clerk, f"list{n}@example.test", first_name=name).id for n, name in enumerate(["Cy", "Al", "Bo"])]
    listed = [user.id for user in clerk.users.list(request={})]
    assert listed == ids[::-1]
    assert [user.id for user in clerk.users.list(request={"limit": 1, "offset": 1})] == [ids[1]]
    assert [user.first_name for user in clerk.users.list(request={"order_by": "+first_name"})] == ["Al", "Bo", "Cy"]
    assert [user.id for user in clerk.users.list(request={"order_by": "created_at"})] == ids
    assert [user.id for user in clerk.users.list(request={"email_address": ["LIST2@example.test", "none@example.test"]})] == [ids[2]]
    assert [user.id for user in clerk.users.list(request={"query": "list1@"})] == [ids[1]]
    assert [user.id for user in clerk.users.list(request={"user_id": [ids[0]]})] == [ids[0]]
    assert clerk.users.count(request={}).total_count == 3
    assert clerk.users.count(request={"query": "list"}).total_count == 3
    assert refusal(clerk.users.list, request={"order_by": "shoe_size"})[0] == 422


def test_clerk_password_is_checked_and_not_kept_in_clear(tmp_path):
    box = Sandbox(tmp_path / "state.db")
    clerk = box.clerk()
    user = make_user(clerk, "pw@example.test", password="a rather long secret")
    assert clerk.users.verify_password(user_id=user.id, password="a rather long secret").verified
    status, error = refusal(clerk.users.verify_password, user_id=user.id, password="a rather long guess!")
    assert (status, error.code) == (422, "form_password_incorrect")
    box.kill()
    for file in tmp_path.iterdir():
        assert b"a rather long secret" not in file.read_bytes()


@pytest.mark.parametrize("app, mode", [("clerkEndUser", "test"), ("clerkPlatform", "live")])
def test_clerk_instances_share_nothing(box, app, mode):
    user = make_user(box.clerk(), f"alone-{app}-{mode}@example.test")
    assert refusal(box.clerk(app, mode).users.get, user_id=user.id)[0] == 404
    assert box.clerk(app, mode).jwks.get_jwks().keys[0].kid != box.clerk().jwks.get_jwks().keys[0].kid
    stranger = box.clerk(key=box.line[app][mode]["secretKey"])
    with pytest.raises(models.ClerkErrors) as caught:
        stranger.users.list(request={})
    assert caught.value.status_code == 401 and caught.value.data.errors[0].code == "clerk_key_invalid"


def test_clerk_wants_a_bearer_key(box):
    answer = fetch(box.line["clerkEndUser"]["live"]["url"] + "/v1/users")
    assert answer.status == 401 and json.loads(answer.text)["errors"][0]["code"] == "authorization_header_format_invalid"


def test_clerk_session_token_is_signed_by_the_published_key(box):
    clerk = box.clerk()
    user = make_user(clerk, "token@example.test")
    session = clerk.sessions.create(request={"user_id": user.id})
    assert session.status == "active" and session.user_id == user.id
    token = clerk.sessions.create_token(session_id=session.id).jwt
    claims = verified_claims(token, clerk.jwks.get_jwks().keys)
    assert (claims["sub"], claims["sid"], claims["iss"]) == (user.id, session.id, box.line["clerkEndUser"]["live"]["url"])
    assert claims["exp"] - claims["iat"] == 60 and claims["nbf"] <= claims["iat"] <= time.time() + 1
    assert clerk.jwks.get_jwks().keys[0].kid.startswith("ins_")
    longer = verified_claims(clerk.sessions.create_token(session_id=session.id, expires_in_seconds=600).jwt,
                             clerk.jwks.get_jwks().keys)
    assert longer["exp"] - longer["iat"] == 600


def test_clerk_publishes_its_keys_without_a_key_too(box):
    answer = fetch(box.line["clerkEndUser"]["live"]["url"] + "/.well-known/jwks.json")
    assert answer.status == 200 and json.loads(answer.text)["keys"][0]["kid"] == box.clerk().jwks.get_jwks().keys[0].kid


def test_clerk_has_the_end_user_template_from_the_start(box):
    clerk = box.clerk()
    metadata = {"publishableKey": "pk_live_x", "plan": "pro", "stripeCustomerId": "cus_1", "subscriptionId": "sub_1"}
    user = make_user(clerk, "claims@example.test", public_metadata=metadata)
    session = clerk.sessions.create(request={"user_id": user.id})
    token = clerk.sessions.create_token_from_template(session_id=session.id, template_name="end-user-api").jwt
    claims = verified_claims(token, clerk.jwks.get_jwks().keys)
    assert {name: claims[name] for name in metadata} == metadata
    assert claims["publicMetadata"] == metadata and claims["email"] == "claims@example.test" and claims["sub"] == user.id
    bare = clerk.sessions.create(request={"user_id": make_user(clerk, "bare@example.test").id})
    claims = verified_claims(clerk.sessions.create_token_from_template(session_id=bare.id, template_name="end-user-api").jwt,
                             clerk.jwks.get_jwks().keys)
    assert claims["plan"] is None and claims["publicMetadata"] == {}


def make_template(box, name, claims):
    """Not by the client: its model of the claims drops them all."""
    endpoint = box.line["clerkEndUser"]["live"]
    return daemon.ask(endpoint["url"], "POST", "/v1/jwt_templates", {"Authorization": f"Bearer {endpoint['secretKey']}"},
                      json.dumps({"name": name, "lifetime": 90, "claims": claims}))


def test_clerk_template_shortcodes(box):
    clerk = box.clerk()
    made = make_template(box, "codes", {
        "hello": "Hi {{user.first_name}} {{ user.last_name || 'Nobody' }}!", "all": "{{user.public_metadata}}", "static": [1, {"x": True}],
        "deep": {"n": "{{user.public_metadata.deep.n}}"}, "missing": "{{user.public_metadata.nothing}}",
        "private": "{{user.private_metadata.secret}}", "first": "{{user.username || user.first_name || 'x'}}"})
    assert made.status == 200 and "codes" in [template.name for template in clerk.jwt_templates.list()]
    assert clerk.jwt_templates.get(template_id=made.json["id"]).lifetime == 90
    user = make_user(clerk, "codes@example.test", first_name="Ann", public_metadata={"deep": {"n": 7}},
                     private_metadata={"secret": "s"})
    session = clerk.sessions.create(request={"user_id": user.id})
    claims = verified_claims(clerk.sessions.create_token_from_template(session_id=session.id, template_name="codes").jwt,
                             clerk.jwks.get_jwks().keys)
    expected = {"hello": "Hi Ann Nobody!", "all": {"deep": {"n": 7}}, "static": [1, {"x": True}], "deep": {"n": 7},
                "missing": None, "private": None, "first": "Ann"}
    assert {name: claims[name] for name in expected} == expected
    assert claims["exp"] - claims["iat"] == 90
    assert refusal(clerk.jwt_templates.create, request={"name": "codes", "claims": {}})[0] == 422
    reserved = make_template(box, "bad", {"sub": "me"})
    assert reserved.status == 422 and reserved.json["errors"][0]["code"] == "jwt_template_reserved_claim"


def test_clerk_revoked_session_gives_no_more_tokens(box):
    clerk = box.clerk()
    user = make_user(clerk, "revoke@example.test")
    session = clerk.sessions.create(request={"user_id": user.id})
    assert clerk.sessions.revoke(session_id=session.id).status == "revoked"
    assert clerk.sessions.get(session_id=session.id).status == "revoked"
    assert refusal(clerk.sessions.create_token, session_id=session.id)[0] == 404
    assert [one.id for one in clerk.sessions.list(user_id=user.id)] == [session.id]
    assert refusal(clerk.sessions.create, request={"user_id": "user_none"})[0] == 404
    alive = clerk.sessions.create(request={"user_id": user.id})
    assert refusal(clerk.sessions.create_token_from_template, session_id=alive.id, template_name="none")[0] == 404
    clerk.users.delete(user_id=user.id)
    assert refusal(clerk.sessions.create_token, session_id=alive.id)[0] == 404


# ---- Stripe: accounts and keys ----


def test_stripe_key_must_be_right_and_of_the_mode(box):
    wrong = box.stripe(key=box.line["stripe"]["test"]["secretKey"])
    with pytest.raises(stripe.AuthenticationError) as caught:
        wrong.v1.customers.list()
    assert caught.value.http_status == 401 and "Invalid API Key provided: sk_test_" in str(caught.value)
    assert box.line["stripe"]["test"]["secretKey"] not in str(caught.value)
    answer = fetch(box.line["stripe"]["live"]["url"] + "/v1/customers")
    assert answer.status == 401 and "You did not provide an API key" in answer.text


def test_stripe_takes_the_key_as_basic_user_name(box):
    endpoint = box.line["stripe"]["live"]
    basic = base64.b64encode(f"{endpoint['secretKey']}:".encode()).decode()
    answer = fetch(endpoint["url"] + "/v1/account", headers={"Authorization": f"Basic {basic}"})
    assert answer.status == 200 and json.loads(answer.text)["object"] == "account"
    assert answer.headers["Request-Id"].startswith("req_")


def test_stripe_accounts_are_apart(box, shop):
    other = Shop(box)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.prices.retrieve(shop.monthly.id, {}, other.own)
    assert (caught.value.http_status, caught.value.code, str(caught.value.user_message)) == (
        404, "resource_missing", f"No such price: '{shop.monthly.id}'")
    with pytest.raises(stripe.PermissionError) as caught:
        shop.client.v1.prices.list({}, {"stripe_account": "acct_none"})
    assert "does not have access to account 'acct_none'" in str(caught.value)


def test_stripe_connected_key_sees_its_own_account_only(box, shop):
    own = box.stripe(key=shop.account["keys"]["secret"])
    assert own.v1.accounts.retrieve_current().id == shop.account.id
    assert own.v1.prices.retrieve(shop.monthly.id).id == shop.monthly.id
    with pytest.raises(stripe.PermissionError):
        own.v1.prices.list({}, {"stripe_account": Shop(box).account.id})
    assert "keys" not in shop.client.v1.accounts.retrieve(shop.account.id)
    assert box.stripe().v1.accounts.retrieve_current().id != shop.account.id


def test_stripe_request_of_an_unknown_address_or_parameter(box, shop):
    endpoint = box.line["stripe"]["live"]
    answer = fetch(endpoint["url"] + "/v1/nothing", headers={"Authorization": f"Bearer {endpoint['secretKey']}"})
    assert answer.status == 404 and "Unrecognized request URL (GET: /v1/nothing)" in answer.text
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.customers.create({"nickname": "x"}, shop.own)
    assert (caught.value.code, caught.value.param) == ("parameter_unknown", "nickname")


def test_stripe_idempotency_key_does_the_work_once(shop):
    options = {**shop.own, "idempotency_key": "order-1"}
    first = shop.client.v1.customers.create({"email": "once@example.test"}, options)
    again = shop.client.v1.customers.create({"email": "once@example.test"}, options)
    assert again.id == first.id and again.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(shop.client.v1.customers.list({"email": "once@example.test"}, shop.own).data) == 1
    with pytest.raises(stripe.IdempotencyError) as caught:
        shop.client.v1.customers.create({"email": "twice@example.test"}, options)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        shop.client.v1.products.create({"name": "Other"}, options)
    refused = {**shop.own, "idempotency_key": "order-2"}
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.customers.create({"email": "bad"}, refused)
    assert shop.client.v1.customers.create({"email": "good@example.test"}, refused).id


# ---- Stripe: customers, products, prices ----


def test_stripe_customer_life(shop):
    client, own = shop.client, shop.own
    made = client.v1.customers.create({"email": "c@example.test", "name": "Cy", "metadata": {"a": "1", "b": "2"},
                                       "address": {"city": "Bern", "country": "CH"}}, own)
    assert made.livemode is True and made.metadata.to_dict() == {"a": "1", "b": "2"} and made.address.city == "Bern"
    changed = client.v1.customers.update(made.id, {"name": "", "metadata": {"a": "", "c": "3"}}, own)
    assert changed.name is None and changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert client.v1.customers.delete(made.id, {}, own).deleted is True
    assert client.v1.customers.retrieve(made.id, {}, own).deleted is True
    assert made.id not in [one.id for one in client.v1.customers.list({}, own).data]
    types = [event.type for event in client.v1.events.list({"limit": 3}, own).data]
    assert types == ["customer.deleted", "customer.updated", "customer.created"]
    previous = client.v1.events.list({"type": "customer.updated", "limit": 1}, own).data[0].data.previous_attributes
    assert previous.to_dict() == {"name": "Cy", "metadata": {"a": "1", "c": None}}


def test_stripe_lists_are_paged_newest_first(box):
    shop = Shop(box)
    ids = [shop.client.v1.customers.create({"description": str(n)}, shop.own).id for n in range(7)]
    page = shop.client.v1.customers.list({"limit": 3}, shop.own)
    assert [one.id for one in page.data] == ids[:3:-1] and page.has_more
    assert [one.id for one in page.auto_paging_iter()] == ids[::-1]
    back = shop.client.v1.customers.list({"limit": 2, "ending_before": ids[0]}, shop.own)
    assert [one.id for one in back.data] == [ids[2], ids[1]] and back.has_more
    assert shop.client.v1.customers.list({"created": {"gt": int(time.time()) + 60}}, shop.own).data == []
    for params in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"starting_after": "cus_none"}):
        with pytest.raises(stripe.InvalidRequestError):
            shop.client.v1.customers.list(params, shop.own)


def test_stripe_product_and_price_life(shop):
    client, own = shop.client, shop.own
    product = client.v1.products.create({"name": "Mug", "images": ["https://img.example.test/m.png"], "default_price_data":
                                         {"currency": "EUR", "unit_amount": 1250}}, own)
    price = client.v1.prices.retrieve(product.default_price, {"expand": ["product"]}, own)
    assert (price.unit_amount, price.currency, price.type, price.product.name) == (1250, "eur", "one_time", "Mug")
    assert client.v1.prices.update(price.id, {"active": False, "nickname": "old"}, own).active is False
    assert client.v1.prices.list({"product": product.id, "active": True}, own).data == []
    assert client.v1.products.update(product.id, {"active": False, "name": "Big mug"}, own).name == "Big mug"
    yearly = client.v1.prices.create({"product": product.id, "unit_amount": 100, "currency": "usd", "recurring":
                                      {"interval": "year", "interval_count": 2}, "lookup_key": "two-years"}, own)
    assert (yearly.recurring.interval, yearly.recurring.interval_count) == ("year", 2)
    assert [one.id for one in client.v1.prices.list({"lookup_keys": ["two-years"]}, own).data] == [yearly.id]


def test_stripe_own_ids(shop):
    client, own = shop.client, shop.own
    assert client.v1.products.create({"id": "prod_mine", "name": "Mine"}, own).id == "prod_mine"
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.products.create({"id": "prod_mine", "name": "Mine"}, own)
    assert caught.value.code == "resource_already_exists"


@pytest.mark.parametrize("params, param, code", [
    ({"currency": "usd", "unit_amount": 1}, "product", "parameter_missing"),
    ({"currency": "usd", "unit_amount": 1, "product": "prod_none"}, "product", "resource_missing"),
    ({"unit_amount": 1, "product": "PRODUCT"}, "currency", "parameter_missing"),
    ({"currency": "dollars", "unit_amount": 1, "product": "PRODUCT"}, "currency", None),
    ({"currency": "usd", "unit_amount": "12.5", "product": "PRODUCT"}, "unit_amount", "parameter_invalid_integer"),
    ({"currency": "usd", "unit_amount": -1, "product": "PRODUCT"}, "unit_amount", "parameter_invalid_integer"),
    ({"currency": "usd", "unit_amount": 999999999999, "product": "PRODUCT"}, "unit_amount", "parameter_invalid_integer"),
    ({"currency": "usd", "product": "PRODUCT"}, "unit_amount", "parameter_missing"),
    ({"currency": "usd", "unit_amount": 1, "product": "PRODUCT", "recurring": {"interval": "hour"}}, "recurring[interval]", None),
    ({"currency": "usd", "unit_amount": 1, "product": "PRODUCT", "metadata": {"k" * 41: "v"}}, f"metadata[{'k' * 41}]", None),
    ({"currency": "usd", "unit_amount": 1, "product": "PRODUCT", "metadata": {"k": "v" * 501}}, "metadata[k]", None),
])
def test_stripe_refuses_a_price(shop, params, param, code):
    if params.get("product") == "PRODUCT":
        params = {**params, "product": shop.product.id}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.prices.create(params, shop.own)
    assert (caught.value.http_status, caught.value.param, caught.value.code) == (400, param, code)


# ---- Stripe: checkout ----


def test_stripe_checkout_session_as_the_service_makes_it(box, shop):
    session = shop.checkout(customer_email="buyer@example.test", client_reference_id="user_1", metadata={"userId": "user_1", "tier": "pro"},
                            subscription_data={"metadata": {"userId": "user_1"}}, expand=["line_items"])
    assert re.fullmatch(r"cs_live_[0-9A-Za-z]{58}", session.id)
    assert session.url == f"{box.line['stripe']['live']['url']}/pay/{session.id}"
    assert (session.status, session.payment_status, session.amount_total, session.currency) == ("open", "unpaid", 2900, "usd")
    assert session.line_items.data[0].price.id == shop.monthly.id and session.metadata.tier == "pro"
    lines = shop.client.v1.checkout.sessions.line_items.list(session.id, {}, shop.own)
    assert (lines.data[0].description, lines.data[0].quantity, lines.data[0].amount_total) == ("Pro Plan", 1, 2900)
    assert not [name for name in session.to_dict() if name.startswith("_")]


def test_stripe_checkout_takes_an_empty_customer_email(shop):
    assert shop.checkout(customer_email="").customer_email is None


@pytest.mark.parametrize("params, param, code", [
    ({"line_items": [{"price": "price_none", "quantity": 1}]}, "line_items[0][price]", "resource_missing"),
    ({"line_items": []}, "line_items", "parameter_missing"),
    ({"success_url": "not an address"}, "success_url", "url_invalid"),
    ({"success_url": "javascript:alert(1)"}, "success_url", "url_invalid"),
    ({"cancel_url": "ftp://x.test"}, "cancel_url", "url_invalid"),
    ({"mode": "setup"}, "mode", None),
    ({"mode": "payment"}, "line_items", None),
    ({"customer_email": "nope"}, "customer_email", "email_invalid"),
    ({"customer": "cus_none"}, "customer", "resource_missing"),
    ({"subscription_data": {"trial_perid_days": 3}}, "subscription_data[trial_perid_days]", "parameter_unknown"),
    ({"subscription_data": {"trial_period_days": 0}}, "subscription_data[trial_period_days]", "parameter_invalid_integer"),
    ({"expires_at": 5}, "expires_at", "parameter_invalid_integer"),
])
def test_stripe_refuses_a_checkout(shop, params, param, code):
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.checkout(**params)
    assert (caught.value.http_status, caught.value.param, caught.value.code) == (400, param, code)


def test_stripe_refuses_a_line_that_cannot_be_sold(shop):
    old = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 1, "currency": "usd", "active": False,
                                        "recurring": {"interval": "month"}}, shop.own)
    euro = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 1, "currency": "eur",
                                         "recurring": {"interval": "month"}}, shop.own)
    for lines in ([{"price": old.id, "quantity": 1}], [{"price": shop.monthly.id}], [{"price": shop.monthly.id, "quantity": 0}],
                  [{"price": shop.monthly.id, "quantity": 1}, {"price": euro.id, "quantity": 1}], [{"price": shop.once.id, "quantity": 1}]):
        with pytest.raises(stripe.InvalidRequestError):
            shop.checkout(line_items=lines)


def test_stripe_refused_checkout_leaves_nothing_behind(shop):
    before = len(shop.client.v1.products.list({"limit": 100}, shop.own).data)
    with pytest.raises(stripe.InvalidRequestError):
        shop.checkout(mode="payment", line_items=[{"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 5, "product_data":
                      {"name": "Ghost"}}}, {"price": "price_none", "quantity": 1}])
    assert len(shop.client.v1.products.list({"limit": 100}, shop.own).data) == before


# ---- the pay page ----


def test_page_shows_what_is_bought_without_script(shop):
    page = fetch(shop.checkout().url)
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8"
    for text in ("SANDBOX", "Pro Plan", "$29.00", "per month", 'name="email"', 'name="card_number"', 'name="exp"', 'name="cvc"', CANCEL_URL):
        assert text in page.text
    assert "<script" not in page.text and page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy


def test_page_escapes_what_comes_from_outside(shop):
    product = shop.client.v1.products.create({"name": "<img src=x onerror=alert(1)>\"'&"}, shop.own)
    price = shop.client.v1.prices.create({"product": product.id, "unit_amount": 5, "currency": "usd"}, shop.own)
    session = shop.checkout(mode="payment", line_items=[{"price": price.id, "quantity": 1}], cancel_url="http://127.0.0.1:1/?a='b&c=d")
    page = submit(session.url, email='"><script>alert(1)</script>', card_number="\"'<b>", exp="</form>", cvc="<i>")
    assert page.status == 422
    assert "<img" not in page.text and "<script" not in page.text and "<b>" not in page.text and "<i>" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;" in page.text and "?a=&#39;b&amp;c=d" in page.text


@pytest.mark.parametrize("fields, status, text", [
    ({"card_number": "4242 4242 4242 4241"}, 422, "Your card number is invalid."),
    ({"card_number": ""}, 422, "Enter a card number."),
    ({"exp": "01/20"}, 422, "in the past"),
    ({"exp": "13/40"}, 422, "expiration date is invalid"),
    ({"cvc": "12"}, 422, "three digits"),
    ({"email": "nope"}, 422, "email address is incomplete"),
    ({"email": ""}, 422, "Enter your email address."),
    ({"card_number": "4000 0000 0000 0002"}, 402, "Your card was declined."),
    ({"card_number": "4000000000009995"}, 402, "insufficient funds"),
    ({"card_number": "4000000000009987"}, 402, "Your card was declined."),
    ({"card_number": "4000000000009979"}, 402, "Your card was declined."),
    ({"card_number": "4000000000000069"}, 402, "Your card has expired."),
    ({"card_number": "4000000000000127"}, 402, "Your card&#39;s security code is incorrect."),
    ({"card_number": "4000000000000119"}, 402, "An error occurred while processing your card."),
    ({"card_number": "4000000000000341"}, 402, "Your card was declined."),
    ({"card_number": "4111 1111 1111 1111"}, 402, "use the test card"),
    ({"card_number": "378282246310005"}, 422, "four digits"),
])
def test_page_says_what_is_wrong_and_takes_nothing(shop, fields, status, text):
    session = shop.checkout()
    page = submit(session.url, **{"email": "b@example.test", **GOOD_CARD, **fields})
    assert page.status == status and text in page.text and 'role="alert"' in page.text
    assert 'value="123"' not in page.text
    assert shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).status == "open"
    assert submit(session.url, email="b@example.test", **GOOD_CARD).status == 303


@pytest.mark.parametrize("card, code", [("5555 5555 5555 4444", "123"), ("3782 822463 10005", "1234"), ("6011111111111117", "123")])
def test_other_brands_pay(shop, card, code):
    session = shop.checkout(customer_email="brand@example.test")
    assert submit(session.url, card_number=card, exp="12/40", cvc=code).status == 303
    assert shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).status == "complete"


def test_card_that_wants_confirmation_pays_when_it_is_confirmed(box, shop):
    base = box.line["stripe"]["live"]["url"]
    session = shop.checkout()
    assert fetch(session.url + "/confirm").headers["Location"] == urllib.parse.urlsplit(session.url).path
    asked = submit(session.url, email="secure@example.test", **{**GOOD_CARD, "card_number": "4000 0025 0000 3155"})
    assert asked.status == 303 and shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).status == "open"
    confirm = base + asked.headers["Location"]
    page = fetch(confirm)
    assert page.status == 200 and "Confirm your payment" in page.text and "$29.00" in page.text and "<script" not in page.text
    refused = submit(confirm, answer="fail")
    assert refused.status == 402 and "unable to authenticate your payment method" in refused.text
    assert f'action="{urllib.parse.urlsplit(session.url).path}"' in refused.text
    foreign = fetch(confirm, b"answer=complete", {"Origin": "http://evil.test"})
    assert foreign.status == 403 and shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).status == "open"
    done = fetch(confirm, b"answer=complete", {"Origin": base})
    assert done.status == 303 and done.headers["Location"] == SUCCESS_URL.replace("{CHECKOUT_SESSION_ID}", session.id)
    paid = shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own)
    assert (paid.status, paid.customer_details.email) == ("complete", "secure@example.test")
    assert submit(confirm, answer="complete").status == 409


def test_card_that_fails_later_starts_a_trial_and_fails_at_its_end(shop):
    session = shop.checkout(customer_email="later@example.test", subscription_data={"trial_period_days": 7})
    assert submit(session.url, **{**GOOD_CARD, "card_number": "4000000000000341"}).status == 303
    id_ = shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).subscription
    ended = shop.client.v1.subscriptions.update(id_, {"trial_end": "now", "expand": ["latest_invoice"]}, shop.own)
    assert ended.status == "past_due"
    invoice = ended.latest_invoice
    assert (invoice.status, invoice.amount_due, invoice.amount_remaining, invoice.billing_reason) == ("open", 2900, 2900, "subscription_update")
    assert [event.data.object.id for event in shop.client.v1.events.list({"type": "invoice.payment_failed"}, shop.own).data] == [invoice.id]


def test_end_of_a_trial_is_billed(shop):
    id_ = shop.buy(subscription_data={"trial_period_days": 7}).subscription
    ended = shop.client.v1.subscriptions.update(id_, {"trial_end": "now", "expand": ["latest_invoice"]}, shop.own)
    assert (ended.status, ended.latest_invoice.status, ended.latest_invoice.total) == ("active", "paid", 2900)
    assert ended.latest_invoice.number.endswith("-0002")
    item = ended["items"].data[0]
    assert ended["current_period_end"] == item.current_period_end > time.time() + 27 * 86400


def test_paying_makes_customer_subscription_and_invoice(shop):
    session = shop.checkout(metadata={"tier": "pro"}, subscription_data={"metadata": {"userId": "user_7"}})
    page = submit(session.url, email="Payer@example.test", **GOOD_CARD)
    assert page.status == 303 and page.headers["Location"] == SUCCESS_URL.replace("{CHECKOUT_SESSION_ID}", session.id)
    done = shop.client.v1.checkout.sessions.retrieve(session.id, {"expand": ["subscription.latest_invoice", "customer"]}, shop.own)
    assert (done.status, done.payment_status, done.url) == ("complete", "paid", None)
    assert done.customer.email == "Payer@example.test" and done.customer_details.email == "Payer@example.test"
    subscription = done.subscription
    item = subscription["items"].data[0]
    assert subscription.status == "active" and subscription.metadata.userId == "user_7" and item.price.id == shop.monthly.id
    assert subscription["current_period_end"] == item.current_period_end > time.time() + 27 * 86400
    assert subscription.latest_invoice.status == "paid" and subscription.latest_invoice.total == 2900
    again = submit(session.url, email="Payer@example.test", **GOOD_CARD)
    assert again.status == 409 and "already paid" in again.text
    assert len(shop.client.v1.subscriptions.list({"customer": done.customer.id}, shop.own).data) == 1
    assert shop.client.v1.invoices.list({"subscription": subscription.id}, shop.own).data[0].id == subscription.latest_invoice.id


def test_two_payments_at_once_count_once(shop):
    session = shop.checkout(customer_email="race@example.test")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(submit(session.url, **GOOD_CARD).status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [303, 409, 409, 409, 409, 409]
    assert len(shop.client.v1.customers.list({"email": "race@example.test"}, shop.own).data) == 1


def test_trial_starts_without_a_charge(shop):
    done = shop.buy(subscription_data={"trial_period_days": 14})
    subscription = shop.client.v1.subscriptions.retrieve(done.subscription, {"expand": ["latest_invoice"]}, shop.own)
    assert done.amount_total == 0 and subscription.status == "trialing" and subscription.latest_invoice.total == 0
    assert abs(subscription.trial_end - time.time() - 14 * 86400) < 60 and subscription["current_period_end"] == subscription.trial_end


def test_single_payment_keeps_the_buyer_a_guest(shop):
    done = shop.buy(mode="payment", line_items=[{"price": shop.once.id, "quantity": 3}], metadata={"publishableKey": "pk"})
    assert (done.amount_total, done.customer, done.subscription, done.payment_status) == (7500, None, None, "paid")
    payment = shop.client.v1.payment_intents.retrieve(done.payment_intent, {}, shop.own)
    assert (payment.status, payment.amount) == ("succeeded", 7500)
    lines = shop.client.v1.checkout.sessions.line_items.list(done.id, {"expand": ["data.price.product"]}, shop.own).data
    assert lines[0].quantity == 3 and lines[0].price.product.name == "T-Shirt"


def test_cart_of_several_products_is_paid_as_one(box, receiver, shop):
    prices = [shop.client.v1.prices.create({"product_data": {"name": name}, "unit_amount": amount, "currency": "usd"}, shop.own)
              for name, amount in (("Mug", 1250), ("Poster", 800), ("Sticker", 75))]
    lines = [{"price": price.id, "quantity": count} for price, count in zip(prices, (2, 1, 10))]
    done = shop.buy(mode="payment", line_items=lines, metadata={"cart": "1"}, payment_intent_data={"metadata": {"order": "7"}})
    total = 2 * 1250 + 800 + 10 * 75
    assert (done.mode, done.amount_subtotal, done.amount_total, done.payment_status) == ("payment", total, total, "paid")
    payment = shop.client.v1.payment_intents.retrieve(done.payment_intent, {}, shop.own)
    assert (payment.amount_received, payment.currency, payment.metadata.order) == (total, "usd", "7")

    def completed():
        return [json.loads(body) for _, _, body in receiver.calls if done.id.encode() in body]

    event = daemon.wait_for("the delivery", completed)[0]
    told = event["data"]["object"]
    assert (event["type"], event["account"]) == ("checkout.session.completed", shop.account.id)
    assert (told["amount_total"], told["payment_intent"], told["metadata"]) == (total, done.payment_intent, {"cart": "1"})
    api = shop.client.v1.checkout.sessions.line_items
    first = api.list(done.id, {"limit": 2}, shop.own)
    assert [(line.description, line.quantity, line.amount_total) for line in first.auto_paging_iter()] == [
        ("Mug", 2, 2500), ("Poster", 1, 800), ("Sticker", 10, 750)]
    assert first.has_more and len(first.data) == 2 and first.data[0].price.id == prices[0].id
    ids = [line.id for line in api.list(done.id, {}, shop.own).data]
    back = api.list(done.id, {"limit": 1, "ending_before": ids[2]}, shop.own)
    assert [line.id for line in back.data] == [ids[1]] and back.has_more
    for params in ({"starting_after": "li_none"}, {"ending_before": "li_none"}, {"starting_after": ids[0], "ending_before": ids[2]}):
        with pytest.raises(stripe.InvalidRequestError):
            api.list(done.id, params, shop.own)


@pytest.mark.parametrize("account, session_status, payment_status, subscription_status, invoice_status", [
    ("000123456789", "paid", "succeeded", "active", "paid"), ("000222222227", "unpaid", "requires_payment_method", "past_due", "open")])
def test_bank_debit_is_answered_after_the_checkout(shop, account, session_status, payment_status, subscription_status, invoice_status):
    def buy(**params):
        session = shop.checkout(**params)
        assert submit(session.url, email="debit@example.test", card_number=account).status == 303
        done = shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own)
        told = shop.client.v1.events.list({"types": ["checkout.session.completed"]}, shop.own).data
        assert next(event.data.object.payment_status for event in told if event.data.object.id == done.id) == "unpaid"
        assert (done.status, done.payment_status) == ("complete", session_status)
        return done

    once = buy(mode="payment", line_items=[{"price": shop.once.id, "quantity": 1}])
    payment = shop.client.v1.payment_intents.retrieve(once.payment_intent, {}, shop.own)
    assert (payment.status, payment.amount_received) == (payment_status, 2500 if session_status == "paid" else 0)
    monthly = shop.client.v1.subscriptions.retrieve(buy().subscription, {"expand": ["latest_invoice"]}, shop.own)
    assert (monthly.status, monthly.latest_invoice.status) == (subscription_status, invoice_status)
    assert monthly.latest_invoice.amount_remaining == (0 if session_status == "paid" else 2900)


def test_known_customer_pays_again(shop):
    customer = shop.client.v1.customers.create({"email": "known@example.test"}, shop.own)
    session = shop.checkout(customer=customer.id)
    assert 'value="known@example.test"' in fetch(session.url).text
    assert submit(session.url, **GOOD_CARD).status == 303
    assert shop.client.v1.checkout.sessions.retrieve(session.id, {}, shop.own).customer == customer.id


def test_expired_session_cannot_be_paid(shop):
    session = shop.checkout()
    assert shop.client.v1.checkout.sessions.expire(session.id, {}, shop.own).status == "expired"
    assert submit(session.url, email="b@example.test", **GOOD_CARD).status == 410
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.checkout.sessions.expire(session.id, {}, shop.own)
    assert fetch(session.url + "x").status == 404


# ---- subscriptions ----


def test_subscription_is_canceled_at_the_periods_end_and_kept_after_all(shop):
    id_ = shop.buy().subscription
    ends = shop.client.v1.subscriptions.update(id_, {"cancel_at_period_end": True, "cancellation_details": {"comment": "too dear"}}, shop.own)
    assert ends.status == "active" and ends.cancel_at_period_end and ends.canceled_at and ends.cancel_at == ends["current_period_end"]
    assert ends.cancellation_details.reason == "cancellation_requested" and ends.cancellation_details.comment == "too dear"
    kept = shop.client.v1.subscriptions.update(id_, {"cancel_at_period_end": False}, shop.own)
    assert (kept.cancel_at_period_end, kept.canceled_at, kept.cancel_at) == (False, None, None)
    assert shop.client.v1.subscriptions.cancel(id_, {}, shop.own).status == "canceled"
    assert id_ not in [one.id for one in shop.client.v1.subscriptions.list({"limit": 100}, shop.own).data]
    assert id_ in [one.id for one in shop.client.v1.subscriptions.list({"limit": 100, "status": "all"}, shop.own).data]
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.subscriptions.cancel(id_, {}, shop.own)


def test_subscription_changes_its_price(shop):
    dear = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 9900, "currency": "usd",
                                         "recurring": {"interval": "month"}}, shop.own)
    subscription = shop.client.v1.subscriptions.retrieve(shop.buy().subscription, {}, shop.own)
    item = subscription["items"].data[0]
    changed = shop.client.v1.subscriptions.update(subscription.id, {"items": [{"id": item.id, "price": dear.id, "quantity": 2}],
                                                                    "metadata": {"tier": "enterprise"}}, shop.own)
    now = changed["items"].data[0]
    assert (now.id, now.price.id, now.quantity, changed.metadata.tier) == (item.id, dear.id, 2, "enterprise")
    for wrong in ([{"id": "si_none", "price": dear.id}], [{"price": shop.once.id}], [{"id": item.id, "deleted": True}]):
        with pytest.raises(stripe.InvalidRequestError):
            shop.client.v1.subscriptions.update(subscription.id, {"items": wrong}, shop.own)
    assert len(shop.client.v1.subscriptions.retrieve(subscription.id, {}, shop.own)["items"].data) == 1


def test_subscription_with_another_interval_is_billed_at_once(shop):
    yearly = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 29000, "currency": "usd",
                                           "recurring": {"interval": "year"}}, shop.own)
    subscription = shop.client.v1.subscriptions.retrieve(shop.buy().subscription, {}, shop.own)
    changed = shop.client.v1.subscriptions.update(subscription.id, {"items": [{"id": subscription["items"].data[0].id, "price": yearly.id}],
                                                                    "expand": ["latest_invoice"]}, shop.own)
    assert changed["current_period_end"] > time.time() + 360 * 86400
    assert (changed.latest_invoice.total, changed.latest_invoice.status) == (29000, "paid")
    assert changed.latest_invoice.id != subscription.latest_invoice


def test_deleting_a_customer_ends_its_subscriptions(shop):
    done = shop.buy()
    shop.client.v1.customers.delete(done.customer, {}, shop.own)
    assert shop.client.v1.subscriptions.retrieve(done.subscription, {}, shop.own).status == "canceled"


# ---- the billing portal ----


def portal_of(shop, done, **params):
    return shop.client.v1.billing_portal.sessions.create({"customer": done.customer, "return_url": CANCEL_URL, **params}, shop.own)


def updates(shop, id_):
    """The events about the change of one subscription, the newest first."""
    listed = shop.client.v1.events.list({"type": "customer.subscription.updated", "limit": 100}, shop.own).data
    return [event for event in listed if event.data.object.id == id_]


def test_portal_session_as_the_service_makes_it(box, shop):
    done = shop.buy()
    session = portal_of(shop, done)
    assert session.object == "billing_portal.session" and re.fullmatch(r"bps_1[0-9A-Za-z]{23}", session.id)
    assert re.fullmatch(re.escape(box.line["stripe"]["live"]["url"]) + r"/portal/live_[0-9A-Za-z]{48}", session.url)
    assert session.id not in session.url and session.url != portal_of(shop, done).url
    assert (session.customer, session.return_url, session.livemode, session.flow) == (done.customer, CANCEL_URL, True, None)
    configuration = shop.client.v1.billing_portal.configurations.retrieve(session.configuration, {}, shop.own)
    assert configuration.is_default and configuration.active and configuration.features.subscription_cancel.mode == "at_period_end"
    assert portal_of(shop, done).configuration == configuration.id
    assert [one.id for one in shop.client.v1.billing_portal.configurations.list({"is_default": True}, shop.own).data] == [configuration.id]


@pytest.mark.parametrize("params, param, code, message", [
    ({"customer": "cus_missing"}, "customer", "resource_missing", "No such customer: 'cus_missing'"),
    ({"customer": ""}, "customer", "parameter_invalid_empty", "You passed an empty string for 'customer'."),
    ({}, "customer", "parameter_missing", "Missing required param: customer."),
    ({"customer": "CUSTOMER", "return_url": "javascript:alert(1)"}, "return_url", "url_invalid", "Not a valid URL"),
    ({"customer": "CUSTOMER", "configuration": "bpc_none"}, "configuration", "resource_missing", "No such"),
    ({"customer": "CUSTOMER", "flow": "x"}, "flow", "parameter_unknown", "Received unknown parameter"),
])
def test_portal_session_is_refused(shop, params, param, code, message):
    if params.get("customer") == "CUSTOMER":
        params = {**params, "customer": shop.client.v1.customers.create({}, shop.own).id}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.billing_portal.sessions.create(params, shop.own)
    assert (caught.value.http_status, caught.value.param, caught.value.code) == (400, param, code)
    assert caught.value.user_message.startswith(message)


def test_portal_of_a_stranger_or_a_removed_customer_is_refused(box, shop):
    done = shop.buy()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        portal_of(Shop(box), done)
    assert caught.value.user_message == f"No such customer: '{done.customer}'"
    session = portal_of(shop, done)
    shop.client.v1.customers.delete(done.customer, {}, shop.own)
    with pytest.raises(stripe.InvalidRequestError):
        portal_of(shop, done)
    assert "You have no subscription." in fetch(session.url).text


def test_portal_shows_subscription_invoices_and_the_way_back(shop):
    page = fetch(portal_of(shop, shop.buy()).url)
    assert page.status == 200 and page.headers["Content-Type"] == "text/html; charset=utf-8" and "<script" not in page.text
    for text in ("SANDBOX", "Pro Plan", "$29.00 per month", "Active", "Renews on", "Invoices", "Paid", "buyer@example.test",
                 "Change plan", "Cancel subscription", f'href="{CANCEL_URL}"'):
        assert text in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "form-action 'self';" in policy and "unsafe" not in policy
    assert page.headers["Cache-Control"] == "no-store" and page.headers["Referrer-Policy"] == "same-origin"


def test_portal_cancels_at_the_periods_end_and_resumes(box, receiver, shop):
    done = shop.buy(subscription_data={"metadata": {"userId": "user_5"}})
    url, id_ = portal_of(shop, done).url, done.subscription
    asked = fetch(f"{url}/cancel/{id_}")
    assert asked.status == 200 and "Cancel Pro Plan?" in asked.text and 'value="too_expensive"' in asked.text
    assert not shop.client.v1.subscriptions.retrieve(id_, {}, shop.own).cancel_at_period_end
    answer = submit(f"{url}/cancel/{id_}", feedback="unused")
    assert answer.status == 303 and answer.headers["Location"] == urllib.parse.urlsplit(url).path + "?done=ends"
    assert submit(f"{url}/cancel/{id_}", feedback="unused").status == 303  # sent twice, told once
    ends = shop.client.v1.subscriptions.retrieve(id_, {}, shop.own)
    assert (ends.status, ends.cancel_at_period_end, ends.cancel_at) == ("active", True, ends["current_period_end"])
    assert abs(ends.canceled_at - time.time()) < 60 and ends.metadata.userId == "user_5"
    assert (ends.cancellation_details.reason, ends.cancellation_details.feedback) == ("cancellation_requested", "unused")
    home = fetch(url + "?done=ends").text
    assert "Ends soon" in home and "Keep my subscription" in home and "Change plan" not in home and 'role="status"' in home
    assert submit(f"{url}/resume/{id_}").status == 303
    kept = shop.client.v1.subscriptions.retrieve(id_, {}, shop.own)
    assert (kept.cancel_at_period_end, kept.cancel_at, kept.canceled_at, kept.cancellation_details.reason) == (False, None, None, None)
    told = updates(shop, id_)
    assert [event.data.object.cancel_at_period_end for event in told] == [False, True]
    assert told[1].data.previous_attributes.to_dict() == {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None,
                                                          "cancellation_details": {"reason": None, "feedback": None}}
    assert told[1].data.object.metadata.userId == "user_5"

    def delivered():
        got = [json.loads(body) for _, _, body in receiver.calls]
        mine = [event["id"] for event in got if event["type"] == "customer.subscription.updated" and event["data"]["object"]["id"] == id_]
        return mine if len(mine) == 2 else None

    assert daemon.wait_for("both deliveries", delivered) == [event.id for event in told[::-1]]


def test_portal_changes_the_plan(shop):
    team = shop.client.v1.products.create({"name": "Team Plan"}, shop.own)
    month = shop.client.v1.prices.create({"product": team.id, "unit_amount": 9900, "currency": "usd", "recurring": {"interval": "month"}}, shop.own)
    year = shop.client.v1.prices.create({"product": team.id, "unit_amount": 99000, "currency": "usd", "recurring": {"interval": "year"}}, shop.own)
    done = shop.buy(subscription_data={"metadata": {"userId": "user_6"}})
    url, id_ = portal_of(shop, done).url, done.subscription
    before = shop.client.v1.subscriptions.retrieve(id_, {}, shop.own)
    offers = fetch(f"{url}/plan/{id_}").text
    assert "Team Plan" in offers and "$990.00 per year" in offers and f'value="{month.id}"' in offers and shop.once.id not in offers
    assert re.search(rf'value="{shop.monthly.id}" disabled', offers)
    sure = fetch(f"{url}/plan/{id_}?price={month.id}").text
    assert "Confirm your new plan" in sure and "Nothing is due today" in sure
    assert shop.client.v1.subscriptions.retrieve(id_, {}, shop.own)["items"].data[0].price.id == shop.monthly.id
    assert submit(f"{url}/plan/{id_}", price=month.id).headers["Location"].endswith("?done=plan")
    now = shop.client.v1.subscriptions.retrieve(id_, {}, shop.own)
    item = now["items"].data[0]
    assert (item.id, item.price.id, item.quantity) == (before["items"].data[0].id, month.id, 1)
    assert (now.plan.id, now.metadata.userId, now.latest_invoice) == (month.id, "user_6", before.latest_invoice)
    event = updates(shop, id_)[0]
    assert event.data.object["items"].data[0].price.id == month.id and event.data.object.metadata.userId == "user_6"
    previous = event.data.previous_attributes.to_dict()
    assert sorted(previous) == ["items", "plan"] and sorted(previous["items"]) == ["data"]
    assert previous["items"]["data"][0]["price"]["id"] == shop.monthly.id
    assert (previous["plan"]["id"], previous["plan"]["object"]) == (shop.monthly.id, "plan")
    assert "A new period begins today. Due today: $990.00." in fetch(f"{url}/plan/{id_}?price={year.id}").text
    assert submit(f"{url}/plan/{id_}", price=year.id).status == 303
    yearly = shop.client.v1.subscriptions.retrieve(id_, {"expand": ["latest_invoice"]}, shop.own)
    assert yearly["current_period_end"] > time.time() + 360 * 86400
    assert (yearly.latest_invoice.total, yearly.latest_invoice.status, yearly.latest_invoice.billing_reason) == (99000, "paid", "subscription_update")
    assert "$990.00" in fetch(url).text
    paid = shop.client.v1.events.list({"type": "invoice.paid", "limit": 1}, shop.own).data[0]
    assert paid.data.object.id == yearly.latest_invoice.id and paid.data.object.lines.data[0].description == "Team Plan"


def test_portal_plan_that_is_not_on_offer_is_refused(box, shop):
    done = shop.buy()
    url, id_ = portal_of(shop, done).url, done.subscription
    other = Shop(box)
    euro = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 1, "currency": "eur", "recurring": {"interval": "month"}}, shop.own)
    old = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 1, "currency": "usd", "active": False,
                                        "recurring": {"interval": "month"}}, shop.own)
    for price in (other.monthly.id, shop.once.id, shop.monthly.id, euro.id, old.id, "price_none", ""):
        assert submit(f"{url}/plan/{id_}", price=price).status == 403
        assert fetch(f"{url}/plan/{id_}?price={price}").status == 403
    assert updates(shop, id_) == []


def test_portal_plan_change_ends_a_trial(shop):
    dear = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 4900, "currency": "usd", "recurring": {"interval": "month"}}, shop.own)
    id_ = (done := shop.buy(subscription_data={"trial_period_days": 7})).subscription
    url = portal_of(shop, done).url
    assert "Free trial" in fetch(url).text
    assert "Your free trial ends, and a new period begins today. Due today: $49.00." in fetch(f"{url}/plan/{id_}?price={dear.id}").text
    assert submit(f"{url}/plan/{id_}", price=dear.id).status == 303
    now = shop.client.v1.subscriptions.retrieve(id_, {"expand": ["latest_invoice"]}, shop.own)
    assert (now.status, now.latest_invoice.total) == ("active", 4900) and now.trial_end <= time.time() + 1


def test_portal_does_what_its_configuration_allows(shop):
    offered = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 3900, "currency": "usd", "recurring": {"interval": "month"}}, shop.own)
    hidden = shop.client.v1.prices.create({"product": shop.product.id, "unit_amount": 1, "currency": "usd", "recurring": {"interval": "month"}}, shop.own)
    configuration = shop.client.v1.billing_portal.configurations.create({
        "business_profile": {"headline": "The <b>Shop</b>", "terms_of_service_url": "https://shop.example.test/terms"},
        "default_return_url": "http://127.0.0.1:1/default", "metadata": {"a": "1"},
        "features": {"invoice_history": {"enabled": False}, "subscription_cancel": {"enabled": True, "mode": "immediately"},
                     "subscription_update": {"enabled": True, "default_allowed_updates": ["price"],
                                             "products": [{"product": shop.product.id, "prices": [shop.monthly.id, offered.id]}]}}}, shop.own)
    assert not configuration.is_default and configuration.features.subscription_update.products[0].prices == [shop.monthly.id, offered.id]
    done = shop.buy()
    session = shop.client.v1.billing_portal.sessions.create({"customer": done.customer, "configuration": configuration.id}, shop.own)
    assert session.return_url == "http://127.0.0.1:1/default"
    home = fetch(session.url).text
    assert "The &lt;b&gt;Shop&lt;/b&gt;" in home and "Invoices" not in home and "https://shop.example.test/terms" in home
    plans = fetch(f"{session.url}/plan/{done.subscription}").text
    assert offered.id in plans and hidden.id not in plans
    assert submit(f"{session.url}/plan/{done.subscription}", price=hidden.id).status == 403
    changed = shop.client.v1.billing_portal.configurations.update(configuration.id, {"features": {"subscription_update": {"enabled": False}}}, shop.own)
    assert not changed.features.subscription_update.enabled and changed.features.subscription_cancel.enabled and changed.metadata.a == "1"
    assert submit(f"{session.url}/plan/{done.subscription}", price=offered.id).status == 403
    assert submit(f"{session.url}/cancel/{done.subscription}").headers["Location"].endswith("?done=over")
    assert shop.client.v1.subscriptions.retrieve(done.subscription, {}, shop.own).status == "canceled"
    gone = [event.data.object.id for event in shop.client.v1.events.list({"type": "customer.subscription.deleted"}, shop.own).data]
    assert gone[0] == done.subscription
    shop.client.v1.billing_portal.configurations.update(configuration.id, {"active": False}, shop.own)
    with pytest.raises(stripe.InvalidRequestError):
        shop.client.v1.billing_portal.sessions.create({"customer": done.customer, "configuration": configuration.id}, shop.own)


@pytest.mark.parametrize("features, param", [
    (None, "features"),
    ({"subscription_cancel": {"mode": "immediately"}}, "features[subscription_cancel][enabled]"),
    ({"subscription_cancel": {"enabled": True, "mode": "tomorrow"}}, "features[subscription_cancel][mode]"),
    ({"subscription_cancel": {"enabled": True, "cancellation_reason": {"enabled": True, "options": ["bored"]}}},
     "features[subscription_cancel][cancellation_reason][options]"),
    ({"subscription_update": {"enabled": True, "products": [{"product": "prod_none", "prices": ["x"]}]}},
     "features[subscription_update][products][0][product]"),
    ({"subscription_update": {"enabled": True, "products": [{"product": "PRODUCT", "prices": ["price_none"]}]}},
     "features[subscription_update][products][0][prices]"),
    ({"subscription_update": {"enabled": True, "products": [{"product": "PRODUCT"}]}},
     "features[subscription_update][products][0][prices]"),
    ({"subscription_pause": {"enabled": True}}, "features[subscription_pause]"),
    ({"invoice_history": {"enabled": "maybe"}}, "features[invoice_history][enabled]"),
])
def test_portal_configuration_is_refused(shop, features, param):
    params = {} if features is None else {"features": json.loads(json.dumps(features).replace("PRODUCT", shop.product.id))}
    with pytest.raises(stripe.InvalidRequestError) as caught:
        shop.client.v1.billing_portal.configurations.create(params, shop.own)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_portal_takes_forms_of_its_own_pages_only(box, shop):
    done = shop.buy()
    url, id_ = portal_of(shop, done).url, done.subscription
    for origin in ("http://evil.test", "null", "https://" + urllib.parse.urlsplit(url).netloc):
        for action in ("cancel", "resume", "plan"):
            assert fetch(f"{url}/{action}/{id_}", b"price=x", {"Origin": origin}).status == 403
    assert not shop.client.v1.subscriptions.retrieve(id_, {}, shop.own).cancel_at_period_end
    assert fetch(f"{url}/cancel/{id_}", b"", {"Origin": box.line["stripe"]["live"]["url"]}).status == 303


def test_portal_is_of_one_customer_alone(box, shop):
    mine, theirs = shop.buy(), shop.buy()
    url = portal_of(shop, mine).url
    foreign = Shop(box).buy()
    for id_ in (theirs.subscription, foreign.subscription, "sub_none"):
        for action in ("cancel", "plan"):
            assert fetch(f"{url}/{action}/{id_}").status == 404
        for action in ("cancel", "resume", "plan"):
            assert submit(f"{url}/{action}/{id_}", price=shop.monthly.id).status == 404
    assert fetch(url + "x").status == 404 and fetch(url.rsplit("/", 1)[0] + "/" + mine.customer).status == 404


def test_portal_closes_by_itself(tmp_path):
    box = Sandbox(tmp_path / "state.db")
    try:
        shop = Shop(box)
        done = shop.buy()
        url = portal_of(shop, done).url

        def set_end(seconds):
            with sqlite3.connect(tmp_path / "state.db", timeout=10) as db:
                db.execute("UPDATE documents SET json = json_set(json, '$._expires_at', ?) WHERE kind = 'portal'",
                           (int(time.time()) + seconds,))
            db.close()

        set_end(30)
        assert fetch(url).status == 200  # and is good for another hour
        with sqlite3.connect(tmp_path / "state.db", timeout=10) as db:
            (end,) = db.execute("SELECT json_extract(json, '$._expires_at') FROM documents WHERE kind = 'portal'").fetchone()
        db.close()
        assert 3500 < end - time.time() < 3700
        set_end(-1)
        page = fetch(url)
        assert page.status == 410 and CANCEL_URL in page.text
        assert submit(f"{url}/cancel/{done.subscription}").status == 410
        assert not shop.client.v1.subscriptions.retrieve(done.subscription, {}, shop.own).cancel_at_period_end
    finally:
        box.kill()


# ---- webhooks ----


def test_events_are_delivered_signed_and_in_order(box, receiver):
    shop = Shop(box)
    done = shop.buy(metadata={"tier": "pro"}, subscription_data={"metadata": {"userId": "user_9"}})
    shop.client.v1.subscriptions.update(done.subscription, {"cancel_at_period_end": True}, shop.own)
    shop.client.v1.subscriptions.cancel(done.subscription, {}, shop.own)
    secret = box.line["stripe"]["live"]["webhookSecret"]
    events = daemon.wait_for("five deliveries", lambda: (lambda got: got if len(got) == 5 else None)(receiver.events(secret, shop.account.id)))
    assert [event.type for event in events] == [
        "checkout.session.completed", "customer.subscription.created", "invoice.paid", "customer.subscription.updated",
        "customer.subscription.deleted"]
    completed, created = events[0], events[1]
    assert completed.livemode is True and completed.api_version and abs(completed.created - time.time()) < 60
    assert completed.data.object.id == done.id and completed.data.object.metadata.tier == "pro"
    assert created.data.object.metadata.userId == "user_9" and created.data.object["items"].data[0].price.unit_amount == 2900
    assert events[3].data.previous_attributes["cancel_at_period_end"] is False
    daemon.wait_for("the note that it was taken",
                    lambda: shop.client.v1.events.retrieve(completed.id, {}, shop.own).pending_webhooks == 0)


def test_events_of_the_platforms_own_account_name_no_account(box, receiver):
    client = box.stripe("test")
    price = client.v1.prices.create({"product_data": {"name": "Own"}, "unit_amount": 1500, "currency": "usd", "recurring": {"interval": "month"}})
    session = client.v1.checkout.sessions.create({"mode": "subscription", "line_items": [{"price": price.id, "quantity": 1}],
                                                  "success_url": SUCCESS_URL, "customer_email": "dev@example.test"})
    assert session.id.startswith("cs_test_") and submit(session.url, **GOOD_CARD).status == 303

    def mine():
        return [json.loads(body) for _, _, body in receiver.calls if session.id.encode() in body]

    event = daemon.wait_for("the delivery", mine)[0]
    assert "account" not in event and event["livemode"] is False


def test_refused_delivery_is_tried_again_with_growing_pauses(tmp_path):
    receiver = Receiver(refuse=3)
    box = Sandbox(tmp_path / "state.db", receiver.url)
    try:
        Shop(box).buy()
        daemon.wait_for("six tries", lambda: len(receiver.calls) >= 6)
        events = receiver.events(box.line["stripe"]["live"]["webhookSecret"])
        assert [event.type for event in events] == ["checkout.session.completed", "customer.subscription.created", "invoice.paid"]
        times = [when for when, _, _ in receiver.calls]
        pauses = [later - sooner for sooner, later in zip(times, times[1:])]
        assert pauses[0] >= 0.15 and pauses[1] >= 0.35 and pauses[2] >= 0.75
        assert len({body for _, _, body in receiver.calls[:4]}) == 1
    finally:
        box.kill()
        receiver.close()


def test_events_wait_for_an_address_and_outlive_a_kill(tmp_path):
    box = Sandbox(tmp_path / "state.db")
    before = box.line
    shop = Shop(box)
    user = make_user(box.clerk(), "kept@example.test", public_metadata={"plan": "pro"})
    kid = box.clerk().jwks.get_jwks().keys[0].kid
    done = shop.buy()
    box.kill()
    receiver = Receiver()
    box = Sandbox(tmp_path / "state.db", receiver.url)
    try:
        for service in before:
            for mode in before[service]:
                for name in ("secretKey", "webhookSecret"):
                    assert box.line[service][mode][name] == before[service][mode][name]
        assert box.stripe().v1.checkout.sessions.retrieve(done.id, {}, shop.own).status == "complete"
        assert box.clerk().users.get(user_id=user.id).public_metadata == {"plan": "pro"}
        assert box.clerk().jwks.get_jwks().keys[0].kid == kid
        secret = box.line["stripe"]["live"]["webhookSecret"]
        events = daemon.wait_for("the deliveries", lambda: (lambda got: got if len(got) == 3 else None)(receiver.events(secret)))
        assert events[0].type == "checkout.session.completed"
    finally:
        box.kill()
        receiver.close()


def test_one_deaf_account_does_not_hold_up_another(tmp_path):
    deaf = {"account": None}
    receiver = Receiver()
    handler = receiver.server.RequestHandlerClass
    plain = handler.do_POST

    def do_POST(self):
        body = self.rfile.peek() if hasattr(self.rfile, "peek") else b""
        if deaf["account"] and deaf["account"].encode() in body:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(503)
            self.end_headers()
        else:
            plain(self)

    handler.do_POST = do_POST
    box = Sandbox(tmp_path / "state.db", receiver.url)
    try:
        first, second = Shop(box), Shop(box)
        deaf["account"] = first.account.id
        first.buy()
        second.buy()
        secret = box.line["stripe"]["live"]["webhookSecret"]
        daemon.wait_for("the other's events", lambda: len(receiver.events(secret, second.account.id)) == 3)
        assert receiver.events(secret, first.account.id) == []
        deaf["account"] = None
        daemon.wait_for("the held ones", lambda: len(receiver.events(secret, first.account.id)) == 3)
    finally:
        box.kill()
        receiver.close()


def test_clerk_tells_its_webhooks_about_users_and_sessions(tmp_path):
    receiver = Receiver()
    box = Sandbox(tmp_path / "state.db", clerk_urls=[receiver.url])
    try:
        clerk, secret = box.clerk(), box.line["clerkEndUser"]["live"]["webhookSecret"]
        user = make_user(clerk, "told@example.test", first_name="Tess", public_metadata={"plan": "free"})
        clerk.users.update_metadata(user_id=user.id, public_metadata={"plan": "pro"})
        session = clerk.sessions.create(request={"user_id": user.id})
        refusal(clerk.users.create, email_address=["told@example.test"])
        clerk.users.delete(user_id=user.id)
        got = daemon.wait_for("four messages", lambda: (lambda all: all if len(all) == 4 else None)(receiver.messages(secret)))
        assert [one["type"] for one in got] == ["user.created", "user.updated", "session.created", "user.deleted"]
        created, updated, started, deleted = got
        assert created["object"] == "event" and created["instance_id"] == clerk.jwks.get_jwks().keys[0].kid
        assert abs(created["timestamp"] / 1000 - time.time()) < 60 and created["event_attributes"]["http_request"]["user_agent"]
        data = models.User.model_validate(created["data"])
        assert (data.id, data.first_name, data.email_addresses[0].email_address) == (user.id, "Tess", "told@example.test")
        assert created["data"]["public_metadata"] == {"plan": "free"} and updated["data"]["public_metadata"] == {"plan": "pro"}
        assert (started["data"]["id"], started["data"]["user_id"]) == (session.id, user.id)
        assert deleted["data"] == {"id": user.id, "object": "user", "deleted": True}
        ids = [headers["svix-id"] for _, headers, _ in receiver.calls]
        assert len(set(ids)) == 4 and all(re.fullmatch("msg_[0-9A-Za-z]{27}", one) for one in ids)
        with pytest.raises(svix.webhooks.WebhookVerificationError):
            receiver.messages(box.line["clerkEndUser"]["test"]["webhookSecret"])
        make_user(box.clerk("clerkPlatform", "test"), "dev@example.test")
        daemon.wait_for("the other app's message", lambda: len(receiver.calls) == 5)
        _, headers, body = receiver.calls[4]
        svix.webhooks.Webhook(box.line["clerkPlatform"]["test"]["webhookSecret"]).verify(body, headers)
        assert json.loads(body)["data"]["email_addresses"][0]["email_address"] == "dev@example.test"
    finally:
        box.kill()
        receiver.close()


def test_clerks_refused_message_is_tried_again_as_the_same(tmp_path):
    receiver = Receiver(refuse=2)
    box = Sandbox(tmp_path / "state.db", clerk_urls=[receiver.url])
    try:
        make_user(box.clerk(), "retry@example.test")
        daemon.wait_for("three tries", lambda: len(receiver.calls) == 3)
        assert len({(headers["svix-id"], body) for _, headers, body in receiver.calls}) == 1
        times = [when for when, _, _ in receiver.calls]
        assert times[1] - times[0] >= 0.15 and times[2] - times[1] >= 0.35
        assert receiver.messages(box.line["clerkEndUser"]["live"]["webhookSecret"])[0]["type"] == "user.created"

        def kept():
            with sqlite3.connect(tmp_path / "state.db", timeout=10) as db:
                (count,) = db.execute("SELECT count(*) FROM documents WHERE kind = 'event'").fetchone()
            db.close()
            return count

        daemon.wait_for("the end of what was delivered", lambda: kept() == 0)
    finally:
        box.kill()
        receiver.close()


def test_clerks_messages_wait_for_an_address_and_outlive_a_kill(tmp_path):
    box = Sandbox(tmp_path / "state.db")
    user = make_user(box.clerk(), "waits@example.test")
    box.kill()
    receiver = Receiver()
    box = Sandbox(tmp_path / "state.db", clerk_urls=[receiver.url])
    try:
        got = daemon.wait_for("the message", lambda: receiver.messages(box.line["clerkEndUser"]["live"]["webhookSecret"]))
        assert [one["data"]["id"] for one in got] == [user.id]
    finally:
        box.kill()
        receiver.close()


def test_one_user_whose_messages_fail_does_not_hold_up_another(tmp_path):
    receiver = Receiver()
    deaf = {}
    plain = receiver.server.RequestHandlerClass.do_POST

    def do_POST(self):
        if deaf["user"].encode() in self.rfile.peek():
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(400)
            self.end_headers()
        else:
            plain(self)

    receiver.server.RequestHandlerClass.do_POST = do_POST
    deaf["user"] = "first@example.test"
    box = Sandbox(tmp_path / "state.db", clerk_urls=[receiver.url])
    try:
        first = make_user(box.clerk(), "first@example.test")
        second = make_user(box.clerk(), "second@example.test")
        secret = box.line["clerkEndUser"]["live"]["webhookSecret"]
        daemon.wait_for("the other's message", lambda: [one["data"]["id"] for one in receiver.messages(secret)] == [second.id])
        deaf["user"] = "nobody"
        daemon.wait_for("the held one", lambda: {one["data"]["id"] for one in receiver.messages(secret)} == {first.id, second.id})
    finally:
        box.kill()
        receiver.close()


def test_two_processes_share_one_file(tmp_path):
    one = Sandbox(tmp_path / "state.db")
    two = Sandbox(tmp_path / "state.db")
    try:
        assert one.line["stripe"]["live"]["secretKey"] == two.line["stripe"]["live"]["secretKey"]
        user = make_user(one.clerk(), "shared@example.test")
        assert two.clerk().users.get(user_id=user.id).id == user.id
        assert refusal(two.clerk().users.create, email_address=["shared@example.test"])[1].code == "form_identifier_exists"
        assert one.clerk().jwks.get_jwks().keys[0].n == two.clerk().jwks.get_jwks().keys[0].n
        shop = Shop(one)
        done = []
        threads = [threading.Thread(target=lambda box=box: done.extend(
            box.stripe().v1.customers.create({"email": "many@example.test"}, shop.own).id for _ in range(20))) for box in (one, two, one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        listed = two.stripe().v1.customers.list({"email": "many@example.test", "limit": 100}, shop.own).data
        assert len(set(done)) == 80 and {customer.id for customer in listed} == set(done)
    finally:
        one.kill()
        two.kill()
