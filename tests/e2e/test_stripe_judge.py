# SPDX-License-Identifier: Apache-2.0
"""stripe-mock, which checks each request against Stripe's published OpenAPI description, judges the requests that dreamapid
makes: what `tenant create` sells and a checkout. It keeps no state; a request it does not understand is refused with 400."""

import json
import os
import shutil
import socket
import subprocess

import pytest

import daemon
import providers as standin


def find_stripe_mock():
    beside = daemon.ROOT / "build-tools" / "stripe-mock"
    found = os.environ.get("STRIPE_MOCK") or (str(beside) if beside.exists() else shutil.which("stripe-mock"))
    assert found, "stripe-mock is missing: ./dev test installs it into build-tools/"
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Address of a running stripe-mock, and its log."""
    port = free_port()
    log_path = tmp_path_factory.mktemp("judge") / "log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", find_stripe_mock(), "-http-addr", f"127.0.0.1:{port}"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        daemon.wait_for("stripe-mock's start", lambda: process.poll() is not None or accepts(port))
        assert process.poll() is None, log_path.read_text()
        yield f"http://127.0.0.1:{port}", log_path
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def identity():
    providers = standin.Providers()
    yield providers
    providers.close()


@pytest.fixture
def settings(judge, identity):
    return {**identity.environment(), "STRIPE_API_BASE": judge[0], "STRIPE_API_BASE_TEST": judge[0],
            "STRIPE_SECRET_KEY": "sk_test_judge", "STRIPE_SECRET_KEY_TEST": "sk_test_judge"}


def test_stripe_mock_refuses_what_stripe_would_refuse(judge):
    answer = daemon.ask(judge[0], "POST", "/v1/prices", {"Authorization": "Bearer sk_test_judge",
                                                         "Content-Type": "application/x-www-form-urlencoded"}, "unit_amount=12&nonsense=1")
    assert answer.status == 400


@pytest.mark.parametrize("kind", ["saas", "store", "membership"])
def test_stripe_understands_everything_that_tenant_create_sells(settings, tmp_path, kind):
    tiers = [{"name": "free", "displayName": "Free", "price": 0, "limit": 5},
             {"name": "pro", "displayName": "Pro & more", "price": 2900, "limit": "unlimited", "description": "For teams",
              "imageUrl": "https://img.example.test/pro.png",
              **({"billingMode": "one_off"} if kind == "store" else {"billingMode": "subscription", "trialDays": 14})}]
    file = tmp_path / "tiers.json"
    file.write_text(json.dumps({"tiers": tiers}))
    made = daemon.run("tenant", "create", "--db", tmp_path / "judge.db", "--email", "founder@example.test", "--tiers", file,
                      "--type", kind, env=settings)
    assert daemon.last_json_line(made.stdout)["secretKey"].startswith("sk_live_")


@pytest.mark.parametrize("trial_days", [None, 14])
def test_stripe_understands_a_checkout(settings, judge, tmp_path, trial_days):
    tier = {"name": "pro", "displayName": "Pro", "price": 2900, "limit": 10}
    if trial_days:
        tier["trialDays"] = trial_days
    file = tmp_path / "tiers.json"
    file.write_text(json.dumps({"tiers": [{"name": "free", "displayName": "Free", "price": 0, "limit": 5}, tier]}))
    made = daemon.run("tenant", "create", "--db", tmp_path / "judge.db", "--email", "founder@example.test", "--tiers", file,
                      env=settings)
    keys = daemon.last_json_line(made.stdout)
    with daemon.Daemon(tmp_path, "--db", tmp_path / "judge.db", "--free-ports", env=settings) as service:
        headers = {"Authorization": "Bearer " + keys["secretKey"]}
        customer = daemon.ask(service.api, "POST", "/api/customers", headers,
                              {"email": f"buyer{trial_days}@example.test"}).json["customer"]["id"]
        judged_before = len(judge[1].read_text())
        daemon.ask(service.api, "POST", "/api/create-checkout", headers,
                   {"userId": customer, "tier": "pro", "successUrl": "https://shop.example.test/ok?a=1&b=2"})
        assert service.stop() == 0
    # The mock's canned session has no url, so only its verdict counts, not what the service made of the answer.
    verdict = judge[1].read_text()[judged_before:]
    assert "POST /v1/checkout/sessions" in verdict and "status=200" in verdict, verdict
    assert "status=400" not in verdict, verdict
