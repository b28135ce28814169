# SPDX-License-Identifier: Apache-2.0
"""examples/game-server: its README line by line; the summary it prints is what the service counted, of both meters, in any number of rooms,
by a signal and over a kill."""

import datetime
import re
import signal
import subprocess

import pytest

import daemon
import readme

PROGRAM = f"{daemon.build_dir()}/examples/game-server"
LINE = re.compile(r"(user_\w+) \((\w+)(, ranked)?\): (\d+) matches, \d+ called off, (\d+) turned away; \d+ chests for (\d+) gems, (\d+) locked")


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    made = readme.Up(tmp_path_factory.mktemp("game"))
    yield made
    made.close()


def start(up, *words, folder=None):
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", PROGRAM, *words], env=daemon.environment(up.exports), cwd=folder, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def play(up, *words):
    """The players' lines: {user: (matches, gems)}."""
    run = start(up, *words)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 0 and err == "", out + err
    return summary(out)


def summary(text):
    *lines, last = text.splitlines()
    assert re.fullmatch(r"settled in \d+ requests", last)
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), text
    return {one.group(1): (int(one.group(4)), int(one.group(6))) for one in found}


def counted(up, user):
    """Matches and gems, as the service has them."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    days = f"from={today - datetime.timedelta(days=1)}&to={today}"  # midnight may pass meanwhile
    gems = up.ask("GET", f"/api/usage/history?userId={user}&meter=gems&{days}").json["days"]
    used, held, lost = up.usage(user)
    assert (held, lost) == (0, 0)
    return used, sum(day["units"] for day in gems)


def test_every_line_of_the_readme_does_what_it_says(up, tmp_path):
    dev_up, lines = readme.blocks("game-server")
    assert dev_up == "./dev up\n"
    readme.follow(up, tmp_path, lines)


def test_the_same_dice_are_the_same_game_in_any_number_of_rooms(up):
    """For players who reach no limit. Of the others some units may be on their way back when they are asked for last."""
    games = []
    for rooms in (1, 3):
        users = [up.customer(f"dice{rooms}.{i}", ("free", "pro")[i % 2]) for i in range(6)]
        printed = play(up, "-t", "60", "-m", "0", "-r", str(rooms), "-s", "7", *users)
        assert printed == {user: counted(up, user) for user in users}
        assert all(1 <= printed[user][0] <= 5 and printed[user][1] <= 50 for user in users[0::2])
        games.append([printed[user] for user in users[1::2]])
    assert games[0] == games[1] and all(matches > 5 for matches, _ in games[0])


def test_a_signal_ends_the_game_and_all_is_counted(up):
    user = up.customer("signal", "pro")
    run = start(up, "-m", "1", user)
    daemon.wait_for("gems on loan", lambda: up.usage(user)[1] > 0)
    run.send_signal(signal.SIGTERM)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0 and err == ""
    assert summary(out) == {user: counted(up, user)}


def test_a_killed_game_loses_no_gem(up, tmp_path):
    user = up.customer("killed", "pro")
    run = start(up, "-m", "1", "-j", "usage.journal", user, folder=tmp_path)
    daemon.wait_for("matches on loan", lambda: up.usage(user)[1] > 0)
    run.kill()
    run.communicate(timeout=30)
    again = start(up, "-t", "1", "-j", "usage.journal", user, folder=tmp_path)
    out, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    (matches, gems), (now, gems_now) = summary(out)[user], counted(up, user)
    assert now >= matches and gems_now >= gems


@pytest.mark.parametrize("words", [(), ("-t", "soon", "user_1"), ("-r", "0", "user_1"), ("-x", "user_1")])
def test_called_wrongly_it_says_how(words):
    run = subprocess.run([PROGRAM, *words], env=daemon.environment(), stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 2 and "usage: " in run.stderr


def test_without_settings_or_with_a_stranger_it_says_so(up):
    run = subprocess.run([PROGRAM, "user_1"], env=daemon.environment(), stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 1 and "DREAMAPI_BASE_URL" in run.stderr
    run = subprocess.run([PROGRAM, "user_nobody"], env=daemon.environment(up.exports), stderr=subprocess.PIPE, text=True, timeout=30)
    assert run.returncode == 1 and run.stderr.startswith("DREAMAPI_NOT_FOUND: ")
