# SPDX-License-Identifier: Apache-2.0
"""The Python package, built against the installed library, driven against the real service."""
import asyncio
import os
import pathlib
import pickle
import re
import shutil
import subprocess
import sys
import time

import pytest

import daemon
import tenant

SOURCE = daemon.ROOT / "bindings" / "python"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The package in a folder of its own, imported. pip builds in a copy: nothing is left in the tree."""
    root, library = tmp_path_factory.mktemp("python"), daemon.build_dir() / "src" / "lib"
    subprocess.run(["meson", "install", "-C", str(daemon.build_dir()), "--no-rebuild", "--quiet", "--destdir", str(root)], check=True,
                   stdout=subprocess.DEVNULL)
    config = next(root.rglob("dreamapi.pc"))
    prefix = next(root.rglob("dreamapi.h")).parent.parent
    text = re.sub(r"^prefix=.*", f"prefix={prefix}", config.read_text(), flags=re.MULTILINE)
    config.write_text(text)
    shutil.copytree(SOURCE, root / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    built = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-build-isolation", "--no-deps",
                            "--target", str(root / "site"), str(root / "source")], env={**os.environ, "PKG_CONFIG_PATH": str(config.parent)},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert built.returncode == 0, built.stdout
    assert library.exists()
    sys.path.insert(0, str(root / "site"))
    import dreamapi
    yield dreamapi
    sys.path.remove(str(root / "site"))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with daemon.Daemon(folder, "--sandbox", "--free-ports", "--db", folder / "s.db") as running:
        yield running, tenant.create(folder / "s.db", folder)


@pytest.fixture
def client(package, service):
    running, made = service
    with package.Client(running.api, made["secretKey"]) as client:
        yield client


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
    assert [tier.id for tier in tiers.items] == ["free", "pro"]
    assert tiers.items[1].price == 2900
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


def test_bad_arguments_are_exceptions_before_anything_is_sent(package, client):
    with pytest.raises(ValueError, match="NUL"):
        client.customer_get("a\0b")
    with pytest.raises(package.InvalidError):
        client.customer_get("")
    with pytest.raises(package.InvalidError, match="base_url"):
        package.Client("ftp://example.com", "sk")


def test_the_package_and_a_users_program_pass_a_strict_type_check(package, tmp_path):
    sample = tmp_path / "sample.py"
    readme = (SOURCE / "README.md").read_text(encoding="utf-8")
    sample.write_text(re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1] + "\nname: str = client.tier_list().items[0].id\n", encoding="utf-8")
    site = str(pathlib.Path(package.__file__).parents[1])
    run = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(sample), os.path.join(site, "dreamapi")],
                         env={**os.environ, "MYPYPATH": site}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert run.returncode == 0, run.stdout
    sample.write_text("import dreamapi\nclient = dreamapi.Client(timeout='5')\n", encoding="utf-8")
    run = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(sample)], env={**os.environ, "MYPYPATH": site},
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path)
    assert run.returncode == 1 and "timeout" in run.stdout
