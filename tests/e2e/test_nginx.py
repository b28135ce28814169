# SPDX-License-Identifier: Apache-2.0
"""The nginx module of examples/nginx, built as its Makefile does it and loaded into Debian's nginx, whose workers share one journal: whom it lets
in, that a load of wrk's is admitted to exactly the limit whatever becomes of workers, and what `nginx -t` says of settings that cannot work."""
import concurrent.futures
import os
import re
import signal
import subprocess
import time

import pytest

import daemon
import nginx
import providers
import refusals
import shop
import tenant

pytestmark = pytest.mark.plain  # nginx has no sanitizer that the library could join

IS_LONG = os.environ.get("DREAMAPI_LONG") == "1"
LOAD_LIMIT = 200000 if IS_LONG else 6000
CONNECTIONS = 16
TIERS = [{"name": "free", "displayName": "Free", "price": 0, "limit": 3, "rateLimit": None, "meters": {"gems": {"limit": 5}}},
         {"name": "pro", "displayName": "Pro", "price": 2900, "limit": LOAD_LIMIT, "rateLimit": None},
         {"name": "busy", "displayName": "Busy", "price": 100, "limit": 1000, "rateLimit": 2}]
LOCATIONS = """
    location = /open { return 200 "open"; }
    location /api/ {
        dreamapi_meter on;
        dreamapi_wait 5s;
        add_header X-User $dreamapi_user_id always;
        add_header X-Plan $dreamapi_plan always;
        add_header X-Remaining $dreamapi_remaining always;
        index answer;
        location = /api/free { dreamapi_units 0; }
        location = /api/dear { dreamapi_units $arg_units; }
        location = /api/paged { error_page 402 /upgrade; }
        location = /api/denied { deny all; }
        location = /api/round { try_files /none @gems; }
    }
    location @gems { dreamapi_meter gems; dreamapi_wait 5s; try_files /none /api/answer; }
    location = /upgrade { return 402 "upgrade"; }
    location /brief/ { dreamapi_meter on; dreamapi_wait 300ms; alias html/api/; }
"""


class Stage(shop.Shop):
    def settings(self):
        return {"dreamapi_base_url": self.serve.api, "dreamapi_publishable_key": self.keys["publishableKey"],
                "dreamapi_secret_key_file": "secret.key", "dreamapi_journal": "usage.journal",
                "dreamapi_jwks_url": self.jwks_url()}

    def prefix(self, name):
        """A folder for one nginx, with what it serves."""
        folder = self.folder / name
        (folder / "html" / "api").mkdir(parents=True)
        for page in ("answer", "free", "dear", "paged", "denied"):
            (folder / "html" / "api" / page).write_text("42\n")
        (folder / "secret.key").write_text(self.keys["secretKey"] + "\n")
        return folder

    def nginx(self, name, workers=4):
        return nginx.Nginx(self.prefix(name), LOCATIONS, self.settings(), workers)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("nginx"), TIERS)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def server(stage):
    with stage.nginx("answers") as server:
        yield server
        server.stop()


def ask(server, path, token=None):
    return daemon.ask(server.url, "GET", path, {"Authorization": "Bearer " + token} if token else {})


def test_only_a_good_token_of_a_customer_gets_in(stage, server):
    ada = stage.customer("ada")
    assert ask(server, "/open").status == 200
    nobody = ask(server, "/api/answer")
    refusals.assert_is(nobody, "nobody is signed in")
    assert daemon.ask(server.url, "GET", "/api/answer", {"Authorization": "Basic YTpi"}).json == nobody.json
    refusals.assert_is(ask(server, "/api/answer", "not.a.token"), "the token is not good")
    assert ask(server, "/api/answer", stage.token(ada, lifetime_s=-100)).status == 401
    refusals.assert_is(ask(server, "/api/answer", providers.user_token(ada, "pk_live_of_another")), "the token is of another project")
    refusals.assert_is(ask(server, "/api/answer", stage.token("user_none")), "the user is no customer")
    assert stage.usage(ada)["usageCount"] == 0


def test_a_user_is_served_until_the_plan_is_used_up(stage, server):
    user = stage.customer("bea")
    answers = [ask(server, "/api/answer", stage.token(user)) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 402, 402]
    assert [answer.headers["x-remaining"] for answer in answers[:3]] == ["2", "1", "0"]
    assert answers[0].text == "42\n" and answers[0].headers["x-user"] == user and answers[0].headers["x-plan"] == "free"
    assert answers[4].json == {"error": "Tier limit reached", "limit": 3, "used": 3}
    paged = ask(server, "/api/paged", stage.token(user))
    assert paged.status == 402 and paged.text == "upgrade" and paged.headers["cache-control"] == "no-store"


def test_too_many_in_a_minute_are_told_when_to_come_again(stage, server):
    token = stage.token(stage.customer("bob", "busy"))
    answers = [ask(server, "/api/answer", token) for _ in range(7)]  # a minute may end in between
    late = next(answer for answer in answers if answer.status != 200)
    assert late.status == 429 and late.json["error"] == "Too many requests" and 1 <= int(late.headers["retry-after"]) <= 60


def test_a_request_counts_once_and_as_its_location_says(stage, server):
    user = stage.customer("cleo")
    token = stage.token(user)
    assert ask(server, "/api/denied", token).status == 403  # by nginx itself: not counted
    assert ask(server, "/api/free").status == 200  # 0 units: nobody is asked for
    redirected = ask(server, "/api/", token)  # sent on to /api/answer by nginx
    assert redirected.text == "42\n" and redirected.headers["x-remaining"] == "2"
    assert ask(server, "/api/dear?units=2", token).headers["x-remaining"] == "0"
    assert ask(server, "/api/dear?units=1", token).status == 402
    assert ask(server, "/api/dear?units=x", token).status == 500
    # By way of another meter, and back to the one that it has paid.
    token = stage.token(stage.customer("dora"))
    assert ask(server, "/api/round", token).headers["x-remaining"] == "4"  # gems, which were asked last
    assert ask(server, "/api/answer", token).headers["x-remaining"] == "1"


def test_what_is_leased_is_served_while_the_service_is_away_and_nothing_else_waits(stage, server):
    eve, other = stage.customer("eve", "pro"), stage.token(stage.customer("late"))
    assert ask(server, "/brief/answer", stage.token(eve)).status == 200
    with stage.serve.away():
        assert ask(server, "/brief/answer", stage.token(eve)).status == 200
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            began = time.monotonic()
            waiting = [pool.submit(ask, server, "/brief/answer", other) for _ in range(24)]
            while not all(one.done() for one in waiting):
                assert ask(server, "/open").status == 200
            took = time.monotonic() - began
        # 0.3 s each: one after the other in two workers, they would take 3.6 s.
        assert {one.result().status for one in waiting} == {503} and 0.3 <= took < 3
        assert waiting[0].result().json["error"] == "Metering unavailable" and waiting[0].result().headers["retry-after"]
    assert daemon.wait_for("the service's return", lambda: ask(server, "/api/answer", other).status == 200)


def test_wrk_is_admitted_to_exactly_the_limit(stage):
    user = stage.customer("load", "pro")
    with stage.nginx("load") as server:
        hammer(stage, server, user, lambda: None)
        server.stop()
        usage, admitted = stage.usage(user), server.answers()["200"]
    assert usage["usageCount"] == admitted == LOAD_LIMIT and usage["held"] == usage["lost"] == 0, usage


def test_the_limit_stays_exact_while_workers_are_killed_and_nginx_reloads(stage):
    user, killed = stage.customer("kill", "pro"), []

    def disturb():
        killed.append(server.busiest())
        os.kill(killed[-1], signal.SIGKILL)
        server.reload()

    with stage.nginx("kill") as server:
        hammer(stage, server, user, disturb)
        server.stop()
        usage, admitted = stage.usage(user), server.answers()["200"]
    assert usage["usageCount"] == LOAD_LIMIT and usage["held"] == usage["lost"] == 0, usage
    # A killed worker may have counted what it had no time to answer.
    assert admitted <= LOAD_LIMIT <= admitted + CONNECTIONS * len(killed), admitted


def hammer(stage, server, user, disturb):
    """wrk asks, a second at a time, until the limit is reached and nobody holds units any more; `disturb` is called in the midst of each."""
    usage = {"usageCount": 0}
    while usage["usageCount"] < LOAD_LIMIT:
        so_far = server.answers()["200"]
        with nginx.Wrk(server.url + "/api/answer", 1, CONNECTIONS, stage.token(user)) as wrk:
            daemon.wait_for("a part of the load", lambda: server.answers()["200"] > so_far + 300 or server.answers()["402"])
            disturb()
            wrk.wait()
        with tenant.Backend(stage.serve.api, stage.keys["secretKey"]) as backend:
            usage = backend.usage(user)
    assert set(server.answers()) <= {"200", "402", "429", "499", "503"}, server.answers()


WRONG = {
    "dreamapi_base_url": ("ftp://api.example.com", '"dreamapi_base_url" must be the service\'s address'),
    "dreamapi_secret_key_file": ("missing.key", '"dreamapi_secret_key_file": cannot read'),
    "dreamapi_journal": ("no/such/usage.journal", '"dreamapi_journal": there is no folder'),
    "dreamapi_jwks_url": ("http://keys.example.com/jwks", '"dreamapi_jwks_url" must be an https address, or http to a loopback one'),
    "dreamapi_publishable_key": (None, '"dreamapi_meter" is used, but "dreamapi_publishable_key" is not set'),
}


README = daemon.ROOT / "examples/nginx/README.md"


def test_the_readme_knows_every_directive_and_its_configuration_is_good(stage):
    text = README.read_text()
    made = set(re.findall(r'"(dreamapi_\w+)", (?:set|ngx_conf_set|ngx_http_set)_|ngx_string\("(dreamapi_\w+)"\)', (README.parent / "settings.c").read_text()))
    assert {name for pair in made for name in pair if name} == set(re.findall(r"`(dreamapi_\w+) ", text))
    folder = stage.prefix("readme")
    config = re.search(r"```nginx\n(.*?)```", text, re.DOTALL).group(1)
    for there, here in (("modules/ngx_http_dreamapi_module.so", str(nginx.module())), ("/etc/nginx/dreamapi.key", f"{folder}/secret.key"),
                        ("/var/lib/nginx-dreamapi", str(folder)), ("/var/log/nginx", str(folder)), ("8080", f"unix:{folder}/nginx.sock"),
                        ("events { }", f"pid {folder}/nginx.pid; events {{ }}"), ("http {", f"http {{ access_log access.log; {nginx.TEMPORARY}")):
        assert there in config
        config = config.replace(there, here, 1)
    (folder / "nginx.conf").write_text(config)
    (folder / "tmp").mkdir()
    assert nginx.try_config(folder) == ""


def test_nginx_tells_what_is_wrong_with_its_settings(stage):
    folder = stage.prefix("wrong")
    assert nginx.check(folder, LOCATIONS, stage.settings()) == ""
    for name, (value, problem) in WRONG.items():
        assert problem in nginx.check(folder, LOCATIONS, {**stage.settings(), name: value}), name
    http = nginx.check(folder, LOCATIONS, {**stage.settings(), "dreamapi_base_url": "http://api.example.com"})
    assert re.search(r"emerg.*dreamapi: the secret key is not sent over plain http", http), http
    (folder / "secret.key").write_text("two\nlines\n")
    assert '"dreamapi_secret_key_file"' in nginx.check(folder, LOCATIONS, stage.settings())
    assert '"dreamapi_meter" directive is duplicate' in nginx.check(folder, "location / { dreamapi_meter on; dreamapi_meter off; }", {})
    # Settings that nothing uses need not be complete.
    assert nginx.check(folder, "location / { dreamapi_meter off; }", {}) == ""
