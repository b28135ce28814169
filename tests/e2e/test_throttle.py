# SPDX-License-Identifier: Apache-2.0
"""Keys and addresses that fail often are refused for a while (429), and others are not; carts are bounded the same way. Addresses come
from a trusted proxy's header here, as all of loopback would else be one or two."""

import itertools

import pytest

import daemon
import signing
import tenant

KEY_BURST, ADDRESS_BURST = 60, 300  # src/service/api/limits.c
CART_BURST = 300
SLACK = 40  # what a slow machine gets back while it asks


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    folder = tmp_path_factory.mktemp("throttle")
    names = tenant.load(folder, folder / "t.db", [{"key": key, "tiers": [tenant.tier("free", 100000, rateLimit=None)]} for key in ("app", "new")],
                        [tenant.user("user_one", "app"), tenant.user("user_one", "new")])
    with daemon.Daemon(folder, "--db", folder / "t.db", "--free-ports", "--trusted-proxy", "192.0.2.0/24", "--trusted-proxy",
                       "127.0.0.0/8") as serve:
        yield serve, names
        assert serve.stop() == 0


@pytest.fixture
def client(stage):
    """Asks from any address: client(address, key) gives the answer."""
    connection = daemon.Connection(stage[0].api)

    def ask(address, key, method="GET", path="/api/usage?userId=user_one", body=None, **headers):
        sent = {"X-Forwarded-For": address, "Authorization": "Bearer " + key, **headers}
        return connection.ask(method, path, {name: value for name, value in sent.items() if value != "Bearer "}, body)
    yield ask
    connection.close()


def fresh_keys():
    return (f"sk_live_{number:064x}" for number in itertools.count())


def failures_until_refused(ask, most):
    for count in range(most):
        answer = ask()
        if answer.status == 429:
            return count, answer
        assert answer.status == 401, answer
    raise AssertionError(f"{most} failures and no end")


def test_a_key_that_fails_often_is_refused_from_wherever_it_comes(client):
    addresses = (f"10.9.{number // 250}.{number % 250}" for number in itertools.count())
    count, answer = failures_until_refused(lambda: client(next(addresses), "sk_live_gone"), KEY_BURST + SLACK)
    assert count >= KEY_BURST
    assert answer.json == {"error": "Too many failed attempts", "message": "Authentication failed too often; wait before the next try",
                           "retryAfter": 1}
    assert answer.headers["retry-after"] == "1"
    assert client("10.9.200.1", "sk_live_other").status == 401


def test_an_address_that_fails_often_is_refused_whatever_key_it_tries(stage, client):
    _, names = stage
    keys = fresh_keys()
    mine = "198.51.100.7"
    assert client(mine, names["<sk-app>"]).status == 200
    count, answer = failures_until_refused(lambda: client(mine, next(keys)), ADDRESS_BURST + 4 * SLACK)
    assert count >= ADDRESS_BURST
    assert answer.headers["retry-after"] == "1"
    # A key that was accepted before goes on, also for who shares the address with the attacker; so does one at another address.
    assert client(mine, names["<sk-app>"]).status == 200
    assert client("198.51.100.8", names["<sk-new>"]).status == 200
    # The attacker's next guess comes soon, and then again: some 5 a second.
    daemon.wait_for("the next try", lambda: client(mine, next(keys)).status == 401, timeout_s=5)


def test_a_key_that_nobody_knows_yet_waits_a_moment_at_an_address_under_attack(stage, client):
    _, names = stage
    keys = fresh_keys()
    failures_until_refused(lambda: client("203.0.113.5", next(keys)), ADDRESS_BURST + 4 * SLACK)
    daemon.wait_for("the key's turn", lambda: client("203.0.113.5", "", **{"X-Publishable-Key": names["<pk-new>"]},
                                                     path="/api/tiers").status == 200, timeout_s=5)


def test_all_of_an_ipv6_network_counts_as_one(client):
    keys = fresh_keys()
    hosts = (f"2001:db8:7:1::{number:x}" for number in itertools.count(1))
    failures_until_refused(lambda: client(next(hosts), next(keys)), ADDRESS_BURST + 4 * SLACK)
    assert client("2001:db8:7:2::1", next(keys)).status == 401


def signed(names, key, path="/api/usage?userId=user_one", host="api.example.test"):
    """Headers of a signed request, for one use."""
    message = signing.sign(signing.Message("GET", f"http://{host}{path}"), names[f"<pk-{key}>"], names[f"<sk-{key}>"])
    return {**message.headers, "Host": host}


@pytest.mark.parametrize("proto, port, status", [("https", 443, 200), ("https", 80, 401), ("http", 80, 200), ("http", 443, 401)])
def test_behind_a_trusted_proxy_the_authority_is_without_the_port_of_the_clients_scheme(stage, client, proto, port, status):
    _, names = stage
    headers = {**signed(names, "app"), "Host": f"api.example.test:{port}", "X-Forwarded-Proto": proto}
    assert client("198.51.100.51", "", **headers).status == status


def test_who_knows_a_key_id_locks_nobody_out(stage, client):
    """Not even from the owner's own address, as behind one router or a proxy that is not named."""
    _, names = stage
    office = "198.51.100.21"
    assert client(office, "", **signed(names, "app")).status == 200
    forged = {**signed(names, "app"), "Signature": "sig1=:" + 43 * "A" + "=:"}
    for _ in range(KEY_BURST + SLACK):
        answer = client(office, "", **forged)
        assert answer.status == 401 and "not this key's" in answer.json["message"]
    assert client(office, "", **signed(names, "app")).status == 200


def test_forged_signatures_count_for_their_address(stage, client):
    _, names = stage
    forged = {**signed(names, "app"), "Signature": "sig1=:" + 43 * "A" + "=:"}
    count, _ = failures_until_refused(lambda: client("198.51.100.31", "", **forged), ADDRESS_BURST + 4 * SLACK)
    assert count >= ADDRESS_BURST
    assert client("198.51.100.32", "", **signed(names, "app")).status == 200


def test_copies_of_a_signed_request_count_as_failures(stage, client):
    """Whoever has a copy does not thereby become somebody who is known at his address."""
    _, names = stage
    copy = signed(names, "app")
    assert client("198.51.100.41", "", **copy).status == 200
    count, _ = failures_until_refused(lambda: client("198.51.100.42", "", **copy), ADDRESS_BURST + 4 * SLACK)
    assert count >= ADDRESS_BURST


def test_carts_are_bounded_for_an_address_but_not_for_a_backend(stage, client):
    _, names = stage
    cart = {"items": [{"tier": "none such", "quantity": 1}]}

    def buy(address, key="", **headers):
        return client(address, key, "POST", "/api/cart/checkout", cart, **headers)
    publishable = {"X-Publishable-Key": names["<pk-app>"]}
    for count in range(CART_BURST + 2 * SLACK):
        answer = buy("198.51.100.99", **publishable)
        if answer.status == 429:
            break
        assert answer.status == 400, answer
    assert answer.status == 429 and count >= CART_BURST
    assert answer.json["error"] == "Rate limit exceeded" and answer.headers["retry-after"] == str(answer.json["retryAfter"])
    assert buy("198.51.100.100", **publishable).status == 400
    assert buy("198.51.100.99", names["<sk-app>"]).status == 400
    serve, _ = stage
    metrics = daemon.ask(serve.admin, "GET", "/metrics").text
    assert int(next(line.split()[-1] for line in metrics.splitlines() if line.startswith("dreamapid_throttled_total"))) > 0


def test_the_log_names_the_client_that_a_trusted_proxy_asks_for(stage, client):
    client("203.0.113.77, 192.0.2.9", "sk_live_x", **{"X-Request-Id": "through-two"})
    serve, _ = stage
    line = daemon.wait_for("the line", lambda: next((line for line in serve.log().splitlines() if "through-two" in line), None))
    assert '"remote":"203.0.113.77"' in line


def test_a_header_of_somebody_else_says_nothing(tmp_path):
    with daemon.Daemon(tmp_path, "--db", tmp_path / "n.db", "--free-ports", "--trusted-proxy", "127.0.0.2") as serve:
        daemon.ask(serve.api, "GET", "/health", {"X-Forwarded-For": "203.0.113.77", "X-Request-Id": "from-nobody"})
        line = daemon.wait_for("the line", lambda: next((line for line in serve.log().splitlines() if "from-nobody" in line), None))
        assert '"remote":"127.0.0.1"' in line
        assert serve.stop() == 0


def test_what_is_no_network_is_told_before_anything_starts(tmp_path):
    done = daemon.run("serve", "--db", tmp_path / "n.db", "--free-ports", "--trusted-proxy", "10.0.0.1/8", check=False)
    assert done.returncode == 2 and "--trusted-proxy" in done.stderr
