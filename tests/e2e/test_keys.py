# SPDX-License-Identifier: Apache-2.0
"""Keys from their making to their end, with the real program: two processes serve one database, and `dreamapid key ...` changes its
keys meanwhile."""

import json

import pytest

import daemon
import signing
import tenant

PK = "--publishable-key"


def lines(*words):
    return [json.loads(line) for line in daemon.run(*words).stdout.splitlines()]


def one(*words):
    return daemon.last_json_line(daemon.run(*words).stdout)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(database, the two processes, what `tenant create` printed for the live and the test project)."""
    folder = tmp_path_factory.mktemp("keys")
    db = folder / "keys.db"
    made = {mode: tenant.create(db, folder, mode=mode) for mode in ("live", "test")}
    serves = []
    for name in ("first", "second"):
        (folder / name).mkdir()
        serves.append(daemon.Daemon(folder / name, "--db", db, "--free-ports"))
    yield db, serves, made
    for serve in serves:
        assert serve.stop() == 0


def status(serve, secret=None, publishable=None):
    headers = {"Authorization": "Bearer " + secret} if secret else {"X-Publishable-Key": publishable}
    return daemon.ask(serve.api, "GET", "/api/tiers", headers).status


def statuses(place, **keys):
    return {status(serve, **keys) for serve in place[1]}


def make(place, mode="live"):
    return one("key", "create", "--db", place[0], "--project", "App", "--mode", mode)


def test_a_project_has_several_pairs_and_each_opens_it_in_its_mode(place):
    pairs = [make(place), make(place), make(place, "test")]
    assert {pair["platformId"] for pair in pairs} == {place[2]["live"]["platformId"]}
    for pair in [*pairs, *place[2].values()]:
        assert statuses(place, secret=pair["secretKey"]) == {200}
        assert statuses(place, publishable=pair["publishableKey"]) == {200}
    assert pairs[2]["secretKey"].startswith("sk_test_") and pairs[2]["publishableKey"].startswith("pk_test_")


def test_a_revoked_pair_is_refused_at_once_by_every_process(place):
    pair, other = make(place), make(place)
    assert statuses(place, secret=pair["secretKey"]) == {200}
    assert one("key", "revoke", "--db", place[0], PK, pair["publishableKey"]) == {"revoked": True}
    assert statuses(place, secret=pair["secretKey"]) == {401}
    assert statuses(place, publishable=pair["publishableKey"]) == {401}
    assert statuses(place, secret=other["secretKey"]) == {200}
    again = daemon.run("key", "revoke", "--db", place[0], PK, pair["publishableKey"], check=False)
    assert again.returncode == 1 and "Nothing was changed" in again.stderr


def test_a_rotated_secret_goes_on_for_the_overlap_and_no_longer(place):
    pair = make(place)
    pk = pair["publishableKey"]
    second = one("key", "rotate", "--db", place[0], PK, pk, "--overlap", "3600")
    assert second["publishableKey"] == pk and second["secretKey"] != pair["secretKey"]
    assert statuses(place, secret=pair["secretKey"]) == statuses(place, secret=second["secretKey"]) == {200}

    third = one("key", "rotate", "--db", place[0], PK, pk, "--overlap", "1")
    for old in (pair, second):
        daemon.wait_for("the overlap's end", lambda secret=old["secretKey"]: statuses(place, secret=secret) == {401})
    assert statuses(place, secret=third["secretKey"]) == {200}

    fourth = one("key", "rotate", "--db", place[0], PK, pk, "--overlap", "0")
    assert statuses(place, secret=third["secretKey"]) == {401}
    one("key", "revoke", "--db", place[0], PK, pk, "--key-id", fourth["keyId"])
    assert statuses(place, secret=fourth["secretKey"]) == {401}
    refused = daemon.run("key", "rotate", "--db", place[0], PK, pk, check=False)
    assert refused.returncode == 1 and "0 publishable keys" in refused.stderr, "a revoked key must not come back"
    states = [key["state"] for key in lines("key", "list", "--db", place[0], PK, pk)]
    assert states == ["expired", "expired", "expired", "revoked"]


def signed(place, pair):
    """What each process answers to a request that is signed with the pair."""
    answers = []
    for serve in place[1]:
        message = signing.sign(signing.Message("GET", serve.api + "/api/tiers"), pair["publishableKey"], pair["secretKey"])
        answers.append(daemon.ask(serve.api, "GET", "/api/tiers", message.headers))
    return {answer.json["error"] if answer.status == 401 else answer.status for answer in answers}


def test_signatures_begin_and_end_with_their_secret_key(place):
    pair = make(place)
    pk = pair["publishableKey"]
    assert signed(place, pair) == {200}
    assert lines("key", "list", "--db", place[0], PK, pk)[0]["lastUsedAt"]
    second = one("key", "rotate", "--db", place[0], PK, pk, "--overlap", "3600")
    assert signed(place, pair) == signed(place, second) == {200}
    third = one("key", "rotate", "--db", place[0], PK, pk, "--overlap", "0")
    assert signed(place, pair) == signed(place, second) == {"Invalid API key"}
    assert signed(place, third) == {200}
    one("key", "revoke", "--db", place[0], PK, pk, "--key-id", third["keyId"])
    assert signed(place, third) == {"Invalid API key"}


def test_the_list_tells_when_a_key_was_used_and_never_a_secret(place):
    pair = make(place)
    pk = pair["publishableKey"]
    listed = lines("key", "list", "--db", place[0], PK, pk)
    assert [key["lastUsedAt"] for key in listed] == [None]
    assert set(listed[0]) == {"keyId", "publishableKey", "platformId", "project", "mode", "state", "createdAt", "lastUsedAt", "expiresAt",
                              "revokedAt"}
    for _ in range(5):
        assert statuses(place, secret=pair["secretKey"]) == {200}
    daemon.wait_for("the last use", lambda: lines("key", "list", "--db", place[0], PK, pk)[0]["lastUsedAt"])
    assert "sk_" not in daemon.run("key", "list", "--db", place[0]).stdout
    assert {key["mode"] for key in lines("key", "list", "--db", place[0], "--mode", "test")} == {"test"}


def test_every_change_is_in_the_audit_and_no_secret_is_anywhere(place):
    pair = make(place)
    new = one("key", "rotate", "--db", place[0], PK, pair["publishableKey"], "--overlap", "60")
    one("key", "revoke", "--db", place[0], PK, pair["publishableKey"])
    entries = lines("audit", "list", "--db", place[0], "--platform", pair["platformId"])
    mine = [(entry["action"], entry["detail"].get("keyId")) for entry in entries
            if entry["detail"].get("publishableKey") == pair["publishableKey"]]
    assert mine == [("key create", pair["keyId"]), ("key rotate", new["keyId"]), ("key revoke", None)]
    assert entries[0]["action"] == "tenant create" and entries[0]["detail"]["stripeAccount"] and entries[0]["detail"]["tiers"] == 2
    assert all(entry["actor"].startswith("operator:") and entry["at"].endswith("Z") for entry in entries)
    assert len(lines("audit", "list", "--db", place[0], "--limit", "2")) == 2

    stored = b"".join(file.read_bytes() for file in place[0].parent.glob("keys.db*") if file.is_file())
    for key in (pair, new):
        assert key["publishableKey"].encode() in stored, "the search would not find a key that is there"
        assert key["secretKey"].encode() not in stored
    assert daemon.run("check", "--db", place[0]).returncode == 0


@pytest.mark.parametrize("words, message", [
    (("key", "create"), "projects fit"),
    (("key", "create", "--project", "Nobody"), "0 projects fit"),
    (("key", "rotate", "--project", "App", "--mode", "live"), "publishable keys of the project have a valid secret"),
    (("key", "revoke", PK, "pk_live_unknown"), "0 projects fit"),
], ids=lambda value: value if isinstance(value, str) else " ".join(value))
def test_what_is_not_named_clearly_changes_nothing(place, words, message):
    before = daemon.run("audit", "list", "--db", place[0]).stdout
    refused = daemon.run(*words, "--db", place[0], check=False)
    assert refused.returncode == 1 and message in refused.stderr, refused
    assert refused.stdout == "" and daemon.run("audit", "list", "--db", place[0]).stdout == before


@pytest.mark.parametrize("words", [("key", "revoke"), ("key", "rotate", "--overlap", "-1"), ("key", "rotate", "--overlap", "soon"),
                                   ("key", "list", "--mode", "both"), ("audit", "list", "--limit", "0")], ids=" ".join)
def test_a_mistake_in_the_call_is_told_from_a_failure(place, words):
    assert daemon.run(*words, "--db", place[0], check=False).returncode == 2
