# SPDX-License-Identifier: Apache-2.0
"""`dreamapid serve` as an operator meets it: the line it prints, its end on SIGTERM, what a kill -9 leaves behind, its flags; and
the built-in sandbox, end to end over HTTP, up to a payment."""

import concurrent.futures
import contextlib
import http.client
import os
import re
import socket
import urllib.parse

import pytest

import daemon
import pages
import providers
import tenant

PARTS = {"api", "platform", "connect", "signup", "dashboard", "admin", "sandbox"}


@pytest.fixture(scope="module")
def sandboxed(tmp_path_factory):
    """A service with its sandbox and one tenant: (daemon, db, keys, folder)."""
    folder = tmp_path_factory.mktemp("serve")
    db = folder / "shop.db"
    with daemon.Daemon(folder, "--sandbox", "--db", db, "--free-ports") as serve:
        yield serve, db, tenant.create(db, folder), folder
        assert serve.stop() == 0


def sandbox_instances(urls):
    return [urls["sandbox"][service][mode] for service in ("stripe", "clerkPlatform", "clerkEndUser") for mode in ("live", "test")]


def new_customer(backend, name):
    made = backend.ask("POST", "/api/customers", {"email": f"{name}@example.com"})
    assert made.status == 201, made
    return made.json["customer"]["id"]


def checkout_url(backend, user_id):
    made = backend.ask("POST", "/api/create-checkout", {"userId": user_id, "tier": "pro"})
    assert made.status == 200, made
    return made.json["url"]


# The line, and several at once.


def test_the_line_names_every_part_and_every_sandbox_instance(sandboxed):
    urls = sandboxed[0].urls
    assert set(urls) == PARTS
    assert [urls[part] for part in ("platform", "connect", "signup", "dashboard")] == [None] * 4
    for instance in sandbox_instances(urls):
        assert set(instance) == {"url", "secretKey", "webhookSecret"}
    secrets = [instance["secretKey"] for instance in sandbox_instances(urls)]
    assert len(set(secrets)) == len(secrets)
    assert len({instance["url"] for instance in sandbox_instances(urls)}) == 6
    health = daemon.ask(urls["api"], "GET", "/health")
    assert (health.status, health.json["status"]) == (200, "ok")


def test_everything_listens_on_loopback_only(sandboxed):
    urls = sandboxed[0].urls
    for url in [urls["api"], urls["admin"], *(instance["url"] for instance in sandbox_instances(urls))]:
        assert urllib.parse.urlsplit(url).hostname == "127.0.0.1"


def test_without_a_sandbox_the_line_says_null(tmp_path):
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports") as serve:
        assert serve.urls["sandbox"] is None
        assert daemon.ask(serve.api, "GET", "/health").status == 200
        assert serve.stop() == 0


def test_three_run_side_by_side_and_leave_nothing_behind(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    running = []
    try:
        for _ in range(3):
            running.append(daemon.Daemon(tmp_path, "--sandbox", "--free-ports", env={"TMPDIR": str(temporary)}))
        assert len({serve.api for serve in running}) == 3
        for serve in running:
            assert daemon.ask(serve.api, "GET", "/health").status == 200
        assert [serve.stop() for serve in running] == [0, 0, 0]
    finally:
        for serve in running:
            serve.kill()
    assert os.listdir(temporary) == []


# Its end.


def test_sigterm_answers_what_is_in_hand_and_ends_with_0(tmp_path):
    stand = providers.Providers()
    names = tenant.load(tmp_path, tmp_path / "x.db", [{"key": "app", "tiers": [tenant.tier("free", 5)]}], env=stand.environment())
    headers = {"Authorization": "Bearer " + names["<sk-app>"]}
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports", env=stand.environment()) as serve, \
            concurrent.futures.ThreadPoolExecutor(1) as pool, stand.hold("clerk", "POST", "/v1/users") as held:
        asked = pool.submit(daemon.ask, serve.api, "POST", "/api/customers", headers, {"email": "last@example.test"})
        held.wait_arrived()
        assert daemon.ask(serve.admin, "GET", "/ready").status == 200
        serve.terminate()
        daemon.wait_for("refusal of new connections", lambda: not accepts(serve.api))
        held.release()
        assert asked.result(20).status == 201
        assert serve.wait() == 0
    stand.close()


def test_sigterm_under_load_loses_no_answer(tmp_path):
    """Whatever was counted was also answered: a client that got no answer was not charged."""
    names = tenant.load(tmp_path, tmp_path / "x.db", [{"key": "app", "tiers": [tenant.tier("free", None, rateLimit=None)]}],
                        [tenant.user("user_one", "app")])
    served = dict.fromkeys(range(16), 0)

    def use(url, number):
        with contextlib.suppress(OSError, http.client.HTTPException), tenant.Backend(url, names["<sk-app>"]) as backend:
            while backend.track("user_one").status == 200:
                served[number] += 1

    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports") as serve, concurrent.futures.ThreadPoolExecutor(16) as pool:
        running = [pool.submit(use, serve.api, number) for number in range(16)]
        daemon.wait_for("200 successes", lambda: sum(served.values()) >= 200)
        assert serve.stop() == 0
        for one in running:
            one.result(30)
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports") as serve:
        with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
            assert backend.usage("user_one")["usageCount"] == sum(served.values())
        assert serve.stop() == 0


def accepts(url):
    """Does a new connection get an answer to a health question?"""
    try:
        return daemon.ask(url, "GET", "/health", timeout_s=5).status == 200
    except OSError:
        return False
    except Exception:  # noqa: BLE001 - an answer cut short is no answer
        return False


def test_sigterm_ends_it_though_clients_keep_idle_connections(tmp_path):
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports") as serve:
        parts = urllib.parse.urlsplit(serve.api)
        idle = [socket.create_connection((parts.hostname, parts.port), 10) for _ in range(5)]
        idle[0].sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle[0].recv(12) == b"HTTP/1.1 200"
        idle[1].sendall(b"POST /api/data HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
        assert serve.stop() == 0
        for connection in idle:
            connection.close()


# What watches it.


def test_ready_and_health_answer_on_the_admin_port(sandboxed):
    for path in ("/ready", "/health"):
        assert daemon.ask(sandboxed[0].admin, "GET", path).status == 200


def test_metrics_are_prometheus_text_and_count_requests(sandboxed):
    serve = sandboxed[0]

    def samples():
        answer = daemon.ask(serve.admin, "GET", "/metrics")
        assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
        found = {}
        for line in answer.text.splitlines():
            if line and not line.startswith("#"):
                assert re.fullmatch(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="(\\.|[^"\\])*",?)*\})? \S+', line), line
                name, value = line.rsplit(" ", 1)
                found[name] = float(value)
        return found

    before = samples()
    for _ in range(3):
        assert daemon.ask(serve.api, "GET", "/api/tiers").status == 401
    after = samples()
    grown = {name: after[name] - before.get(name, 0) for name in after if after[name] - before.get(name, 0) >= 3}
    assert any("request" in name for name in grown), grown


def test_the_log_is_structured_and_keeps_secrets_out(sandboxed):
    serve, _, keys, _ = sandboxed
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        backend.ask("GET", "/api/tiers")
        new_customer(backend, "logged")
    log = serve.log_path.read_text()
    assert log.strip()
    for secret in [keys["secretKey"], *(i["secretKey"] for i in sandbox_instances(serve.urls)),
                   *(i["webhookSecret"] for i in sandbox_instances(serve.urls))]:
        assert secret not in log


# Its flags.


@pytest.mark.parametrize("words", [
    ["serve", "--no-such-flag"], ["serve", "--listen-api"], ["serve", "--listen-api", "nonsense", "--free-ports"],
    ["serve", "--listen-api", "127.0.0.1:99999"], ["serve", "--db", "/nonexistent/folder/x.db", "--free-ports"],
    ["serve", "--env-file", "/nonexistent/env", "--free-ports"], ["serve", "--listen-dashboard", "127.0.0.1:0"],
    ["no-such-command"], [], ["tenant"], ["tenant", "create"], ["fixture", "load"], ["check"], ["serve", "operand"]],
    ids=lambda words: " ".join(words) or "nothing")
def test_a_bad_command_line_is_refused_with_a_reason(words, tmp_path):
    done = daemon.run(*words, env={"TMPDIR": str(tmp_path)}, check=False, timeout_s=20)
    assert done.returncode not in (0, None) and done.returncode > 0
    assert done.stderr.strip()
    assert not done.stdout.startswith("{")


def test_a_port_in_use_is_refused_and_named(sandboxed, tmp_path):
    address = sandboxed[0].api.removeprefix("http://")
    done = daemon.run("serve", "--db", tmp_path / "x.db", "--free-ports", "--listen-api", address, check=False, timeout_s=20)
    assert done.returncode > 0
    assert address in done.stderr


def test_help_names_the_commands():
    done = daemon.run("--help")
    for word in ("serve", "migrate", "check", "tenant create", "fixture load"):
        assert word in done.stdout


def test_settings_come_from_an_env_file_too(tmp_path):
    stand = providers.Providers()
    (tmp_path / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in stand.environment().items()))
    names = tenant.load(tmp_path, tmp_path / "x.db", [{"key": "app", "tiers": [tenant.tier("free", 5)]}])
    with daemon.Daemon(tmp_path, "--db", tmp_path / "x.db", "--free-ports", "--env-file", tmp_path / "settings.env") as serve:
        with tenant.Backend(serve.api, names["<sk-app>"]) as backend:
            new_customer(backend, "env")
        assert serve.stop() == 0
    assert [call["path"] for call in stand.take_calls()] == ["/v1/users"]
    stand.close()


# Tenants beside a running service.


def test_tenants_are_made_while_it_serves(sandboxed):
    serve, db, _, folder = sandboxed
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        folders = [folder / f"tenant-{n}" for n in range(3)]
        for each in folders:
            each.mkdir()
        made = list(pool.map(lambda n: tenant.create(db, folders[n], f"dev{n}@example.test"), range(3)))
    assert len({keys["platformId"] for keys in made}) == 3
    for keys in made:
        assert set(keys) == {"platformId", "publishableKey", "secretKey"}
        assert keys["secretKey"].startswith("sk_live_") and keys["publishableKey"].startswith("pk_live_")
        tiers = daemon.ask(serve.api, "GET", "/api/tiers", {"X-Publishable-Key": keys["publishableKey"]}).json["tiers"]
        assert {tier["id"] for tier in tiers} == {"free", "pro"}
        assert all(tier["priceId"] for tier in tiers if tier["id"] == "pro")


def test_a_tenant_may_have_a_test_project(sandboxed):
    serve, db, _, folder = sandboxed
    keys = tenant.create(db, folder, "both@example.test", mode="test", project="Shop", type="membership")
    assert keys["secretKey"].startswith("sk_test_")
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "testmode")
        assert backend.track(user_id).status == 200


# The sandbox.


def test_a_payment_on_the_sandbox_page_upgrades_and_keeps_the_count(sandboxed):
    serve, _, keys, _ = sandboxed
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "ada")
        for count in range(1, 6):
            assert backend.track(user_id).json["usage"] == {"count": count, "limit": 5, "plan": "free", "held": 0, "lost": 0}
        assert backend.track(user_id).status == 403
        url = checkout_url(backend, user_id)
        page = pages.open_page(url)
        assert page.status == 200 and page.headers["content-type"].startswith("text/html")
        for field in pages.CARD:
            assert f'name="{field}"' in page.text
        assert "<script" not in page.text
        pages.pays(url)
        daemon.wait_for("the upgrade", lambda: backend.usage(user_id)["plan"] == "pro")
        usage = backend.usage(user_id)
        assert (usage["usageCount"], usage["limit"], usage["remaining"]) == (5, 100, 95)
        assert backend.track(user_id).json["usage"] == {"count": 6, "limit": 100, "plan": "pro", "held": 0, "lost": 0}
        assert backend.ask("GET", "/api/customers/" + user_id).json["customer"]["plan"] == "pro"


def test_a_card_that_is_declined_upgrades_nothing(sandboxed):
    serve, _, keys, _ = sandboxed
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "declined")
        url = checkout_url(backend, user_id)
        for bad in ({"card_number": "4000 0000 0000 0002"}, {"card_number": "1234"}, {"exp": "01/20"}, {"cvc": ""}):
            assert pages.pay(url, **bad).status != 303, bad
        assert backend.usage(user_id)["plan"] == "free"
        pages.pays(url)  # and the page can still be paid on
        daemon.wait_for("the upgrade", lambda: backend.usage(user_id)["plan"] == "pro")


def test_the_portal_ends_a_subscription_and_takes_it_back(sandboxed):
    serve, _, keys, _ = sandboxed
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "portal")
        pages.pays(checkout_url(backend, user_id))
        daemon.wait_for("the upgrade", lambda: backend.usage(user_id)["plan"] == "pro")
        opened = backend.ask("POST", "/api/customer-portal", {"userId": user_id})
        assert opened.status == 200, opened
        url = opened.json["url"]
        home = pages.open_page(url)
        assert home.status == 200 and "Active" in home.text and "Change plan" in home.text
        ends = re.search(r'href="(/portal/[^"]*/cancel/[^"]*)"', home.text)[1]
        back = pages.open_page(urllib.parse.urljoin(url, ends), {"feedback": "unused"})
        assert back.status == 303 and "Ends soon" in pages.open_page(urllib.parse.urljoin(url, back.headers["location"])).text
        assert backend.usage(user_id)["plan"] == "pro"  # until the period ends
        keeps = re.search(r'action="(/portal/[^"]*/resume/[^"]*)"', pages.open_page(url).text)[1]
        assert pages.open_page(urllib.parse.urljoin(url, keeps), {"x": ""}).status == 303
        assert "Ends soon" not in pages.open_page(url).text


def listed(backend, user_id):
    """The customer as the list shows it; None if it does not."""
    page = backend.ask("GET", "/api/customers?limit=100")
    assert page.status == 200, page
    return next((customer for customer in page.json["customers"] if customer["id"] == user_id), None)


def test_what_the_sandboxes_clerk_tells_of_a_user_is_heard(sandboxed):
    serve, _, keys, _ = sandboxed
    clerk = serve.urls["sandbox"]["clerkEndUser"]["live"]
    headers = {"Authorization": "Bearer " + clerk["secretKey"], "Content-Type": "application/json"}
    with tenant.Backend(serve.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "heard")
        assert backend.track(user_id).status == 200
        assert daemon.ask(clerk["url"], "PATCH", f"/v1/users/{user_id}", headers, '{"first_name":"Hedy"}').status == 200
        daemon.wait_for("the new name", lambda: listed(backend, user_id)["firstName"] == "Hedy")
        assert daemon.ask(clerk["url"], "DELETE", f"/v1/users/{user_id}", headers).status == 200
        daemon.wait_for("the end", lambda: listed(backend, user_id) is None)
        assert backend.track(user_id).status == 404


def test_a_kill_loses_nothing_of_the_sandbox(tmp_path):
    db = tmp_path / "shop.db"
    first = daemon.Daemon(tmp_path, "--sandbox", "--db", db, "--free-ports")
    keys = tenant.create(db, tmp_path)
    with tenant.Backend(first.api, keys["secretKey"]) as backend:
        user_id = new_customer(backend, "kept")
        assert backend.track(user_id).status == 200
    clerk = first.urls["sandbox"]["clerkEndUser"]["live"]
    token = sandbox_token(clerk, user_id)
    headers = {"X-Publishable-Key": keys["publishableKey"], "X-Clerk-Token": token}
    assert daemon.ask(first.api, "GET", "/api/usage", headers).json["usageCount"] == 1
    first.kill()
    with daemon.Daemon(tmp_path, "--sandbox", "--db", db, "--free-ports") as second:
        again = second.urls["sandbox"]
        assert [(i["secretKey"], i["webhookSecret"]) for i in sandbox_instances(second.urls)] == \
            [(i["secretKey"], i["webhookSecret"]) for i in sandbox_instances(first.urls)]
        assert daemon.ask(second.api, "GET", "/api/usage", headers).json["usageCount"] == 1
        headers["X-Clerk-Token"] = sandbox_token(again["clerkEndUser"]["live"], user_id)
        assert daemon.ask(second.api, "GET", "/api/usage", headers).json["usageCount"] == 1
        with tenant.Backend(second.api, keys["secretKey"]) as backend:
            assert backend.ask("GET", "/api/customers/" + user_id).json["customer"]["email"] == "kept@example.com"
            assert backend.track(user_id).json["usage"]["count"] == 2
        assert second.stop() == 0
    assert daemon.run("check", "--db", db, check=False).returncode == 0


def sandbox_token(clerk, user_id):
    """Signs the user in at the sandbox's Clerk and takes a token, as Clerk's own backend clients do."""
    headers = {"Authorization": "Bearer " + clerk["secretKey"]}
    session = daemon.ask(clerk["url"], "POST", "/v1/sessions", headers, {"user_id": user_id})
    assert session.status == 200, session
    token = daemon.ask(clerk["url"], "POST", f"/v1/sessions/{session.json['id']}/tokens/end-user-api", headers, {})
    assert token.status == 200, token
    return token.json["jwt"]


def test_payments_at_the_moment_of_a_kill_are_delivered_after_the_restart(tmp_path):
    """Each round pays and kills at once, so that the webhook is mostly still on its way; none may be lost, or applied twice."""
    db = tmp_path / "shop.db"
    serve = daemon.Daemon(tmp_path, "--sandbox", "--db", db, "--free-ports")
    keys = tenant.create(db, tmp_path)
    paid = []
    try:
        for n in range(3):
            with tenant.Backend(serve.api, keys["secretKey"]) as backend:
                paid.append(new_customer(backend, f"buyer{n}"))
                assert backend.track(paid[-1]).status == 200
                url = checkout_url(backend, paid[-1])
            pages.pays(url)
            serve.kill()
            serve = daemon.Daemon(tmp_path, "--sandbox", "--db", db, "--free-ports")
        with tenant.Backend(serve.api, keys["secretKey"]) as backend:
            for user_id in paid:
                daemon.wait_for("the upgrade", lambda: backend.usage(user_id)["plan"] == "pro", timeout_s=30)
                assert backend.usage(user_id)["usageCount"] == 1
        assert serve.stop() == 0
    finally:
        serve.kill()
    checked = daemon.run("check", "--db", db, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_migrate_and_check_take_a_new_store(tmp_path):
    daemon.run("migrate", "--db", tmp_path / "new.db")
    daemon.run("migrate", "--db", tmp_path / "new.db")
    assert daemon.run("check", "--db", tmp_path / "new.db").returncode == 0
