# SPDX-License-Identifier: Apache-2.0
"""POST /api/leases: units are taken ahead of use and reported afterwards, in any order and however often; limits hold exactly over
holders and direct requests; nothing is billed twice or lost over kills, restores and periods. After each of these `check` is clean."""

import datetime
import http.client
import json
import os
import pwd
import random
import shutil
import sqlite3
import threading
import uuid

import pytest

import daemon
import stage as stages
import tenant

PATH = "/api/leases"
TIERS = [tenant.tier("free", 50, rateLimit=None), tenant.tier("slow", None, rateLimit=8), tenant.tier("big", 100000, rateLimit=None),
         tenant.tier("max", None, rateLimit=None, meters={"tokens": {"limit": 10}})]
TODAY = datetime.datetime.now(datetime.timezone.utc).date()


def operator():
    """Who a command says that ran it."""
    return "operator:" + pwd.getpwuid(os.getuid()).pw_name


def day(offset):
    return (TODAY + datetime.timedelta(days=offset)).isoformat()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with stages.Stage(tmp_path_factory.mktemp("leases"), tiers=TIERS) as made:
        yield made


class Holder:
    """Speaks for one journal. `spent` counts what it admitted."""

    def __init__(self, stage, key="app"):
        self.stage, self.key, self.id, self.spent = stage, key, str(uuid.uuid4()), 0

    def send(self, headers=None, **lists):
        return self.stage.ask("POST", PATH, {**self.stage.secret(self.key), **(headers or {})}, {"holder": self.id, **lists})

    def ask(self, **lists):
        answer = self.send(**lists)
        assert answer.status == 200, answer
        return answer.json

    def acquire(self, user_id, want, **fields):
        """One grant or refusal."""
        return self.ask(acquire=[wish(user_id, want, **fields)])["grants"][0]

    def settle(self, *reports):
        return self.ask(settle=list(reports))["settled"]


def wish(user_id, want, **fields):
    return {"requestId": uuid.uuid4().hex, "userId": user_id, "want": want, **fields}


def report(grant, admitted, **fields):
    return {"leaseId": grant["leaseId"], "requestId": grant["requestId"], "userId": grant["userId"], "meter": grant["meter"],
            "periodStart": grant["periodStart"], "granted": grant["granted"], "admitted": admitted, "refunded": 0, "final": False,
            "unproven": False, **fields}


def usage(stage, user_id, key="app"):
    told = stage.ask("GET", "/api/usage?userId=" + user_id, stage.secret(key)).json
    return told["usageCount"], told["held"], told["lost"]


def track(stage, user_id, units=1):
    return stage.ask("POST", "/api/data", stage.secret(), {"userId": user_id, "units": units})


def check(stage):
    done = daemon.run("check", "--db", stage.db, check=False)
    assert done.returncode == 0, done.stdout


# What a grant and a settlement say.


def test_health_announces_leases(stage):
    assert "leases" in stage.ask("GET", "/health").json["extensions"]


def test_a_grant_tells_all_a_holder_needs(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    assert grant.items() >= {"userId": user_id, "meter": "default", "state": "active", "granted": 10, "ttlMs": 60000, "plan": "free",
                             "limit": 50, "used": 0, "held": 10, "lost": 0, "rate": None}.items()
    start, end = (datetime.date.fromisoformat(grant[name]) for name in ("periodStart", "periodEnd"))
    assert (end - start).days == 29
    assert usage(stage, user_id) == (0, 10, 0)


def test_a_settlement_books_and_a_final_returns_the_rest(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    assert holder.settle(report(grant, 4, refunded=1)) == [{"leaseId": grant["leaseId"], "state": "active", "charged": 3, "returned": 0}]
    assert usage(stage, user_id) == (3, 6, 0)
    assert holder.settle(report(grant, 7, refunded=1, final=True)) == [
        {"leaseId": grant["leaseId"], "state": "final", "charged": 6, "returned": 3}]
    assert usage(stage, user_id) == (6, 0, 0)
    days = stage.ask("GET", f"/api/usage/history?userId={user_id}", stage.secret()).json["days"]
    assert sum(day["units"] for day in days) == 6


def test_one_request_settles_refunds_and_then_acquires(stage):
    """The whole limit is on loan; what the settlement returns is granted by the same request."""
    user_id, holder = stage.new_customer(), Holder(stage)
    grants = []
    while "leaseId" in (grant := holder.acquire(user_id, 50)):
        grants.append(grant)
    assert grant["error"] == "held" and grant["retryAfterMs"] == 1000 and sum(grant["granted"] for grant in grants) == 50
    answer = holder.ask(settle=[report(grant, grant["granted"] - 1, final=True) for grant in grants],
                        refunds=[{"id": uuid.uuid4().hex, "leaseId": grants[0]["leaseId"], "units": 2}],
                        acquire=[wish(user_id, 50)])
    assert [settled["returned"] for settled in answer["settled"]] == [1] * len(grants)
    assert [refunded["state"] for refunded in answer["refunded"]] == ["applied"]
    assert answer["grants"][0]["granted"] == (len(grants) + 2) // 2
    assert answer["grants"][0]["used"] == 50 - len(grants) - 2
    check(stage)


def test_a_refund_counts_once(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    holder.settle(report(grant, 8, final=True))
    refund = {"id": uuid.uuid4().hex, "leaseId": grant["leaseId"], "units": 3}
    assert [refunded["state"] for refunded in holder.ask(refunds=[refund, refund])["refunded"]] == ["applied", "duplicate"]
    assert holder.ask(refunds=[refund])["refunded"][0]["state"] == "duplicate"
    assert usage(stage, user_id) == (5, 0, 0)


def test_meters_and_plans_decide_what_is_left(stage):
    user_id, holder = stage.new_customer(plan="max"), Holder(stage)
    assert holder.acquire(user_id, 2**40)["granted"] == 2**31 - 1
    grant = holder.acquire(user_id, 100, meter="tokens")
    assert (grant["meter"], grant["granted"], grant["limit"]) == ("tokens", 5, 10)
    assert holder.acquire(user_id, 1, meter="unheard-of")["error"] == "limit_reached"


def test_rates_are_shared_with_direct_requests(stage):
    """8 calls a minute: what leases took of a window, direct requests do not get."""
    user_id, holder = stage.new_customer(plan="slow"), Holder(stage)
    grant = holder.acquire(user_id, 100, wantRate=3)
    assert grant["granted"] == 100
    assert grant["rate"].items() >= {"limit": 8, "windowMs": 60000, "granted": 3}.items()
    assert 0 < grant["rate"]["windowEndsInMs"] <= 60000
    direct = [track(stage, user_id).status for _ in range(9)].count(200)
    again = holder.acquire(user_id, 1)
    turned = grant["rate"]["windowEndsInMs"] < (again.get("rate") or {"windowEndsInMs": 0})["windowEndsInMs"]
    if not turned:  # else a minute turned meanwhile: then there was a second window to take from
        assert direct == 5
        assert again["error"] == "rate_limited" and 0 < again["retryAfterMs"] <= 60000


# Repeats, order, sharing.


def test_a_repeated_request_gets_its_first_answer_and_what_became_of_it(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    asked = wish(user_id, 10)
    first, again, late = (holder.ask(acquire=[asked])["grants"][0] for _ in range(3))
    assert first["leaseId"] == again["leaseId"] == late["leaseId"]
    assert late["ttlMs"] <= again["ttlMs"] <= first["ttlMs"]
    holder.settle(report(first, 2, final=True))
    repeated = holder.ask(acquire=[asked])["grants"][0]
    assert (repeated["state"], repeated["ttlMs"], repeated["granted"]) == ("final", 0, 10)
    assert usage(stage, user_id) == (2, 0, 0)


def test_a_refused_request_stays_refused(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    assert track(stage, user_id, 50).status == 200
    asked = wish(user_id, 1)
    refused = holder.ask(acquire=[asked])["grants"][0]
    assert (refused["error"], refused["plan"], refused["limit"], refused["used"]) == ("limit_reached", "free", 50, 50)
    assert stage.ask("PATCH", "/api/customers/" + user_id, stage.secret(), {"plan": "big"}).status == 200
    assert holder.ask(acquire=[asked])["grants"][0]["error"] == "limit_reached"
    assert holder.acquire(user_id, 1)["limit"] == 100000


def test_a_retry_with_the_same_idempotency_key_and_grown_counts_is_done(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    for admitted in (1, 4):
        answer = holder.send({"Idempotency-Key": "the same"}, settle=[report(grant, admitted)])
        assert answer.status == 200 and answer.json["settled"][0]["charged"] == admitted


def test_reports_in_any_order_end_in_the_same_books(stage):
    user_id, holder = stage.new_customer(plan="big"), Holder(stage)
    grant = holder.acquire(user_id, 20)
    reports = [report(grant, admitted) for admitted in range(0, 18, 2)] + [report(grant, 16, unproven=True), report(grant, 17, final=True)]
    reports += reports
    random.Random(5).shuffle(reports)
    states = [holder.settle(one)[0]["state"] for one in reports]
    ranks = [["active", "lost", "unproven", "final"].index(state) for state in states]
    assert ranks == sorted(ranks) and states[-1] == "final"
    assert usage(stage, user_id) == (17, 0, 0)


def test_an_unproven_end_returns_nothing_until_it_is_proven(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    assert holder.settle(report(grant, 4, unproven=True))[0].items() >= {"state": "unproven", "charged": 4, "returned": 0}.items()
    assert usage(stage, user_id) == (4, 0, 6)
    assert holder.settle(report(grant, 5, final=True))[0].items() >= {"state": "final", "charged": 5, "returned": 5}.items()
    assert usage(stage, user_id) == (5, 0, 0)


def test_a_limit_holds_over_two_holders_and_direct_requests(stage):
    """All at once, with repeats: what was admitted is the limit, exactly."""
    user_id = stage.new_customer(plan="free")
    holders, lock, admitted = [Holder(stage) for _ in range(2)], threading.Lock(), [0]

    def spend(number):
        if number % 3 == 2:
            count = [track(stage, user_id).status for _ in range(5)].count(200)
        else:
            holder, asked = holders[number % 3], wish(user_id, 6)
            grant = holder.ask(acquire=[asked])["grants"][0]
            assert holder.ask(acquire=[asked])["grants"][0].get("leaseId") == grant.get("leaseId")
            if "leaseId" not in grant:
                assert grant["error"] in ("held", "limit_reached")
                return
            count = random.Random(number).randint(0, grant["granted"])
            for _ in range(2):
                holder.settle(report(grant, count // 2), report(grant, count, final=True))
        with lock:
            admitted[0] += count

    stages.at_once(8, spend, range(60))
    assert admitted[0] <= 50
    assert usage(stage, user_id) == (admitted[0], 0, 0)
    left = 50 - admitted[0]
    assert track(stage, user_id, left + 1).status == 403
    assert left == 0 or track(stage, user_id, left).status == 200
    check(stage)


def test_who_is_refused_for_held_units_has_them_called_back(stage):
    user_id, first, second = stage.new_customer(), Holder(stage), Holder(stage)
    grant = first.acquire(user_id, 25)
    answer = track(stage, user_id, 50)
    assert answer.status == 429 and answer.headers["retry-after"] == "1"
    assert second.ask()["recall"] == []
    assert first.ask()["recall"] == [grant["leaseId"]]
    assert first.ask(settle=[report(grant, 0, final=True)])["recall"] == []
    assert track(stage, user_id, 50).status == 200


# Who and what is no holder's.


def test_only_a_secret_key_asks_for_leases(stage):
    assert stage.ask("POST", PATH, stage.public(), {"holder": "h"}).status == 403
    assert stage.ask("POST", PATH, {}, {"holder": "h"}).status == 401
    assert stage.ask("POST", PATH, {"Authorization": "Bearer sk_live_" + "0" * 64}, {"holder": "h"}).status == 401


@pytest.mark.parametrize("body", ["", "{bad", "[]", {}, {"holder": ""}, {"holder": 7}, {"holder": "h" * 65}, {"holder": "h", "settle": {}},
                                  {"holder": "h", "acquire": "x"}, {"holder": "h", "refunds": 7}, {"holder": "h", "acquire": [{}] * 1001},
                                  {"holder": "h", "settle": [{}] * 500, "acquire": [{}] * 501}], ids=lambda body: str(body)[:40])
def test_what_is_no_request_is_a_400(stage, body):
    assert stage.ask("POST", PATH, {**stage.secret(), "Content-Type": "application/json"}, body).status == 400


def test_one_bad_item_spoils_no_other(stage):
    user_id, holder = stage.new_customer(plan="big"), Holder(stage)
    grant = holder.acquire(user_id, 10)
    good = report(grant, 3)
    bad = [None, 7, [], {}, {**good, "leaseId": ""}, {**good, "leaseId": "x" * 65}, {**good, "requestId": None}, {**good, "userId": 7},
           {**good, "meter": ""}, {**good, "periodStart": "yesterday"}, {**good, "periodStart": day(2), "leaseId": "new"},
           {**good, "granted": 0}, {**good, "granted": 11}, {**good, "admitted": 11}, {**good, "admitted": -1}, {**good, "admitted": 1.5},
           {**good, "admitted": "3"}, {**good, "refunded": 11}, {**good, "final": "yes"}, {**good, "userId": "user_other"}]
    wishes = [None, {}, wish(user_id, 0), wish(user_id, -1), wish(user_id, 1.5), wish(user_id, "1"), wish("", 1), wish(user_id, 1, meter=7),
              wish(user_id, 1, wantRate=0), {**wish(user_id, 1), "requestId": "r" * 65}, {**wish(user_id, 1), "requestId": "a\nb"}]
    refunds = [None, {}, {"id": "", "leaseId": grant["leaseId"], "units": 1}, {"id": "x", "leaseId": grant["leaseId"], "units": 0}]
    answer = holder.ask(settle=bad + [good], acquire=wishes + [wish(user_id, 5)], refunds=refunds)
    assert [settled["state"] for settled in answer["settled"]] == ["invalid"] * len(bad) + ["active"]
    assert [grant.get("error") for grant in answer["grants"]] == ["invalid"] * len(wishes) + [None]
    assert [refunded["state"] for refunded in answer["refunded"]] == ["invalid"] * len(refunds)
    assert usage(stage, user_id) == (3, 12, 0)


def test_a_user_of_another_project_is_not_found(stage):
    user_id = stage.new_customer(plan="big")
    for key in ("sibling", "test", "other"):
        assert Holder(stage, key).acquire(user_id, 1)["error"] == "not_found"


def test_a_lease_belongs_to_its_project(stage):
    """Another project's key that reports it makes a lease of its own, and touches nothing here."""
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    other = Holder(stage, "other")
    assert other.settle(report(grant, 10, final=True))[0].items() >= {"state": "final", "charged": 10}.items()
    refund = {"id": "r", "leaseId": grant["leaseId"], "units": 10}
    assert other.ask(refunds=[refund])["refunded"][0]["state"] == "applied"
    assert usage(stage, user_id) == (0, 10, 0)
    assert holder.settle(report(grant, 4, final=True))[0].items() >= {"state": "final", "charged": 4, "returned": 6}.items()


def test_a_deleted_user_acquires_nothing_and_still_settles(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    grant = holder.acquire(user_id, 10)
    assert stage.ask("DELETE", "/api/customers/" + user_id, stage.secret()).status == 200
    answer = holder.ask(settle=[report(grant, 6, final=True)], acquire=[wish(user_id, 1)])
    assert answer["settled"][0].items() >= {"state": "final", "charged": 6, "returned": 4}.items()
    assert answer["grants"][0]["error"] == "deleted"


def test_a_plan_change_counts_at_the_next_grant(stage):
    user_id, holder = stage.new_customer(), Holder(stage)
    assert holder.acquire(user_id, 25)["granted"] == 25
    assert stage.ask("PATCH", "/api/customers/" + user_id, stage.secret(), {"plan": "big"}).status == 200
    assert holder.acquire(user_id, 500).items() >= {"granted": 500, "limit": 100000, "plan": "big"}.items()
    assert stage.ask("PATCH", "/api/customers/" + user_id, stage.secret(), {"plan": "free"}).status == 200
    assert holder.acquire(user_id, 1)["error"] == "held"
    check(stage)


def test_1000_users_settle_in_one_request(stage):
    holder, users = Holder(stage), [stage.new_customer(plan="max") for _ in range(20)]
    grants = holder.ask(acquire=[wish(users[number % 20], 3) for number in range(1000)])["grants"]
    assert all(grant["granted"] == 3 for grant in grants)
    assert holder.ask()["recall"] == []
    assert {settled["state"] for settled in holder.settle(*(report(grant, 2, final=True) for grant in grants))} == {"final"}
    assert all(usage(stage, user_id) == (100, 0, 0) for user_id in users)


# Time.


def test_a_settlement_belongs_to_its_period_and_comes_too_late_after_a_week(tmp_path):
    rows = {"usage": [{"publishableKey": "<pk-app>", "userId": "<user-old>", "usageCount": 5, "periodStart": f"<today-{31}>", "periodEnd": "<today-2>"}]}
    with stages.Stage(tmp_path, tiers=TIERS, rows=rows) as stage:
        user_id, holder = stage.names["<user-old>"], Holder(stage)
        now = holder.acquire(user_id, 10)
        assert now["used"] == 0
        old = report({**now, "leaseId": "old", "requestId": "old", "periodStart": day(-31)}, 7, final=True)
        older = report({**now, "leaseId": "older", "requestId": "older", "periodStart": day(-70)}, 7, final=True)
        for _ in range(2):
            settled = holder.settle(old, older, report(now, 2))
            assert [(one["state"], one["charged"]) for one in settled] == [("final", 7), ("closed", 0), ("active", 2)]
        assert usage(stage, user_id) == (2, 8, 0)
        listed = daemon.run("lease", "list", "--db", stage.db, "--user", user_id).stdout
        assert '"leaseId":"older"' in listed and now["leaseId"] in listed
        days = stage.ask("GET", f"/api/usage/history?userId={user_id}&from={day(-40)}", stage.secret()).json["days"]
        assert sum(one["units"] for one in days) == 5 + 7 + 2


def test_a_silent_holder_leaves_its_units_lost_until_it_reports(tmp_path):
    env = {"DREAMAPID_LEASE_TTL_MS": "1000", "DREAMAPID_LEASE_GRACE_MS": "200"}
    with stages.Stage(tmp_path, tiers=TIERS, env=env) as stage:
        user_id, holder = stage.new_customer(), Holder(stage)
        asked = wish(user_id, 10)
        grant = holder.ask(acquire=[asked])["grants"][0]
        assert 0 < grant["ttlMs"] <= 1000
        holder.settle(report(grant, 3))
        with sqlite3.connect(f"file:{stage.db}?mode=ro", uri=True) as db:  # nobody asks: the service notices by itself
            daemon.wait_for("the lease to be lost", lambda: db.execute("SELECT lost FROM usage_counts").fetchone() == (7,))
        assert usage(stage, user_id) == (3, 0, 7)
        assert holder.ask(acquire=[asked])["grants"][0].items() >= {"state": "lost", "ttlMs": 0}.items()
        assert holder.settle(report(grant, 4))[0]["state"] == "lost"
        assert usage(stage, user_id) == (4, 0, 6)
        assert holder.settle(report(grant, 5, final=True))[0].items() >= {"state": "final", "returned": 5}.items()
        assert usage(stage, user_id) == (5, 0, 0)


def test_an_operator_writes_lost_units_off(tmp_path):
    env = {"DREAMAPID_LEASE_TTL_MS": "1000", "DREAMAPID_LEASE_GRACE_MS": "0"}
    with stages.Stage(tmp_path, tiers=TIERS, env=env) as stage:
        user_id, holder = stage.new_customer(), Holder(stage)
        grant = holder.acquire(user_id, 25)
        daemon.wait_for("the lease to be lost", lambda: usage(stage, user_id) == (0, 0, 25))

        def write_off(*options, **more):
            return daemon.run("lease", "write-off", "--db", stage.db, "--user", user_id, *options, **more)

        assert daemon.last_json_line(write_off("--units", "5", "--project", "App").stdout) == {"writtenOff": 5}
        assert daemon.last_json_line(write_off("--publishable-key", stage.names["<pk-app>"]).stdout) == {"writtenOff": 20}
        assert daemon.last_json_line(write_off().stdout) == {"writtenOff": 0}
        assert usage(stage, user_id) == (0, 0, 0)
        assert track(stage, user_id, 50).status == 200
        assert holder.settle(report(grant, 25, final=True))[0]["charged"] == 25
        assert usage(stage, user_id) == (75, 0, 0)  # over by no more than what was written off, which `check` knows
        check(stage)
        assert write_off("--project", "Nobody's", check=False).returncode == 1
        assert write_off("--units", "0", check=False).returncode == 2
        with sqlite3.connect(f"file:{stage.db}?mode=ro", uri=True) as db:
            actors = db.execute("SELECT actor FROM audit_entries WHERE action = 'lease write-off'").fetchall()
        assert actors == 2 * [(operator(),)]


# What is lost on the way.


@pytest.mark.parametrize("after", [2, 9, 20])
def test_holders_over_a_kill_bill_what_they_admitted(tmp_path, after):
    """Six holders take and settle; those whose answer was lost say the same again after the restart."""
    with stages.Stage(tmp_path, tiers=TIERS) as stage:
        user_id, killer = stage.new_customer(plan="big"), stages.KillAfter(stage, after)
        holders = [Holder(stage) for _ in range(6)]

        def insist(holder, **lists):
            while True:
                try:
                    answer = holder.ask(**lists)
                    killer.answered()
                    return answer
                except (OSError, http.client.HTTPException):
                    restarted.wait(30)

        def work(holder):
            for number in range(8):
                asked = wish(user_id, 5)
                grant = insist(holder, acquire=[asked])["grants"][0]
                if "error" not in grant:
                    holder.spent += number % 5
                    insist(holder, settle=[report(grant, number % 5, final=True)])

        restarted = threading.Event()
        threads = [threading.Thread(target=work, args=(holder,)) for holder in holders]
        for thread in threads:
            thread.start()
        stage.serve.process.wait(60)
        stage.start()
        restarted.set()
        for thread in threads:
            thread.join(60)
        assert usage(stage, user_id) == (sum(holder.spent for holder in holders), 0, 0)


def test_a_restore_waits_out_the_leases_it_does_not_know_and_books_them(tmp_path):
    env = {"DREAMAPID_LEASE_TTL_MS": "2000", "DREAMAPID_LEASE_GRACE_MS": "1000"}
    with stages.Stage(tmp_path, tiers=TIERS, env=env) as stage:
        user_id, holder = stage.new_customer(), Holder(stage)
        known = holder.acquire(user_id, 10)
        epoch = holder.ask()["storeEpoch"]
        assert stage.serve.stop() == 0
        backup = tmp_path / "backup.db"
        shutil.copy(stage.db, backup)
        stage.start()
        unknown = holder.acquire(user_id, 10)
        assert holder.settle(report(known, 6, final=True), report(unknown, 2))[0]["state"] == "final"
        stage.serve.kill()

        for name in ("stage.db-wal", "stage.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        shutil.copy(backup, stage.db)
        told = daemon.last_json_line(daemon.run("restore", "--db", stage.db, env=env).stdout)
        entries = daemon.run("audit", "list", "--db", stage.db).stdout.splitlines()
        assert [entry["actor"] for entry in map(json.loads, entries) if entry["action"] == "restore"] == [operator()]
        stage.start()
        asked = wish(user_id, 5)
        answer = holder.ask(acquire=[asked])
        assert answer["storeEpoch"] == told["storeEpoch"] > epoch
        assert answer["grants"][0]["error"] == "recovering" and 0 < answer["grants"][0]["retryAfterMs"] <= 3000
        direct = track(stage, user_id)
        assert direct.status == 503 and 1 <= int(direct.headers["retry-after"]) <= 3
        assert stage.ask("POST", "/api/usage/batch", stage.secret(), {"events": [{"id": "e", "userId": user_id}]}).json["results"][0]["status"] == "error"
        # The holder sends again what it had settled.
        assert [one["state"] for one in holder.settle(report(known, 6, final=True), report(unknown, 3, final=True))] == ["final", "final"]
        assert usage(stage, user_id) == (9, 0, 0)
        daemon.wait_for("the wait to be over", lambda: "leaseId" in holder.ask(acquire=[asked])["grants"][0])
        assert track(stage, user_id).status == 200
        assert usage(stage, user_id) == (10, 5, 0)
        check(stage)


def test_a_restore_is_refused_under_a_running_serve_which_goes_on_lending(tmp_path):
    with stages.Stage(tmp_path, tiers=TIERS) as stage:
        user_id, holder = stage.new_customer(), Holder(stage)
        epoch = holder.ask()["storeEpoch"]
        refused = daemon.run("restore", "--db", stage.db, check=False)
        assert (refused.returncode, refused.stdout) == (1, "") and "stop serve first" in refused.stderr
        holder.acquire(user_id, 10)
        assert holder.ask()["storeEpoch"] == epoch
        assert stage.serve.stop() == 0
        assert daemon.last_json_line(daemon.run("restore", "--db", stage.db).stdout)["storeEpoch"] > epoch


def test_a_restore_by_root_on_a_new_machine_leaves_the_services_user_the_lock(tmp_path):
    """Whoever owns the database: a copy is put back by hand, with no DB.lock beside it."""
    db, lock = tmp_path / "back.db", tmp_path / "back.db.lock"
    daemon.run("migrate", "--db", db)
    if os.geteuid() == 0:
        os.chown(db, 65534, 65534)
    daemon.run("restore", "--db", db)
    assert (lock.stat().st_uid, lock.stat().st_gid) == (db.stat().st_uid, db.stat().st_gid)
    assert lock.stat().st_mode & 0o777 == 0o600


def test_two_processes_share_one_store(tmp_path):
    """One settles what the other granted, and both sweep."""
    env = {"DREAMAPID_LEASE_TTL_MS": "1000", "DREAMAPID_LEASE_GRACE_MS": "0"}
    with stages.Stage(tmp_path, tiers=TIERS, env=env) as stage, daemon.Daemon(tmp_path, "--db", stage.db, "--free-ports", env=stage.env) as second:
        user_id, holder = stage.new_customer(plan="big"), Holder(stage)
        grants = [holder.acquire(user_id, 10) for _ in range(30)]
        answer = daemon.ask(second.api, "POST", PATH, stage.secret(), {"holder": holder.id, "settle": [report(grants[0], 4, final=True)]})
        assert answer.json["settled"][0].items() >= {"state": "final", "charged": 4, "returned": 6}.items()
        daemon.wait_for("the others to be lost", lambda: usage(stage, user_id) == (4, 0, 290))
        check(stage)


@pytest.mark.parametrize("name, value", [("TTL_MS", "999"), ("TTL_MS", "3600001"), ("GRACE_MS", "-1"), ("GRACE_MS", "1s"), ("CLOSE_DAYS", "")])
def test_settings_that_make_no_sense_are_refused(tmp_path, name, value):
    variable = "DREAMAPID_LEASE_" + name
    done = daemon.run("restore", "--db", tmp_path / "new.db", env={variable: value}, check=False)
    if value == "":  # counts as not set
        assert done.returncode == 0
    else:
        assert done.returncode == 1 and variable in done.stderr
