# SPDX-License-Identifier: Apache-2.0
"""The Python package, built against the installed library, driven against the real service."""
import asyncio
import base64
import copy
import logging
import os
import pickle
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import timeit
from concurrent.futures import ThreadPoolExecutor

import pytest

import crash
import daemon
import tenant
import wire
from conftest import SUMMARY

pytestmark = pytest.mark.plain

SOURCE = daemon.ROOT / "bindings" / "python"
TIERS = [{"name": "free", "displayName": "Free", "price": 0, "limit": 5}, {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 100},
         {"name": "max", "displayName": "Max", "price": 9900, "limit": "unlimited", "rateLimit": None}]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with daemon.Daemon(folder, "--sandbox", "--free-ports", "--db", folder / "s.db") as running:
        yield running, tenant.create(folder / "s.db", folder, tiers=TIERS)


@pytest.fixture
def client(package, service):
    running, made = service
    with package.Client(running.api, made["secretKey"]) as client:
        yield client


# A server that takes connections and never answers, and its URL; for a program, too.
SILENT = """
import socket
server = socket.create_server(("127.0.0.1", 0))
url = "http://127.0.0.1:%d" % server.getsockname()[1]
"""


@pytest.fixture
def silent():
    names = {}
    exec(SILENT, names)
    with names["server"] as server:
        yield server, names["url"]


@pytest.fixture
def absent():
    """The URL of a server that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = "http://127.0.0.1:%d" % server.getsockname()[1]
    return url


@pytest.fixture
def run_program(package_path):
    """Runs one that may crash, where memory that was freed shows."""
    env = {**daemon.environment({"MALLOC_PERTURB_": "165", "MALLOC_CHECK_": "3"}), "PYTHONPATH": str(package_path)}

    def run(program, *words):
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60)
        return done.returncode, done.stdout

    return run


def unique(name):
    return f"{name}.{time.monotonic_ns()}@example.test"


def test_a_customer_is_created_read_changed_listed_and_deleted(package, client):
    email = unique("ada")
    ada = client.customer_create(email=email, plan="free", first_name="Ada")
    assert ada.email == email and ada.plan == "free"
    assert client.customer_update(ada.id, plan="pro").plan == "pro"
    assert client.customer_get(ada.id).plan == "pro"
    assert any(customer.id == ada.id for customer in client.customers(email=email[:6]))
    client.customer_delete(ada.id)
    with pytest.raises(package.NotFoundError) as caught:
        client.customer_get(ada.id)
    assert isinstance(caught.value, LookupError) and caught.value.http_status == 404 and caught.value.request_id


def test_tiers_and_health_are_values(package, client):
    tiers = client.tier_list()
    assert [tier.id for tier in tiers.items] == ["free", "max", "pro"]
    assert tiers.items[2].price == 2900
    assert "leases" in client.health_get().extensions
    with pytest.raises(AttributeError):
        tiers.items[0].name = "other"


def test_a_meter_admits_exactly_the_limit_and_says_so(package, client):
    ada = client.customer_create(email=unique("meter"), plan="free")
    with client.open_meter(ada.id) as meter:
        admitted = sum(bool(meter.use()) for _ in range(9))
        refused = meter.use()
    assert admitted == 5
    assert not refused and refused.reason == package.Reason.LIMIT and refused.limit == 5
    with pytest.raises(package.TierLimitError) as caught:
        refused.require()
    assert caught.value.limit == 5
    client.flush(5)
    assert client.usage_get(ada.id).usage_count == 5


def test_a_decision_reads_as_a_sentence_without_what_is_not_known(package, client):
    told = {}
    for plan in ("free", "max"):
        with client.open_meter(client.customer_create(email=unique(plan), plan=plan).id) as meter:
            told[plan] = str(meter.use())
            refused = meter.use(6)
            told[plan + " 6"] = str(refused)
    assert told["free"] == "allowed on free, 4 left" and told["max"] == told["max 6"] == "allowed on max, no limit"
    assert re.fullmatch(r"refused: limit, again in \d+ s", told["free 6"]), told
    assert str(meter.use()) == "refused: refused"


def test_a_refund_gives_back_and_a_reservation_bills_what_was_taken(package, client):
    ada = client.customer_create(email=unique("refund"), plan="pro")
    with client.open_meter(ada.id) as meter:
        decision = meter.use(3)
        assert decision
        meter.refund(decision)
        with pytest.raises(package.InvalidError):
            meter.refund(decision)
        with meter.reserve(10, hold=30) as reserved:
            assert reserved.commit(4)
        with meter.reserve(10, hold=30):
            pass
    client.flush(5)
    assert client.usage_get(ada.id).usage_count == 4


def test_the_plan_is_checked_from_what_is_remembered(package, client):
    ada = client.customer_create(email=unique("tier"), plan="pro")
    assert client.tier_check(ada.id, min_plan="pro")
    verdict = client.tier_check(ada.id, min_plan="free")
    assert verdict.allowed and verdict.plan == "pro"


def test_asyncio_runs_many_calls_at_once_and_cancelling_a_task_cancels_its_call(package, service):
    running, made = service

    async def run():
        async with package.AsyncClient(running.api, made["secretKey"]) as client:
            created = await asyncio.gather(*(client.customer_create(email=unique(f"a{i}")) for i in range(20)))
            assert len({customer.id for customer in created}) == 20
            with pytest.raises(package.NotFoundError):
                await client.customer_get("user_none")
            task = asyncio.ensure_future(client.tier_list())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.health_get()).status == "ok"

    asyncio.run(run())


def test_what_is_closed_says_so_and_closing_twice_is_fine(package, service):
    running, made = service
    client = package.Client(running.api, made["secretKey"])
    meter = client.open_meter("user_1")
    meter.close()
    meter.close()
    client.close()
    client.close()
    for call in (client.tier_list, lambda: client.open_meter("user_1"), lambda: meter.reserve(1, 1.0)):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert meter.use().status == package.Status.INVALID


def test_a_client_that_closes_lets_its_meters_go_and_leaves_no_journal_open(package, service, tmp_path):
    running, made = service
    client = package.Client(running.api, made["secretKey"], journal=tmp_path / "usage.journal")
    ada = client.customer_create(email=unique("closing"), plan="pro")
    meters = [client.open_meter(ada.id), client.open_meter(ada.id, policy=package.Policy.DENY)]
    forgotten = client.open_meter(ada.id)
    assert meters[0].use() and forgotten.use() and client.meter_stats().meters_open == 3
    del forgotten
    assert client.meter_stats().meters_open == 2
    assert not crash.Header(tmp_path / "usage.journal").is_clean
    client.close()
    assert crash.Header(tmp_path / "usage.journal").is_clean
    for meter in meters:
        assert meter.use().status == meter.check().status == package.Status.INVALID
        with pytest.raises(ValueError, match="closed"):
            meter.reserve(1, 1.0)


def test_a_use_under_way_ends_as_ever_when_its_client_closes(package, service, tmp_path):
    """Threads that use meters while these are closed under them: each use is admitted and counted, or refused as of a closed meter."""
    running, made = service
    client = package.Client(running.api, made["secretKey"], journal=tmp_path / "usage.journal")
    ada = client.customer_create(email=unique("under"), plan="max")
    meters, begun = [client.open_meter(ada.id) for _ in range(4)], threading.Barrier(5)

    def use(meter):
        admitted, decision = int(bool(meter.use())), None
        begun.wait(30)
        while admitted < 200 and (decision is None or decision):
            decision = meter.use()
            admitted += bool(decision)
        return admitted, decision.status

    with ThreadPoolExecutor(4) as pool:
        using = [pool.submit(use, meter) for meter in meters]
        begun.wait(30)
        client.close()
        done = [one.result(30) for one in using]
    # Cancelled: it waited for units. Nothing else may refuse on a plan with neither limit nor rate.
    assert {status.name for _, status in done} <= {"OK", "INVALID", "CANCELLED", "UNAVAILABLE"}, done
    with package.Client(running.api, made["secretKey"], journal=tmp_path / "usage.journal") as later:
        later.flush(5)
        assert later.usage_get(ada.id).usage_count == sum(admitted for admitted, _ in done)


def test_nothing_that_holds_a_connection_is_pickled(package, client):
    with pytest.raises(TypeError, match="in each process"):
        pickle.dumps(client)
    with pytest.raises(TypeError, match="in each process"):
        pickle.dumps(client.open_meter("user_1"))


def test_a_forked_child_uses_the_parents_meter_on_the_same_counts(package, client):
    ada = client.customer_create(email=unique("fork"), plan="pro")
    with client.open_meter(ada.id) as meter:
        assert meter.use()
        child = os.fork()
        if child == 0:
            used = sum(bool(meter.use()) for _ in range(10))
            try:
                client.tier_list()
                os._exit(99)
            except package.ForkedError:
                os._exit(used)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 10
        assert meter.use()
    client.flush(5)
    assert client.usage_get(ada.id).usage_count == 12


def test_a_decision_outlives_its_meter_and_client(package, service):
    running, made = service
    with package.Client(running.api, made["secretKey"]) as client:
        with client.open_meter(client.customer_create(email=unique("late"), plan="pro").id) as meter:
            decision, other = meter.use(), meter.use(2)
    assert (decision.plan, decision.units, decision.used) == ("pro", 1, 1)
    assert (other.plan, other.units, other.used) == ("pro", 2, 3)
    assert meter.use().plan == ""


def test_the_interpreter_is_free_while_a_call_waits(package):
    """A server that does not answer until another thread of this interpreter has counted."""
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.accept)
        with package.Client("http://127.0.0.1:%d" % server.getsockname()[1], "sk_1", timeout=0.2, max_retries=0) as client:
            with pytest.raises(package.CallTimeoutError):
                client.tier_list()
            assert asked.done()
        asked.result()[0].close()


def test_garbage_and_forks_free_nothing_twice(run_program, service):
    running, made = service
    program = """
import dreamapi, gc, os, sys
client = dreamapi.Client(sys.argv[1], sys.argv[2])
meters = [client.open_meter("user_%d" % i) for i in range(50)]
def drop():
    meter, ring = client.open_meter("user_1"), []
    ring.append((ring, meter, meter.use()))
    meter.close()
for _ in range(20):
    drop()
gc.collect()
for order in ("client", "meters", "neither"):
    child = os.fork()
    if child == 0:
        if order == "client":
            del client
        elif order == "meters":
            del meters
        gc.collect()
        sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7, order
print(client.tier_list().items[0].id)
"""
    assert run_program(program, running.api, made["secretKey"]) == (0, "free\n")


def test_a_client_closes_while_other_threads_are_inside(run_program):
    """Each is let go, and the client freed only then."""
    program = """
import contextlib, dreamapi, sys, threading
def repeat(act):
    begun.release()
    try:
        while True:
            with contextlib.suppress(dreamapi.CallTimeoutError, dreamapi.UnavailableError):
                act()
    except (dreamapi.CancelledError, ValueError) as problem:
        ended.add(isinstance(problem, ValueError))
ended, begun = set(), threading.Semaphore(0)
for _ in range(6):
    exec(sys.argv[1])
    client = dreamapi.Client(url, "sk_1", max_retries=0, close_timeout=0)
    meter = dict(policy=dreamapi.Policy.DENY)
    client.open_meter("ada", **meter).use()
    connection = server.accept()  # there is something to flush now
    acts = [lambda: client.flush(20), client.tier_list, client.meter_stats, lambda: client.open_meter("ada", **meter),
            lambda: client.tier_check("ada", min_plan="pro", options=dreamapi.CallOptions(timeout=0.001))]
    threads = [threading.Thread(target=repeat, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        begun.acquire()
    client.close()
    for thread in threads:
        thread.join()
print(ended)
"""
    began = time.monotonic()
    assert run_program(program, SILENT) == (0, "{False, True}\n")
    assert time.monotonic() - began < 15


def test_a_program_ends_while_a_daemon_thread_flushes(run_program):
    program = SILENT + """
import contextlib, dreamapi, threading
client = dreamapi.Client(url, "sk_1", close_timeout=0.1)
client.open_meter("ada", policy=dreamapi.Policy.DENY).use()
connection = server.accept()
begun = threading.Event()
def flush():
    begun.set()
    with contextlib.suppress(dreamapi.CancelledError):
        client.flush(20)
threading.Thread(target=flush, daemon=True).start()
begun.wait()
print("ends")
"""
    assert run_program(program) == (0, "ends\n")


@pytest.mark.parametrize("way", ["del holder.client; gc.collect()", "holder.client.close()"])
def test_a_client_ends_in_its_own_log_line(run_program, absent, way):
    """Garbage is collected wherever Python runs: on the client's thread, too, which C's end of a client waits for."""
    program = """
import dreamapi, gc, logging, os, sys, threading, time
class Handler(logging.Handler):
    def emit(self, record):
        ready.wait()
        if hasattr(holder, "client"):
            holder.client.ring = holder.client
            exec(sys.argv[2])
        ended.set()
class Holder:
    pass
ready, ended, holder, logger = threading.Event(), threading.Event(), Holder(), logging.getLogger("shop")
logger.setLevel(logging.DEBUG)
logger.addHandler(Handler())
gc.disable()
holder.client = dreamapi.Client(sys.argv[1], "sk_1", max_retries=0, close_timeout=0, logger=logger)
holder.client.open_meter("ada", policy=dreamapi.Policy.DENY).use()
ready.set()
assert ended.wait(20)
until = time.monotonic() + 20
while len(os.listdir("/proc/self/task")) > 1:
    assert time.monotonic() < until, "its thread is still there"
    time.sleep(0.01)
print("ended")
"""
    assert run_program(program, absent, way) == (0, "ended\n")


@pytest.fixture
def interruptible():
    """Tests that run in the background of a shell begin with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_a_flush_and_the_client_closes(package, silent, interruptible):
    server, url = silent
    with package.Client(url, "sk_1", close_timeout=0) as client:
        assert not client.open_meter("ada", policy=package.Policy.DENY).use()
        interrupt = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        with server.accept()[0], pytest.raises(KeyboardInterrupt):
            began = time.monotonic()
            interrupt.start()
            client.flush(5)
            interrupt.join()  # for a flush that did not wait: nothing else of this process is to be interrupted
    assert time.monotonic() - began < 3


def test_an_async_client_that_closes_cancels_calls_and_not_tasks(package, silent):
    async def run():
        client = package.AsyncClient(silent[1], "sk_1")
        task = asyncio.ensure_future(client.tier_list())
        await asyncio.sleep(0)
        client.close()
        with pytest.raises(package.CancelledError) as caught:
            await task
        assert caught.value.code == package.Status.CANCELLED and not task.cancelled()
        client.close()

    asyncio.run(run())


def test_exceptions_are_pickled_and_copied_with_all_they_tell(package):
    from dreamapi import _errors
    for kind in [package.DreamAPIError, *_errors.BY_STATUS.values()]:
        problem = kind("no units", package.Status.LIMIT, used=5, limit=5, http_status=402, retry_after=1.5, request_id="r", server_error="s")
        for other in (pickle.loads(pickle.dumps(problem)), copy.copy(problem)):
            assert type(other) is kind and str(other) == "no units" and vars(other) == vars(problem)


def test_a_duration_is_rounded_up_and_finite(package, silent):
    with package.Client(silent[1], "sk_1", timeout=20, max_retries=0) as client:
        began = time.monotonic()
        for left in (0, 0.0004):
            with pytest.raises(package.CallTimeoutError):
                client.tier_list(options=package.CallOptions(timeout=left))
        assert time.monotonic() - began < 10
        for odd in (float("nan"), float("inf"), 1e300, -0.0004):
            with pytest.raises(package.InvalidError):
                client.tier_list(options=package.CallOptions(timeout=odd))
        with pytest.raises(package.InvalidError):
            client.flush(float("inf"))


def test_a_program_that_ends_without_closing_settles(package, package_path, service):
    running, made = service
    with package.Client(running.api, made["secretKey"]) as client:
        ada = client.customer_create(email=unique("end"), plan="pro").id
        program = f"import dreamapi\nmeter = dreamapi.Client().open_meter({ada!r})\nassert meter.use(3)"
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env={
            **daemon.environment({"DREAMAPI_BASE_URL": running.api, "DREAMAPI_SECRET_KEY": made["secretKey"]}), "PYTHONPATH": str(package_path)})
        assert client.usage_get(ada).usage_count == 3


def test_a_missing_library_is_told(package_path, tmp_path):
    shutil.copytree(package_path / "dreamapi", tmp_path / "dreamapi")
    extension = next((tmp_path / "dreamapi").glob("_ffi*.so"))
    extension.write_bytes(extension.read_bytes().replace(b"libdreamapi.so.0", b"libdreamapi.so.X"))
    run = subprocess.run([sys.executable, "-c", "import dreamapi"], env={**daemon.environment(), "PYTHONPATH": str(tmp_path)},
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 1 and "libdreamapi.so.X" in run.stdout and "LD_LIBRARY_PATH" in run.stdout


def test_what_the_library_tells_goes_to_a_logger(package, absent, caplog):
    with caplog.at_level(logging.DEBUG, "shop.dreamapi"), \
            package.Client(absent, "sk_1", max_retries=1, logger=logging.getLogger("shop.dreamapi")) as client, \
            pytest.raises(package.UnavailableError):
        client.tier_list()
    assert caplog.records and {record.name for record in caplog.records} == {"shop.dreamapi"}


def test_a_webhook_is_taken_once_and_only_if_genuine(package):
    body, secrets, scheme = b'{"id":"evt_1"}', ["whsec_new", "whsec_old"], package.WebhookScheme.STRIPE
    headers = {"Stripe-Signature": wire.stripe_signature(body, "whsec_old")}
    replays = package.WebhookReplays(10)
    package.webhook_verify(scheme, body, headers, secrets, replays=replays)
    with pytest.raises(package.ConflictError):
        package.webhook_verify(scheme, body, headers, secrets, replays=replays)
    with pytest.raises(package.AuthError):
        package.webhook_verify(scheme, body + b" ", headers, secrets)
    with pytest.raises(package.CallTimeoutError):
        package.webhook_verify(scheme, body, {"stripe-signature": wire.stripe_signature(body, "whsec_new", age_s=400)}, "whsec_new")
    with pytest.raises(package.DreamAPIError) as caught:
        package.webhook_verify(scheme, body, {}, secrets)
    assert caught.value.code == package.Status.PROTOCOL
    secret = "whsec_" + base64.b64encode(b"a key of twenty-four bytes").decode()
    package.webhook_verify(package.WebhookScheme.STANDARD, body, wire.svix_headers(body, secret, "msg_1"), secret)


def test_a_client_that_signs_sends_no_secret(package, service):
    running, made = service
    with package.Client(running.api, made["secretKey"], publishable_key=made["publishableKey"], signed=True) as client:
        assert client.customer_create(email=unique("signed")).id


@pytest.mark.long
def test_a_use_takes_at_most_four_times_an_empty_call(package, tmp_path):
    """Design section 9; the best of many rounds of each, in turns."""
    with daemon.Daemon(tmp_path, "--sandbox", "--free-ports", "--db", tmp_path / "s.db") as running:
        tiers = [{"name": "free", "displayName": "Free", "price": 0, "limit": "unlimited", "rateLimit": None}]
        made = tenant.create(tmp_path / "s.db", tmp_path, tiers=tiers)
        with package.Client(running.api, made["secretKey"], journal=tmp_path / "journal") as client, \
                client.open_meter(client.customer_create(email=unique("speed")).id) as meter:
            assert meter.use()
            from dreamapi import _ffi
            names = {"empty": _ffi.lib.dreamapi_meter_close, "nothing": _ffi.ffi.NULL, "meter": meter}
            rounds = [[timeit.timeit(code, number=20000, globals=names) for code in ("empty(nothing)", "meter.use()")] for _ in range(30)]
            assert meter.use().source == package.Source.LEASE
    floor, best = (min(times) / 20000 * 1e9 for times in zip(*rounds))
    SUMMARY.append(f"meter.use() from Python: {best:.0f} ns, an empty cffi call {floor:.0f} ns: {best / floor:.2f}x")
    assert best <= 4 * floor


def test_bad_arguments_are_exceptions_before_anything_is_sent(package, client):
    with pytest.raises(ValueError, match="NUL"):
        client.customer_get("a\0b")
    with pytest.raises(package.InvalidError):
        client.customer_get("")
    with pytest.raises(package.InvalidError, match="base_url"):
        package.Client("ftp://example.com", "sk")


def test_the_guides_blocks_run_in_order(package, service, monkeypatch, tmp_path, capsys):
    running, made = service
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DREAMAPI_BASE_URL", running.api)
    monkeypatch.setenv("DREAMAPI_SECRET_KEY", made["secretKey"])
    page = (daemon.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks, names = list(re.finditer(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)), {}
    for block in blocks:
        line = page.count("\n", 0, block.start()) + 1
        exec(compile("\n" * line + block[1], "python.md", "exec"), names)
    answered = names["application"]({"PATH_INFO": "/api"}, lambda status, _: status.startswith("401") or pytest.fail(status))
    assert b"Authentication" in b"".join(answered)
    names["client"].close()
    out = capsys.readouterr().out
    assert len(blocks) >= 8 and "served: allowed on pro, 99 left" in out and "not from Stripe" in out, out


@pytest.mark.long
def test_a_clean_environment_installs_the_package_and_runs_its_readme(python_source, service, tmp_path):
    """As a user does it: what it is built with and stands on comes from the registry."""
    source, environment = python_source
    running, made = service
    program = re.search(r"```python\n(.*?)```", (SOURCE / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1].replace("ada@", "clean@")
    subprocess.run(["/usr/bin/python3", "-m", "venv", tmp_path / "venv"], check=True)
    for words in (["-m", "pip", "install", "--quiet", "--disable-pip-version-check", source], ["-c", program]):
        run = subprocess.run([tmp_path / "venv/bin/python", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
                             cwd=tmp_path, env={**environment, "DREAMAPI_BASE_URL": running.api, "DREAMAPI_SECRET_KEY": made["secretKey"]})
        assert run.returncode == 0, run.stdout
    assert re.fullmatch(r"served: allowed on free, 4 left\n", run.stdout), run.stdout


def test_the_package_and_a_users_program_pass_a_strict_type_check(package_path, tmp_path):
    sample = tmp_path / "sample.py"
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    sample.write_text(re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1] + "\nname: str = client.tier_list().items[0].id\n", encoding="utf-8")
    site = str(package_path)
    run = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(sample), os.path.join(site, "dreamapi")],
                         env={**os.environ, "MYPYPATH": site}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    sample.write_text("import dreamapi\nclient = dreamapi.Client(timeout='5')\n", encoding="utf-8")
    run = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(sample)], env={**os.environ, "MYPYPATH": site},
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert run.returncode == 1 and "timeout" in run.stdout
