# SPDX-License-Identifier: Apache-2.0
"""dreamapi, the command line, against the real service: each command's table and JSON, each exit status, what a terminal gets and a
pipe does not, and a killed worker's journal shown, checked and settled to the unit."""

import json
import os
import pty
import re
import shutil
import subprocess
import threading

import pytest

import crash
import daemon
import listener
import providers
import stage as stages
import tenant
import wire

pytestmark = pytest.mark.plain

OK, FAILED, USAGE, REFUSED, NOT_FOUND, AUTH, UNAVAILABLE, UNKNOWN = range(8)
PROGRAM = str(daemon.build_dir() / "src/cli/dreamapi")
TIERS = [tenant.tier("free", 3, rateLimit=None), tenant.tier("pro", 10, rateLimit=None, price=2900, priceId="price_pro", productId="prod_pro"),
         tenant.tier("max", None, rateLimit=None, price=9900, priceId="price_max", productId="prod_max")]
NOWHERE = "http://127.0.0.1:9"


def call(*words, env=None, stdin=None):
    return subprocess.run([PROGRAM, *map(str, words)], env=daemon.environment(env), input=stdin, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    env = {"DREAMAPID_LEASE_TTL_MS": "2000", "DREAMAPID_LEASE_GRACE_MS": "1000"}
    with stages.Stage(tmp_path_factory.mktemp("cli"), products=[stages.product("mug", 7)], tiers=TIERS, env=env) as made:
        yield made


class Shell:
    """dreamapi with one project's secret key in its environment."""

    def __init__(self, stage, key="app"):
        self.env = {"DREAMAPI_BASE_URL": stage.serve.api, "DREAMAPI_SECRET_KEY": stage.names[f"<sk-{key}>"]}

    def __call__(self, *words, status=OK, env=None, stdin=None):
        done = call(*words, env={**self.env, **(env or {})}, stdin=stdin)
        assert done.returncode == status, (words, done)
        return done

    def json(self, *words, **more):
        lines = self(*words, "--json", **more).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def fields(self, *words, **more):
        return dict(line.split("\t") for line in self(*words, "--tsv", **more).stdout.splitlines())


@pytest.fixture
def shell(stage):
    return Shell(stage)


# ---- the commands ----

def test_health_lists_what_the_service_offers(shell):
    assert re.search(r"^status +ok$", shell("health").stdout, re.M)
    assert "leases" in shell.json("health")[0]["extensions"]


def test_a_customer_is_made_shown_changed_and_deleted(shell, tmp_path):
    (tmp_path / "password").write_text("correct horse 1!\n")
    made = shell.fields("customers", "create", "--email", "cli.ada@example.test", "--first-name", "Ada", "--password-file", tmp_path / "password")
    assert made["email"] == "cli.ada@example.test" and made["id"].startswith("user_")
    assert shell.json("customers", "get", made["id"])[0]["customer"]["id"] == made["id"]
    assert shell.fields("customers", "update", made["id"], "--plan", "pro")["plan"] == "pro"
    assert shell.fields("customers", "get", made["id"])["plan"] == "pro"
    shell("customers", "delete", made["id"])
    gone = shell("customers", "get", made["id"], status=NOT_FOUND)
    assert gone.stdout == "" and gone.stderr.startswith("dreamapi: ")


def test_who_asks_for_what_is_not_there_is_asked_about_the_id_or_the_name(shell):
    for words in (("usage", "get", "user_none"), ("tiers", "check", "--plan", "pro", "--min-plan", "nonesuch")):
        assert "Is the id or the name right" in shell(*words, status=NOT_FOUND).stderr


def test_a_keyed_creation_is_repeated_without_a_second_customer(shell):
    words = ("customers", "create", "--email", "cli.once@example.test", "--idempotency-key", "once-1")
    assert shell.fields(*words)["id"] == shell.fields(*words)["id"]


def test_lists_go_page_by_page(stage):
    shell = Shell(stage, "sibling")
    users = [stage.new_customer("sibling") for _ in range(5)]
    first = shell("customers", "list", "--limit", 2)
    assert len(first.stdout.splitlines()) == 3 and first.stdout.startswith("ID ")
    cursor = re.search(r"--cursor (\S+) ", first.stderr).group(1)
    rest = shell("customers", "list", "--limit", 2, "--cursor", cursor, "--all", "--tsv").stdout.splitlines()
    shown = [line.split()[0] for line in first.stdout.splitlines()[1:]] + [line.split("\t")[0] for line in rest[1:]]
    assert sorted(shown) == sorted(users)
    pages = shell.json("customers", "list", "--limit", 2, "--all")
    assert [len(page["customers"]) for page in pages] == [2, 2, 1]


def test_usage_is_counted_shown_and_refused_at_the_limit(stage, shell):
    user = stage.new_customer()
    assert [shell.fields("usage", "track", user)["used"] for _ in range(3)] == ["1", "2", "3"]
    refused = shell("usage", "track", user, status=REFUSED)
    assert "Used in this period: 3 of 3." in refused.stderr
    assert shell.fields("usage", "get", user)["remaining"] == "0"
    unlimited = stage.new_customer(plan="max")
    assert shell.fields("usage", "get", unlimited)["limit"] == "unlimited"
    history = shell("usage", "history", user, "--tsv").stdout.splitlines()
    assert history[0] == "DAY\tUNITS" and any(line.endswith("\t3") for line in history)


def test_usage_on_a_users_behalf_takes_their_token_from_a_file(stage, tmp_path):
    user = stage.new_customer()
    (tmp_path / "token").write_text(stage.token(user)["X-Clerk-Token"] + "\n")
    env = {"DREAMAPI_BASE_URL": stage.serve.api, "DREAMAPI_PUBLISHABLE_KEY": stage.names["<pk-app>"]}
    done = call("usage", "track", "--user-token-file", tmp_path / "token", "--json", env=env)
    assert (done.returncode, stage.backend().usage(user)["usageCount"]) == (OK, 1), done


def test_a_batch_counts_each_event_once_and_names_what_was_refused(stage, shell, tmp_path):
    free, unlimited = stage.new_customer(), stage.new_customer(plan="max")
    lines = [f"e-{n},{unlimited},2" for n in range(1200)] + [f"f-{n},{free},1" for n in range(5)]
    (tmp_path / "events.csv").write_text("\n".join(["id,user_id,units", *lines]) + "\n")
    done = shell("usage", "batch", tmp_path / "events.csv", status=REFUSED)
    assert done.stdout.splitlines()[-1] == "1203 counted, 0 counted before, 2 over their limit, 0 wrong"
    assert re.search(rf"^ *1206  f-4 +{free}  limit", done.stdout, re.M)
    again = shell("usage", "batch", "-", stdin=(tmp_path / "events.csv").read_text(), status=REFUSED)
    assert "0 counted, 1203 counted before" in again.stdout
    assert stage.backend().usage(unlimited)["usageCount"] == 2400


@pytest.mark.parametrize("text, said", [("", "line 0: the file is empty"), ("id,user\n", "line 1: it names"), ("id,units\n", "columns id and user_id"),
                                        ("id,user_id,units\na,b,-1\n", "line 2: units are"), ("id,user_id\na,b,c\n", "line 2: it has more"),
                                        ('id,user_id\n"a",b\n', "line 2: it has a quote"), ("id,user_id\n,b\n", "line 2: id or"),
                                        ("id,user_id\na," + "b" * 5000 + "\n", "line 2: it is too long")])
def test_a_batch_that_is_malformed_is_refused_by_its_line(shell, text, said):
    assert said in shell("usage", "batch", "-", stdin=text, status=USAGE).stderr


def test_tiers_are_listed_with_money_and_limits(shell):
    rows = [line.split("\t") for line in shell("tiers", "list", "--tsv").stdout.splitlines()]
    shown = {row[0]: row[2:4] for row in rows[1:]}
    assert shown == {"free": ["0.00", "3"], "pro": ["29.00", "10"], "max": ["99.00", "unlimited"]}
    assert len(shell.json("tiers", "list")[0]["tiers"]) == 3


def test_a_tier_check_answers_by_its_exit_status(stage, shell):
    user = stage.new_customer(plan="pro")
    assert shell.fields("tiers", "check", user, "--min-plan", "free") == {"allowed": "yes", "plan": "pro"}
    assert shell.json("tiers", "check", user, "--min-plan", "max", status=REFUSED) == [{"allowed": False, "plan": "pro"}]
    shell("tiers", "check", "--plan", "pro", "--min-plan", "nonesuch", status=NOT_FOUND)
    shell("tiers", "check", user, status=USAGE)


def test_products_are_listed_with_their_currency_and_stock(stage):
    assert re.search(r"^mug +Mug +5\.00 USD +7 ", Shell(stage, "shop")("products", "list").stdout, re.M)


def test_pages_to_pay_and_to_manage_are_addresses_on_a_line(stage, shell):
    user = stage.new_customer()
    assert re.fullmatch(r"https?://\S+\n", shell("checkout", "create", user, "--tier", "pro").stdout)
    refused = shell("portal", "create", user, status=USAGE)
    assert "No active subscription found" in refused.stderr and "Request req_" in refused.stderr


def test_the_dashboard_and_its_totals(stage, shell):
    assert shell.fields("dashboard")["publishable key"] == stage.names["<pk-app>"]
    assert shell.fields("dashboard", "--totals")["mode"] == "live"
    assert shell.json("dashboard")[0]["filters"]["publishableKey"] == stage.names["<pk-app>"]


def test_the_dashboards_last_event_has_its_zone_as_every_time_has(stage):
    shell = Shell(stage, "shop")
    assert stage.deliver(stage.order({"price_mug": 1})).status == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", shell.fields("dashboard")["last event"])


def test_a_file_is_uploaded(stage, shell, tmp_path):
    (tmp_path / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    url = shell.fields("assets", "upload", tmp_path / "logo.png")["url"]
    assert daemon.ask(stage.serve.api, "GET", "/" + url.split("/", 3)[3] if "://" in url else url).status == 200
    assert "no name" in shell("assets", "upload", "-", stdin="x", status=USAGE).stderr


def test_webhooks_are_verified_by_each_scheme(tmp_path):
    body = b'{"id":"evt_1"}'
    (tmp_path / "body").write_bytes(body)
    secret = "whsec_" + "c2VjcmV0IG9mIDI0IGJ5dGVzIGFzIGlz"
    env = {"HOOK": secret, "OTHER": "whsec_" + "b3RoZXIgc2VjcmV0"}
    stripe = ("webhooks", "verify", tmp_path / "body", "--scheme", "stripe", "--signature", wire.stripe_signature(body, secret))
    svix = wire.svix_headers(body, secret, "msg_1")
    words = ("webhooks", "verify", "-", "--scheme", "svix", "--id", svix["svix-id"], "--timestamp", svix["svix-timestamp"], "--signature", svix["svix-signature"])
    assert call(*stripe, "--secret-env", "OTHER", "--secret-env", "HOOK", env=env).stdout == "genuine\n"
    assert call(*words, "--secret-env", "HOOK", env=env, stdin=body.decode()).stdout == "genuine\n"
    assert call(*words, "--secret-env", "HOOK", env=env, stdin=body.decode() + " ").returncode == AUTH
    assert call(*stripe, "--secret-env", "OTHER", env=env).returncode == AUTH
    assert call(*stripe, "--secret-env", "NONE", env=env).returncode == USAGE
    old = wire.stripe_signature(body, secret, age_s=900)
    assert call(*stripe[:-1], old, "--secret-env", "HOOK", env=env).returncode == AUTH
    assert call(*stripe[:-1], old, "--secret-env", "HOOK", "--tolerance", "1000", env=env).returncode == OK


def test_a_token_is_verified_without_a_service(tmp_path):
    (tmp_path / "keys").write_text(json.dumps({"keys": [providers.signing_key("live").jwk()]}))
    (tmp_path / "token").write_text(providers.user_token("user_1", "pk_live_1", "pro"))
    words = ("tokens", "verify", tmp_path / "token", "--keys-file", tmp_path / "keys")
    good = call(*words, "--publishable-key", "pk_live_1", "--tsv")
    assert good.returncode == OK and "user\tuser_1\n" in good.stdout and "plan\tpro\n" in good.stdout, good
    assert call(*words, "--publishable-key", "pk_live_2").returncode == AUTH
    assert call(*words, "--any-project", "--issuer", "other").returncode == AUTH
    assert call(*words[:3], "--any-project").returncode == USAGE


# ---- statuses, options, help ----

def test_what_went_wrong_is_told_by_the_exit_status(stage, shell):
    shell("health", "--timeout", "2", status=UNAVAILABLE, env={"DREAMAPI_BASE_URL": NOWHERE})
    wrong = shell("tiers", "list", status=AUTH, env={"DREAMAPI_SECRET_KEY": "sk_live_wrong"})
    assert "DREAMAPI_SECRET_KEY" in wrong.stderr and "sk_live_wrong" not in wrong.stderr
    assert "--base-url" in call("health").stderr
    assert call("health").returncode == USAGE
    shell("customers", "create", "--email", "no address", status=USAGE)


@pytest.mark.parametrize("extensions", [[], ["idempotency", "server-side"]], ids=["once", "idempotent"])
def test_what_may_have_been_done_is_told_with_the_way_to_repeat_it(extensions):
    """A service that takes requests and hangs up."""
    class Handler(listener.Handler):
        def do_GET(self):
            self.answer(200, json.dumps({"status": "ok", "extensions": extensions}).encode())

        def do_POST(self):
            self.close_connection = True

    with listener.Listener(Handler) as server:
        env = {"DREAMAPI_BASE_URL": server.url, "DREAMAPI_SECRET_KEY": "sk_test_x"}
        done = call("customers", "create", "--email", "a@example.test", "--timeout", "3", env=env)
    assert done.returncode == UNKNOWN and not done.stdout, done
    assert ("--idempotency-key" if extensions else "Look before you repeat it") in done.stderr, done


def test_the_secret_key_comes_from_a_file_and_never_from_an_option(stage, tmp_path):
    (tmp_path / "key").write_text(stage.names["<sk-app>"] + "\n")
    env = {"DREAMAPI_BASE_URL": stage.serve.api}
    assert call("dashboard", "--secret-key-file", tmp_path / "key", env=env).returncode == OK
    assert call("dashboard", "--secret-key-file", tmp_path / "none", env=env).returncode == FAILED
    assert "has no option --secret-key;" in call("dashboard", "--secret-key", "sk_live_x", env=env).stderr


@pytest.mark.parametrize("words", [(), ("nonesuch",), ("customers",), ("customers", "nonesuch"), ("customers", "get"), ("customers", "get", "a", "b"),
                                   ("customers", "get", ""), ("health", "--js"), ("health", "--json=1"), ("health", "--timeout"), ("health", "--timeout", "soon"),
                                   ("health", "--timeout", "0"), ("health", "--timeout", "1", "--timeout", "2"), ("health", "--json", "--tsv"),
                                   ("customers", "create"), ("customers", "update", "x"), ("customers", "list", "--limit", "0"),
                                   ("usage", "get"), ("webhooks", "verify"), ("tokens", "verify")], ids=" ".join)
def test_a_command_line_that_is_wrong_ends_with_2_and_says_why(words):
    done = call(*words, env={"DREAMAPI_BASE_URL": NOWHERE})
    assert (done.returncode, done.stdout) == (USAGE, "") and done.stderr


def test_help_is_everywhere_and_has_examples():
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", call("--help").stdout, re.M)
    assert len(commands) > 15
    for command in commands:
        shown = call(*command.split(), "--help")
        assert shown.returncode == OK and f"dreamapi {command}" in shown.stdout.split("Example", 1)[1], command
    assert "customers delete" in call("customers", "--help").stdout
    assert re.fullmatch(r"dreamapi \d+\.\d+\.\d+\n", call("--version").stdout)


# ---- the manual and the guide ----

def test_the_manual_and_the_help_name_the_same_commands_and_options():
    page = (daemon.ROOT / "docs/dreamapi.1").read_text().replace("\\-", "-")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", call("--help").stdout, re.M)
    assert re.findall(r"^\.B ([a-z]+(?: [a-z]+)?)$", page, re.M) == commands
    assert re.findall(r"^\\fBdreamapi ([a-z]+(?: [a-z]+)?)\\fR", page, re.M) == commands
    own = {command: set(re.findall(r"^  (--[a-z-]+)", call(*command.split(), "--help").stdout, re.M)) for command in commands}
    common = set(re.findall(r"^\\fB(--[a-z-]+)", page.split(".SH COMMON OPTIONS")[1].split(".SH EXIT")[0], re.M))
    told = re.split(r"^\.B ([a-z]+(?: [a-z]+)?)$", page.split(".SH COMMANDS")[1].split(".SH COMMON OPTIONS")[0], flags=re.M)
    for command, text in zip(told[1::2], told[2::2]):
        assert set(re.findall(r"^\\fB(--[a-z-]+)", text, re.M)) == own[command] - common, command
    assert common <= set.union(*own.values())


def test_the_guides_commands_work(stage, shell, tmp_path):
    guide = (daemon.ROOT / "docs/cli.md").read_text()
    calls, journals = re.findall(r"^```sh\n(.*?)^```$", guide, re.M | re.S)
    user = stage.new_customer()
    env = {**daemon.environment(shell.env), "PATH": f"{os.path.dirname(PROGRAM)}:{os.environ['PATH']}"}
    script = "".join(line + "\n" for line in calls.splitlines() if not line.startswith("export ")).replace("user_1", user)
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "may come in" in done.stdout and "1 counted" in done.stdout, done
    witness = crash.Witness(tmp_path / "witness")
    worker = crash.Worker(stage, witness, "run", tmp_path / "usage.journal", witness.path, 1, 1, 0, 20, f"{stage.new_customer(plan='max')}/default/wait")
    assert worker.finish() == 0
    done = subprocess.run(["bash", "-euc", journals], env=env, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.endswith("settled\n"), done


# ---- terminals and pipes ----

def on_terminal(*words, env, stderr_too=False):
    """What the program writes to a terminal; standard error goes there only if asked."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *words], env=daemon.environment(env), stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs if stderr_too else subprocess.PIPE)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:
        pass  # how a terminal ends
    finally:
        os.close(ours)
        process.communicate(timeout=20)
    return text.decode()


def test_colours_are_for_terminals_only(shell):
    env = {**shell.env, "TERM": "xterm"}
    assert "\033[1m" in on_terminal("tiers", "list", env=env)
    assert "\033[" not in on_terminal("tiers", "list", env={**env, "NO_COLOR": "1"})
    assert "\033[" not in on_terminal("tiers", "list", env={**env, "TERM": "dumb"})
    assert "\033[31mdreamapi:" in on_terminal("usage", "nonesuch", env=env, stderr_too=True)
    assert "\033" not in shell("tiers", "list", env={"TERM": "xterm"}).stdout


class Hostile(listener.Handler):
    """A service that answers /health with escape sequences, and with others only when it is let go."""
    go_on = threading.Event()
    PLAN = "a\\u001b[2Jb\\u009bc\\u202ed"

    def do_GET(self):
        if self.path.startswith("/api/"):
            self.go_on.wait(20)
        body = ('{"status":"%s",\n "extensions":["x\\u0007\x7f"],\n "tiers":[]}' % self.PLAN).encode()
        self.answer(200, body, Content_Type="application/json")


@pytest.fixture
def hostile():
    Hostile.go_on.clear()
    with listener.Listener(Hostile) as server:
        yield {"DREAMAPI_BASE_URL": server.url, "DREAMAPI_SECRET_KEY": "sk_live_x"}
        Hostile.go_on.set()


def test_what_a_service_says_cannot_drive_the_terminal(hostile):
    done = call("health", env=hostile)
    assert done.returncode == OK and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", done.stdout), done
    assert "a\\x1B[2Jb\\xC2\\x9Bc" in done.stdout
    line = call("health", "--json", env=hostile).stdout
    assert line.count("\n") == 1 and not re.search("[\x00-\x09\x0b-\x1f\x7f]", line)
    assert json.loads(line)["status"] == "a\x1b[2Jb\x9bc\u202ed"


def test_who_waits_longer_than_two_seconds_is_told_on_a_terminal(hostile):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, "tiers", "list"], env=daemon.environment({**hostile, "TERM": "xterm"}), stdout=subprocess.PIPE,
                               stderr=theirs)
    os.close(theirs)
    text = os.read(ours, 4096).decode()  # nothing is written before
    Hostile.go_on.set()
    try:
        while piece := os.read(ours, 4096):
            text += piece.decode()
    except OSError:
        pass
    os.close(ours)
    out, _ = process.communicate(timeout=20)
    assert "Waiting for the service (2 s)" in text and text.endswith("\r\033[K")
    assert process.returncode == OK and "Waiting" not in out.decode()


def test_a_reader_that_has_gone_and_an_output_that_is_closed(shell):
    words = f"'{PROGRAM}' tiers list"
    gone = subprocess.run(["bash", "-c", f"(exec {words}) | true; echo ${{PIPESTATUS[0]}}"], env=daemon.environment(shell.env), capture_output=True, text=True)
    assert gone.stdout.strip() in ("0", "1") and gone.stderr == ""
    closed = subprocess.run(["bash", "-c", f"{words} >&-"], env=daemon.environment(shell.env), capture_output=True, text=True)
    assert closed.returncode == FAILED and "could be written" in closed.stderr
    full = subprocess.run(["bash", "-c", f"{words} >/dev/full"], env=daemon.environment(shell.env), capture_output=True, text=True)
    assert full.returncode == FAILED and "could be written" in full.stderr


# ---- journals ----

@pytest.fixture
def killed(stage, tmp_path):
    """A journal whose worker was killed; with it the account, and the witness."""
    witness = crash.Witness(tmp_path / "witness")
    user, journal = stage.new_customer(plan="max"), tmp_path / "journal"
    worker = crash.Worker(stage, witness, "run", journal, witness.path, 7, 2, 0, 0, f"{user}/default/wait")
    crash.wait_until(lambda: witness.operations() > 2000)
    during = call("journal", "check", journal)
    busy = call("journal", "settle", journal, env={"DREAMAPI_BASE_URL": NOWHERE})
    worker.kill()
    assert during.returncode == OK and during.stdout.startswith("in use;"), during
    assert busy.returncode == FAILED and "is in use" in busy.stderr, busy
    yield user, journal, witness
    witness.close()


def test_a_killed_workers_journal_is_shown_checked_and_settled_to_the_unit(stage, shell, killed):
    user, journal, witness = killed
    before = journal.read_bytes()
    assert re.search(r"^state +left open", call("journal", "show", journal).stdout, re.M)
    head, *rows = [json.loads(line) for line in call("journal", "show", journal, "--json").stdout.splitlines()]
    assert not head["isClean"] and rows and all((row["userId"], row["meter"]) == (user, "default") for row in rows)
    checked = call("journal", "check", journal)
    assert checked.returncode == OK and " 0 wrong" in checked.stdout, checked
    assert journal.read_bytes() == before
    books = crash.Books(stage.db)
    expected = books.of(user, "default")[0] + sum(row["admitted"] - row["refunded"] for row in rows if row["state"] != "pending")
    assert shell("journal", "settle", journal).stdout == "settled\n"
    used, held, _ = books.of(user, "default")
    least, most = witness.bounds()[0]
    assert (used, held) == (expected, 0) and least <= used <= most
    assert "closed; " in call("journal", "check", journal).stdout
    assert [json.loads(line)["record"] for line in call("journal", "show", journal, "--json").stdout.splitlines()] == ["journal"]


def test_damage_is_named_and_a_file_that_is_no_journal_is_left_alone(killed, tmp_path):
    _, journal, _ = killed
    damaged = tmp_path / "damaged"

    def with_bytes(place, value, size=None):
        content = bytearray(journal.read_bytes())
        content[place:place + len(value)] = value
        damaged.write_bytes(content[:size])
        return call("journal", "check", damaged)

    for done, said in [(with_bytes(0, b"X"), "does not begin as one"), (with_bytes(8, b"\2"), "version 2"), (with_bytes(16, b"\7"), "identity 7"),
                       (with_bytes(80 + 200 * journal.read_bytes()[16] + 60, b"?!"), "has the checksum"), (with_bytes(0, b"D", 70000), "truncated"),
                       (with_bytes(0, b"D", 100), "too short"), (with_bytes(64 * 64, b"\1\0\0\x4d"), "line 64: there is no kind 77")]:
        assert done.returncode == FAILED and said in done.stdout + done.stderr, (said, done)
    missing = tmp_path / "missing"
    assert call("journal", "settle", missing, env={"DREAMAPI_BASE_URL": NOWHERE}).returncode == FAILED and not missing.exists()


def test_a_settlement_that_cannot_reach_the_service_leaves_the_journal_for_later(shell, killed):
    _, journal, _ = killed
    copy = shutil.copy(journal, str(journal) + ".copy")
    other = shell("journal", "settle", copy, "--timeout", "1", status=FAILED, env={"DREAMAPI_BASE_URL": NOWHERE})
    assert "another server" in other.stderr
    shell("journal", "settle", journal, "--timeout", "1", status=AUTH, env={"DREAMAPI_SECRET_KEY": "sk_live_wrong"})
    assert shell("journal", "settle", journal).stdout == "settled\n"
