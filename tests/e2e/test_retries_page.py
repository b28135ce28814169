# SPDX-License-Identifier: Apache-2.0
"""docs/retries.md against the built library: every row of its tables is tried on a scripted transport and virtual time, the
numbers of its text are measured, and no row that retry.c knows is missing."""

import ctypes
import re

import pytest

import daemon
import library

pytestmark = pytest.mark.plain

PAGE = (daemon.ROOT / "docs" / "retries.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
RETRY_C = (daemon.ROOT / "src" / "lib" / "retry.c").read_text(encoding="utf-8")
STATUS = library.enum("error.h", "dreamapi_status")
FAILURE = library.enum("transport.h", "dreamapi_failure")
COLUMNS = ("GET, PATCH, DELETE", "keyed POST", "other POST")

# What the words of the second table stand for: (failure, maybe sent).
SCRIPTED = {
    "name without an address, connection refused: nothing was sent": [("DNS", 0), ("CONNECT", 0)],
    "timeout or broken connection, nothing was sent": [("TIMEOUT", 0), ("RESET", 0), ("OTHER", 0)],
    "timeout or broken connection, perhaps sent": [("TIMEOUT", 1), ("RESET", 1), ("OTHER", 1), ("CONNECT", 1)],
    "a kept connection was gone, nothing was sent": [("STALE", 0)],
    "a kept connection was gone, perhaps sent": [("STALE", 1)],
    "no trusted connection (TLS)": [("TLS", 0)],
    "not HTTP": [("PROTOCOL", 1)],
    "larger than allowed": [("TOO_LARGE", 1)],
    "out of memory": [("NOMEM", 0)],
}


def cells(row):
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def table(first):
    """The table whose first heading this is, as {first cell: [verdict in each of COLUMNS]}."""
    head, body = re.search(rf"^(\| {first} \|.*)\n\|[- |]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE).groups()
    assert cells(head)[1:] == list(COLUMNS)
    return {cells(row)[0]: cells(row)[1:] for row in body.splitlines()}


ANSWERS, NO_ANSWER = table("the server answered"), table("no answer")
NAMED = {int(row.split()[0]) for row in ANSWERS if row != "any other"}
CUSTOMER, CUSTOMERS, USAGE = "/api/customers/user_1", "/api/customers", "/api/usage"


@pytest.fixture(scope="module")
def lib():
    return library.load()


def calls_of(column):
    """The calls that stand for a column: (name, arguments, path, the server's extensions)."""
    if column == 0:
        return [("customer_get", ("user_1",), CUSTOMER, ()), ("customer_update", ("user_1", None), CUSTOMER, ()),
                ("customer_delete", ("user_1",), CUSTOMER, ())]
    return [("customer_create", (library.customer_params("ada@example.test"),), CUSTOMERS, ("idempotency",) if column == 1 else ())]


def verdict(lib, call, first):
    """What the library does after a first try that ended so, in the page's words."""
    name, arguments, path, extensions = call
    with library.Script(lib, extensions) as script, script.client() as client:
        script.add(path=path, **first)
        script.add(path=path, body='{"success":true,"id":"user_1","customer":{"id":"user_1"}}')
        status = client.call(name, *arguments)
        times = script.times_ms(path)
    if len(times) == 2:
        assert status == 0, client.error.text
        return "again" if times[1] > times[0] else "at once"
    assert len(times) == 1 and status != 0
    return "unknown" if status == STATUS["DREAMAPI_OUTCOME_UNKNOWN"] else "no"


@pytest.mark.parametrize("column", range(3), ids=COLUMNS)
@pytest.mark.parametrize("row", ANSWERS)
def test_an_answer_is_treated_as_the_table_says(lib, row, column):
    statuses = [number for number in range(300, 600) if number not in NAMED] if row == "any other" else [int(row.split()[0])]
    headers = ["Retry-After: 1"] if "with `Retry-After`" in row else []
    for call in calls_of(column):
        seen = {status: verdict(lib, call, {"http_status": status, "headers": headers}) for status in statuses}
        assert seen == {status: ANSWERS[row][column] for status in statuses}, call[0]


@pytest.mark.parametrize("column", range(3), ids=COLUMNS)
@pytest.mark.parametrize("row", NO_ANSWER)
def test_a_missing_answer_is_treated_as_the_table_says(lib, row, column):
    for call in calls_of(column):
        for failure, maybe_sent in SCRIPTED[row]:
            first = {"http_status": 0, "failure": FAILURE["DREAMAPI_FAILURE_" + failure], "maybe_sent": maybe_sent}
            assert verdict(lib, call, first) == NO_ANSWER[row][column], (call[0], failure, maybe_sent)


def test_no_answer_and_no_failure_that_the_policy_names_is_missing_from_the_tables():
    assert NAMED == {int(status) for status in re.findall(r"^\s*\{ (\d{3}),", RETRY_C, re.MULTILINE)}
    assert {"DREAMAPI_FAILURE_" + failure for row in NO_ANSWER for failure, _ in SCRIPTED[row]} == set(FAILURE)


def test_a_mistake_answered_with_500_is_not_repeated(lib):
    for words in ("Not Found", "No such price: 'price_1'"):
        first = {"http_status": 500, "body": f'{{"error":"{words}"}}'}
        assert [verdict(lib, call, first) for call in calls_of(0)] == ["no"] * 3


def number(pattern):
    """The number that the page states so; it must state it exactly once."""
    found = re.findall(pattern, TEXT)
    assert len(found) == 1, (pattern, found)
    return int(found[0])


def test_pauses_grow_to_their_limit_and_retries_end_as_the_page_says(lib):
    first, cap = number(r"at most (\d+) ms · 2ⁿ"), 1000 * number(r"never more than (\d+) seconds")
    retries = number(r"A call is retried (\d+) times at most")
    for wanted, settings in ((retries, {}), (8, {"max_retries": 8})):
        with library.Script(lib) as script, script.client(timeout_ms=60000, **settings) as client:
            script.add(path=CUSTOMER, http_status=503, times=-1)
            client.call("customer_get", "user_1")
            times = script.times_ms(CUSTOMER)
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        assert pauses == [library.RANDOM % (min(cap, first * 2**n) + 1) for n in range(wanted)]
        assert client.status == STATUS["DREAMAPI_UNAVAILABLE"]


@pytest.mark.parametrize("asked", [{"headers": ["Retry-After: 7"]}, {"headers": ["Retry-After: Tue, 14 Nov 2023 22:13:27 GMT"]},
                                   {"body": '{"retryAfter":7}'}], ids=["seconds", "date", "body"])
def test_the_server_can_ask_for_a_longer_pause(lib, asked):
    with library.Script(lib) as script, script.client() as client:
        script.add(path=CUSTOMER, http_status=503, **asked)
        script.add(path=CUSTOMER, body='{"customer":{"id":"user_1"}}')
        assert client.call("customer_get", "user_1") == 0
        first, second = script.times_ms(CUSTOMER)
    assert second - first == 7000


def test_a_pause_beyond_the_deadline_is_not_begun(lib):
    deadline_ms = 1000 * number(r"It is (\d+) seconds, unless")
    for wait_s, tries in ((deadline_ms // 1000 - 1, 2), (deadline_ms // 1000, 1)):
        with library.Script(lib) as script, script.client() as client:
            script.add(path=CUSTOMER, http_status=503, headers=[f"Retry-After: {wait_s}"], times=-1)
            before = script.now_ms()
            client.call("customer_get", "user_1")
            assert script.count(CUSTOMER) == tries
            if tries == 1:
                assert (script.now_ms() - before, client.error.retry_after_ms) == (0, 1000 * wait_s)


def test_a_call_ends_at_its_deadline(lib):
    with library.Script(lib) as script, script.client() as client:
        script.add(path=CUSTOMER, delay_ms=library.NEVER, times=-1)
        before = script.now_ms()
        assert client.call("customer_get", "user_1") == STATUS["DREAMAPI_TIMEOUT"]
        assert script.now_ms() - before == 1000 * number(r"It is (\d+) seconds, unless")


def test_the_budget_holds_what_the_page_says(lib):
    """With one retry a call and a server that is down, the first calls are all retried, later ones one in ten."""
    full = number(r"it starts with (\d+) retries")
    with library.Script(lib) as script, script.client(max_retries=1) as client:
        script.add(path=CUSTOMER, http_status=503, times=-1)
        for _ in range(200):
            client.call("customer_get", "user_1")
        retries = script.count(CUSTOMER) - 200
    # Each retry takes one, each call gives a tenth; what a call gives to a full budget is lost.
    assert full + 200 // 10 - 1 <= retries <= full + 200 // 10


def track(lib, client, user="user_1", token=None):
    return client.call("usage_get", user, options=library.call_options(token=token) if token else None)


def test_a_user_who_must_wait_is_refused_here_until_the_time_is_over(lib):
    with library.Script(lib) as script, script.client(max_retries=0) as client:
        script.add(path=USAGE, http_status=429, headers=["Retry-After: 40"])
        script.add(path=USAGE, times=-1, body='{"usageCount":1,"limit":5,"plan":"free"}')
        assert track(lib, client) == STATUS["DREAMAPI_RATE_LIMITED"] and client.error.local == 0
        lib("test_clock_advance", script.clock, 39999)
        assert track(lib, client) == STATUS["DREAMAPI_RATE_LIMITED"]
        assert (client.error.local, client.error.retry_after_ms, script.count(USAGE)) == (1, 1, 1)
        assert track(lib, client, "user_2") == 0
        lib("test_clock_advance", script.clock, 1)
        assert track(lib, client) == 0


def test_a_longer_time_is_taken_as_an_hour(lib):
    assert "A time of more than an hour is taken as an hour" in TEXT
    with library.Script(lib) as script, script.client(max_retries=0) as client:
        script.add(path=USAGE, http_status=429, headers=["Retry-After: 86400"])
        track(lib, client)
        assert track(lib, client) == STATUS["DREAMAPI_RATE_LIMITED"]
        assert client.error.retry_after_ms == 3600 * 1000


def test_as_many_waiting_users_are_remembered_as_the_page_says(lib):
    limit = number(r"the (\d+) users who must wait longest")
    with library.Script(lib) as script, script.client(max_retries=0, threads=0) as client:
        script.add(path=USAGE, http_status=429, headers=["Retry-After: 100"], times=1)
        script.add(path=USAGE, http_status=429, headers=["Retry-After: 200"], times=-1)
        for i in range(limit):
            track(lib, client, f"user_{i}")
        track(lib, client, "user_0")
        assert client.error.local == 1
        track(lib, client, "user_more")
        track(lib, client, "user_0")
        assert client.error.local == 0, "the one whose time is over first makes room"


def test_health_is_asked_before_posts_and_user_ids_alone_and_known_for_an_hour(lib):
    assert "The answer is good for an hour" in TEXT
    with library.Script(lib) as script, script.client() as client:
        script.add(path=CUSTOMER, times=-1, body='{"customer":{"id":"user_1"}}')
        script.add(path=CUSTOMERS, times=-1, body='{"customer":{"id":"user_1"}}')
        script.add(path=USAGE, times=-1, body='{"usageCount":1,"limit":5,"plan":"free"}')
        asked = []
        for call in (("customer_get", "user_1"), ("customer_create", library.customer_params("a@b.example")), ("usage_get", "user_1")):
            assert client.call(*call) == 0, client.error.text
            asked.append(script.count("/health"))
        assert asked == [0, 1, 1]
        for passed_ms, count in ((3600 * 1000 - 1, 1), (1, 2)):
            lib("test_clock_advance", script.clock, passed_ms)
            track(lib, client)
            assert script.count("/health") == count


def silent(lib):
    """A server whose health page never answers."""
    script = library.Script(lib)
    lib("test_transport_free", script.transport)
    script.transport = lib("test_transport_new")
    script.add(path="/health", times=-1, delay_ms=library.NEVER)
    script.add(path=CUSTOMERS, times=-1, body='{"customer":{"id":"user_1"}}')
    return script


def test_a_silent_health_page_holds_a_call_up_as_long_as_the_page_says(lib):
    longest_ms = 1000 * number(r"at most half of their time, and at most (\d+) seconds")
    for timeout_ms, waited_ms in ((4000, 2000), (30000, longest_ms)):
        with silent(lib) as script, script.client(timeout_ms=timeout_ms) as client:
            before = script.now_ms()
            assert client.call("customer_create", library.customer_params("a@b.example")) == 0
            assert script.times_ms(CUSTOMERS) == [before + waited_ms]


def test_after_silence_posts_go_on_without_extensions_and_user_ids_do_not(lib):
    silence_ms = 1000 * number(r"for (\d+) seconds POSTs are sent")
    create = ("customer_create", library.customer_params("a@b.example"))
    # Without a thread, so that virtual time stands still between two calls.
    with silent(lib) as script, script.client(threads=0) as client:
        client.call(*create)
        for passed_ms, count in ((silence_ms - 1, 1), (1, 2)):
            lib("test_clock_advance", script.clock, passed_ms)
            client.call(*create)
            assert script.count("/health") == count
        assert track(lib, client) == STATUS["DREAMAPI_UNAVAILABLE"]
        assert script.count("/health") > 2


def test_every_post_carries_a_key_the_same_on_each_try(lib):
    with library.Script(lib, ["idempotency"]) as script, script.client() as client:
        script.add(path=CUSTOMERS, http_status=503, times=2)
        script.add(path=CUSTOMERS, body='{"customer":{"id":"user_1"}}')
        assert client.call("customer_create", library.customer_params("a@b.example")) == 0
        keys = [lib("test_request_header", ctypes.c_void_p(lib("test_transport_request", script.transport, i)), "Idempotency-Key")
                for i in range(1, 4)]
    assert len(set(keys)) == 1 and keys[0]
