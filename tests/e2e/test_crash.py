# SPDX-License-Identifier: Apache-2.0
"""The metering engine under SIGKILL: several threads and processes spend from one journal, are killed at random moments and at
each marked point of the engine (src/lib/meter/point.h), and so is the service. Afterwards what is billed lies within what an outside
witness saw: exact, but for one operation a killed thread. A failure prints its seed; DREAMAPI_CRASH_SEED repeats it.
DREAMAPI_LONG=1 kills 500 times and more, at every point alone and among others."""

import os
import random
import shutil
import signal

import pytest

import crash
import daemon
import stage as stages
import tenant

IS_LONG = os.environ.get("DREAMAPI_LONG") == "1"
TIERS = [tenant.tier("free", 900, rateLimit=None), tenant.tier("slow", None, rateLimit=150), tenant.tier("steady", None, rateLimit=10**9),
         tenant.tier("max", None, rateLimit=None, meters={"tokens": {"limit": 2000}})]
ENV = {"DREAMAPID_LEASE_TTL_MS": "2000", "DREAMAPID_LEASE_GRACE_MS": "1000"}
IS_BUILT = os.path.exists(crash.program())
ALLOWED = 40  # the worker's allow_units
MAY_FORK = IS_BUILT and crash.may_fork()
POINTS = crash.points() if IS_BUILT else []
# Outside the long run: one of an installation, of a fold, of a wish and of a settlement.
FEW_POINTS = ["install_active", "fold_counted", "wish_filled", "settle_remembered"]
TURNS = ("calls_lowered", "turn_begun", "turn_restarted", "turn_counted")
# Points that one process of a journal passes: with company, that is the company.
LEADER = ("forget_begun", "forget_unlisted", "forget_counted")
# Points that only a service without leases leads to.
DIRECT = ("report_named", "report_begun", "change_noted", "change_units", "change_doubtful", "change_debt")
# Points that take a crowd on one account, the end of the rate's minute or of what is remembered: until then nobody stops.
PATIENCE = {"fan_filled": {"crowd": True}, "fan_named": {"crowd": True}, "gather_taken": {"crowd": True},
            **{point: {} for point in (*TURNS, *LEADER)}}


class Field:
    """A service, and one journal at a time with the accounts that are spent from it."""

    def __init__(self, folder, seed, rated="slow"):
        self.folder, self.seed, self.random, self._rated = folder, seed, random.Random(seed), rated
        self.stage = stages.Stage(folder, tiers=TIERS, env=ENV)
        self.books, self.workers, self.kills, self.service_kills, self.forks = crash.Books(self.stage.db), [], 0, 0, 0
        self._journals, self.base_url = 0, None
        self.new_journal()

    def new_journal(self):
        self._journals += 1
        self.journal = self.folder / f"journal-{self._journals}"
        self.workers.clear()
        users = {plan: self.stage.new_customer(plan=plan) for plan in ("free", self._rated, "max")}
        self.accounts = [(users["max"], "default", "wait"), (users["free"], "default", "wait"), (users[self._rated], "default", "wait"),
                         (users["max"], "tokens", "wait"), (self.stage.new_customer(plan="max"), "default", "allow")]

    def words(self):
        return ["/".join(account) for account in self.accounts]

    def start(self, *, threads=2, forks=False, operations=0, kill_at=None, crowd=False):
        witness = crash.Witness(self.folder / f"witness-{self._journals}-{len(self.workers)}")
        worker = crash.Worker(self.stage, witness, "run", self.journal, witness.path, self.random.getrandbits(40), threads, int(forks and MAY_FORK),
                              operations, *self.words()[:1 if crowd else None], kill_at=kill_at, base_url=self.base_url)
        self.workers.append(worker)
        return worker

    def kill(self, worker):
        worker.kill()
        self.kills += 1

    def kill_service(self):
        """And starts it again where it was: a journal belongs to one address."""
        serve = self.stage.serve
        serve.kill()
        ports = [word for part in ("api", "admin") for word in (f"--listen-{part}", serve.urls[part].removeprefix("http://"))]
        self.stage.serve = daemon.Daemon(self.folder, "--db", self.stage.db, *ports, env=self.stage.env)
        self.service_kills += 1

    def stop(self):
        """Ends all that run, as a program ends."""
        running = [worker for worker in self.workers if not worker.process.stdout.closed]
        for worker in running:
            worker.witness.stop()
        for worker in running:
            was_killed = worker.finish() == -9
            assert was_killed or worker.process.returncode == 0, f"seed {self.seed}: {worker.process.returncode}: {worker.errors}"
            self.kills += was_killed

    def settle(self, kill_at=None):
        """A clean client settles what is in the journal. True unless it was killed."""
        witness = crash.Witness(self.folder / f"witness-{self._journals}-{len(self.workers)}")
        worker = crash.Worker(self.stage, witness, "settle", self.journal, witness.path, *self.words(), kill_at=kill_at,
                              base_url=self.base_url)
        self.workers.append(worker)
        status = worker.finish()
        assert status == 0 or (status == -9 and kill_at), f"seed {self.seed}: settle ended with {status}: {worker.errors}"
        self.kills += status == -9
        return status == 0

    def compare(self, may_lose=False, may_hold=False, may_forget=False):
        """The books with the witnesses. Returns what is lost. `may_forget`: units allowed beyond any grant may be billed to nobody."""
        all_lost = 0
        bounds = [worker.witness.bounds() for worker in self.workers]
        for worker in self.workers:
            assert worker.witness.failed == 0, f"seed {self.seed}: status {worker.witness.failed}"
        for number, (user_id, meter, policy) in enumerate(self.accounts):
            least, most = (sum(bound[number][side] for bound in bounds) for side in (0, 1))
            used, held, gone = self.books.of(user_id, meter)
            least -= ALLOWED if may_forget and policy == "allow" else 0
            assert least <= used <= most and (held == 0 or may_hold) and (gone == 0 or may_lose), (
                f"seed {self.seed}: account {number} ({meter}): used {used}, held {held}, lost {gone}; seen: {least} to {most}")
            all_lost += gone
        return all_lost

    def end_round(self):
        self.stop()
        assert self.settle()
        self.compare()
        self.forks += sum(worker.witness.forks for worker in self.workers)
        for worker in self.workers:
            worker.witness.close()
        self.new_journal()

    def close(self):
        for worker in self.workers:
            if not worker.process.stdout.closed:
                worker.kill()
        self.stage.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(f"DREAMAPI_CRASH_SEED={self.seed}")
        self.close()


def seed():
    return int(os.environ.get("DREAMAPI_CRASH_SEED") or random.SystemRandom().getrandbits(32))


def after(field, worker, operations):
    """Until a worker did so many operations more, or ended."""
    wanted = worker.witness.operations() + operations
    crash.wait_until(lambda: worker.witness.operations() >= wanted or worker.has_ended or worker.witness.failed)


# ---- at random ----


def random_round(field, kills):
    """A few workers; one after the other is killed and replaced, and once, at a random moment, the service."""
    count, service_dies = field.random.randint(1, 3), field.random.randrange(kills)
    # One forks for sure.
    running = [field.start(threads=field.random.randint(1, 3), forks=number == 0 or field.random.random() < 0.4) for number in range(count)]
    for number in range(kills):
        victim = field.random.choice(running)
        after(field, victim, field.random.randint(0, 250))
        if number == service_dies:
            field.kill_service()
        running.remove(victim)
        field.kill(victim)
        if field.random.random() < 0.3:
            for other in running:
                field.kill(other)
            running.clear()
        if field.random.random() < 0.7 or not running:
            running.append(field.start(threads=field.random.randint(1, 3), forks=field.random.random() < 0.4))
    if field.random.random() < 0.5:
        for other in running:
            field.kill(other)
    field.end_round()


def test_units_billed_are_those_a_witness_saw_admitted(tmp_path):
    """I2 at random moments."""
    wanted = 500 if IS_LONG else 30
    with Field(tmp_path, seed()) as field:
        while field.kills < wanted:
            random_round(field, field.random.randint(2, 8))
        assert (field.forks > 0) == MAY_FORK and field.service_kills > 0


# ---- a clean end ----


def test_workers_that_close_together_leave_nothing(tmp_path):
    """I3: whoever of them is the last to leave settles for all."""
    with Field(tmp_path, seed()) as field:
        for count in (1, 2, 4, 8):
            witness = crash.Witness(field.folder / f"witness-group-{count}")
            worker = crash.Worker(field.stage, witness, "group", field.journal, witness.path, field.random.getrandbits(40), count, 30,
                                  *field.words())
            field.workers.append(worker)
            assert worker.finish() == 0, f"seed {field.seed}: {worker.errors}"
            field.compare()
            assert crash.Header(field.journal).is_clean
            field.new_journal()


# ---- at each marked point ----


def dies_in_recovery(field, point, passes):
    """True if a process that found what a killed one left got to the point."""
    victim = field.start(threads=3, kill_at=f"{field.random.choice(['commit_booked', 'reserve_linked'])}:{passes}")
    crash.wait_until(lambda: victim.has_ended or victim.witness.failed, 60)
    field.stop()
    has_died = not field.settle(f"{point}:1")
    field.end_round()
    return has_died


def dies_at_work(field, point, passes, has_company):
    """True if a process that spends got to the point, or one that settles what it left. The others go on."""
    company = field.start() if has_company else None
    if company:
        after(field, company, 20)
    victim = field.start(threads=3, kill_at=f"{point}:{passes}", **PATIENCE.get(point, {"operations": 150}))
    crash.wait_until(lambda: victim.has_ended or victim.witness.failed, 120)
    has_died = victim.process.returncode == -9
    if company:
        after(field, company, 100)
        if field.random.random() < 0.5:
            field.kill(company)
    field.stop()
    if not has_died and not has_company:
        has_died = not field.settle(f"{point}:1")
    field.end_round()
    return has_died


@pytest.mark.parametrize("point", [point for point in POINTS if point not in DIRECT] if IS_LONG else FEW_POINTS)
def test_a_kill_at_the_point_bills_exactly(tmp_path, point):
    all_passes = (1,) if point in PATIENCE or not IS_LONG else (1, 2, 7)
    with Field(tmp_path, seed(), rated="steady" if point in TURNS else "slow") as field:
        if point.startswith("recover"):
            reached = [dies_in_recovery(field, point, passes) for passes in all_passes]
        else:
            reached = [dies_at_work(field, point, passes, has_company) for passes in all_passes
                       for has_company in ((False,) if point in LEADER else (False, True))]
        assert any(reached), f"nothing passes {point}"



# ---- without leases ----


@pytest.mark.parametrize("point", DIRECT if IS_LONG else DIRECT[1:2])
def test_a_kill_at_a_point_of_a_direct_report_bills_exactly(tmp_path, point):
    """Events are known by their ids, so what a killed process was sending is sent again and counted once."""
    with Field(tmp_path, seed()) as field:
        leaseless = crash.Leaseless(field.stage.serve.api)
        field.base_url = leaseless.url
        field.accounts = [(user, meter, "cached") for user, meter, _ in field.accounts if meter == "default"][:1]
        reached = []
        for passes in (1, 2, 7) if IS_LONG else (1,):
            victim = field.start(kill_at=f"{point}:{passes}", operations=150)
            crash.wait_until(lambda: victim.has_ended or victim.witness.failed, 60)
            field.stop()
            reached.append(victim.process.returncode == -9 or not field.settle(f"{point}:1"))
        assert field.settle()
        field.compare()
        assert any(reached), f"nothing passes {point}"
        leaseless.close()


# ---- preforked servers ----


def test_children_that_open_one_journal_bill_exactly(tmp_path):
    """I5: eight processes, one of them killed and started again, over and over."""
    with Field(tmp_path, seed()) as field:
        peers = [field.start(threads=1) for _ in range(7)]
        for _ in range(40 if IS_LONG else 6):
            victim = field.start(forks=field.random.random() < 0.5)
            after(field, victim, field.random.randint(0, 200))
            field.kill(victim)
        after(field, peers[0], 50)
        field.end_round()


def inherit_a_journal(tmp_path):
    """Meters opened before the fork: the parent spends from them, eight children do, and one of them is killed again and again."""
    with Field(tmp_path, seed()) as field:
        witness = crash.Witness(tmp_path / "witness-prefork")
        server = crash.Worker(field.stage, witness, "prefork", field.journal, witness.path, field.random.getrandbits(40), 8, 150,
                              *field.words())
        field.workers.append(server)
        started = [server.process.stdout.readline().split() for _ in range(8)]
        child = int(started[0][1])
        for _ in range(40 if IS_LONG else 6):
            after(field, server, field.random.randint(0, 200))
            os.kill(child, signal.SIGKILL)  # it ends only when it is told to, so its number is still its own
            number, child = map(int, server.process.stdout.readline().split())
            assert number == 0
        field.stop()
        field.compare()  # before anybody else could settle it
        field.end_round()


if MAY_FORK:
    # The thread sanitizer forbids a thread in the child of a process that has some: then there is no such test.
    def test_children_that_inherit_a_journal_bill_exactly(tmp_path):
        inherit_a_journal(tmp_path)


# ---- reboots and copies ----


def spend_and_die(field):
    worker = field.start()
    after(field, worker, 60)
    field.kill(worker)


def test_a_reboot_bills_what_the_journal_shows_and_returns_nothing(tmp_path):
    with Field(tmp_path, seed()) as field:
        spend_and_die(field)
        crash.Header(field.journal).reboot()
        assert field.settle()
        assert field.compare(may_lose=True, may_forget=True) > 0
        assert crash.Header(field.journal).is_clean


def test_a_reboot_after_a_clean_end_loses_nothing(tmp_path):
    with Field(tmp_path, seed()) as field:
        worker = field.start()
        after(field, worker, 60)
        field.stop()
        assert crash.Header(field.journal).is_clean
        crash.Header(field.journal).reboot()
        field.end_round()


def test_a_copy_spends_nothing_and_the_original_settles_after_it(tmp_path):
    with Field(tmp_path, seed()) as field:
        spend_and_die(field)
        original, holder = field.journal, crash.Header(field.journal).holder
        field.journal = shutil.copy(original, tmp_path / "copy")
        assert field.settle()
        assert crash.Header(field.journal).holder not in ("", holder)
        # What was asked for and not answered yet is for the original to hand back.
        assert field.compare(may_lose=True, may_hold=True, may_forget=True) > 0
        field.journal = original
        assert field.settle()
        assert crash.Header(field.journal).holder == holder
        assert field.compare() == 0, "a proven end returns what an unproven one had lost"
