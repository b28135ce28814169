# SPDX-License-Identifier: Apache-2.0
"""`dreamapid master-key rotate`: everything sealed opens with the new key and no longer with the old one; refused while a serve
knows the old one; finished by the next run where a crash stopped it."""

import os
import pwd
import secrets
import sqlite3

import pytest

import daemon
import signing
import tenant


class Place:
    """A database with two projects' keys and a connected account's token, all sealed."""

    def __init__(self, folder, env=None):
        self.folder, self.db, self.key = folder, folder / "keys.db", folder / "keys.db.key"
        self.names = tenant.load(folder, self.db, [{"key": k, "tiers": [tenant.tier("free", 5)]} for k in ("a", "b")], env=env)

    def rotate(self, *more, env=None, check=True):
        return daemon.run("master-key", "rotate", "--db", self.db, *more, env=env, check=check)

    def sealed(self):
        with sqlite3.connect(f"file:{self.db}?mode=ro", uri=True) as db:
            return [row[0] for row in db.execute("SELECT signing_key_sealed FROM api_keys UNION ALL SELECT access_token_sealed "
                                                 "FROM stripe_accounts WHERE access_token_sealed IS NOT NULL ORDER BY 1")]

    def assert_keys_open(self, env=None):
        with daemon.Daemon(self.folder, "--db", self.db, "--free-ports", env=env) as serve:
            for key in ("a", "b"):
                message = signing.sign(signing.Message("GET", serve.api + "/api/tiers"), self.names[f"<pk-{key}>"],
                                       self.names[f"<sk-{key}>"])
                assert daemon.ask(serve.api, "GET", "/api/tiers", message.headers).status == 200
            assert serve.stop() == 0


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_everything_is_sealed_anew_and_the_file_replaced(place):
    old_key, old = place.key.read_text(), place.sealed()
    assert daemon.last_json_line(place.rotate().stdout) == {"resealed": len(old)}
    new = place.sealed()
    assert len(new) == len(old) == 4 and not set(new) & set(old)
    assert place.key.read_text() != old_key and place.key.stat().st_mode & 0o777 == 0o600
    assert not place.key.with_name("keys.db.key.new").exists()
    place.assert_keys_open()
    entries = sqlite3.connect(place.db).execute("SELECT action, actor FROM audit_entries").fetchall()
    assert ("master-key rotate", "operator:" + pwd.getpwuid(os.getuid()).pw_name) in entries
    place.key.write_text(old_key)
    with pytest.raises(AssertionError, match="another master key"):
        daemon.Daemon(place.folder, "--db", place.db, "--free-ports")


def test_a_running_serve_refuses_it_and_goes_on(place):
    old = place.sealed()
    with daemon.Daemon(place.folder, "--db", place.db, "--free-ports") as serve:
        refused = place.rotate(check=False)
        assert refused.returncode == 1 and "stop serve first" in refused.stderr
        assert daemon.ask(serve.api, "GET", "/health").status == 200
    assert place.sealed() == old
    place.assert_keys_open()


def test_with_the_key_in_the_environment_no_file_is_made(tmp_path):
    old, new = ({"DREAMAPID_MASTER_KEY": secrets.token_hex(32)} for _ in range(2))
    place = Place(tmp_path, env=old)
    assert "Name the new key" in place.rotate(env=old, check=False).stderr
    given = {**old, "DREAMAPID_NEW_MASTER_KEY": new["DREAMAPID_MASTER_KEY"]}
    place.rotate(env=given)
    assert not list(tmp_path.glob("*.key*"))
    place.assert_keys_open(env=new)
    assert "another master key" in place.rotate(env={**old, "DREAMAPID_NEW_MASTER_KEY": secrets.token_hex(32)}, check=False).stderr


def test_a_given_file_is_taken(place):
    given = place.folder / "given"
    given.write_text(secrets.token_hex(32))
    given.chmod(0o600)
    assert place.rotate("--new-key-file", place.folder / "none", check=False).returncode == 1
    place.rotate("--new-key-file", given)
    assert place.key.read_text().strip() == given.read_text()
    place.assert_keys_open()


def test_a_crash_before_and_one_after_the_commit_are_finished_by_the_next_run(place):
    """Both states are made by hand: they are what a kill leaves."""
    draft = place.key.with_name("keys.db.key.new")
    draft.write_text(secrets.token_hex(32) + "\n")
    draft.chmod(0o600)
    wanted, old = draft.read_text(), place.key.read_text()
    place.rotate()
    assert place.key.read_text() == wanted
    draft.write_text(wanted)
    draft.chmod(0o600)
    place.key.write_text(old)
    assert daemon.last_json_line(place.rotate().stdout) == {"resealed": 0}
    assert place.key.read_text() == wanted and not draft.exists()
    place.assert_keys_open()


def test_a_value_that_does_not_open_changes_nothing(place):
    with sqlite3.connect(place.db) as db:
        db.execute("UPDATE api_keys SET signing_key_sealed = zeroblob(60) WHERE publishable_key = ?", (place.names["<pk-b>"],))
    old, key = place.sealed(), place.key.read_text()
    failed = place.rotate(check=False)
    assert failed.returncode == 1 and "Nothing was changed" in failed.stderr
    assert place.sealed() == old and place.key.read_text() == key
