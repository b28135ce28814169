# SPDX-License-Identifier: Apache-2.0
"""A folder that dpkg takes for a system: packages are unpacked, configured, upgraded and purged in it, and nothing is changed outside of it.

What its packages depend on counts as installed in it when it is installed on this machine: only the record of it is there, none of
its files. Maintainer scripts run on this machine with DPKG_ROOT set, as Debian's own tools know it; the two that would speak to a
running systemd are replaced by ones that write down what they were asked. Without root's rights it all runs under fakeroot."""

import os
import pathlib
import shutil
import stat
import subprocess
import tempfile

RECORDED = ("Package", "Status", "Maintainer", "Architecture", "Multi-Arch", "Version", "Provides", "Description")
# What dpkg and systemd keep for themselves: its log, its records, the users.
KEPT = ("var/lib/dpkg", "var/log", "etc/passwd", "etc/group", "etc/shadow", "etc/gshadow", "etc/passwd-", "etc/group-", "etc/shadow-",
        "etc/gshadow-", "etc/.pwd.lock", "faked")


def output_of(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def installed_here(skipped):
    """The machine's packages as (name of its file list, record)."""
    native = output_of("dpkg", "--print-architecture").strip()
    form = "".join("${%s}\x1f" % ("binary:Summary" if name == "Description" else name) for name in RECORDED) + "\x1e"
    for line in output_of("dpkg-query", "-W", "-f", form).split("\x1e"):
        record = dict(zip(RECORDED, line.split("\x1f")))
        if len(record) < len(RECORDED) or record["Status"] != "install ok installed" or record["Package"] in skipped:
            continue
        if record["Architecture"] not in (native, "all"):
            continue
        name = record["Package"] + (f":{native}" if record["Multi-Arch"] == "same" else "")
        yield name, "".join(f"{key}: {value}\n" for key, value in record.items() if value) + "\n"


class DpkgRoot:
    """`path` is the folder, readable by all. Use as a context manager: it goes at the end."""

    def __init__(self, own_packages):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="dpkg-root-"))
        self.path.chmod(0o755)
        self.admin = self.path / "var/lib/dpkg"
        for folder in ("info", "updates", "triggers"):
            (self.admin / folder).mkdir(parents=True)
        for folder in ("etc/systemd/system", "var/lib/systemd", "var/log", "tmp", "shims"):
            (self.path / folder).mkdir(parents=True)
        records = list(installed_here(own_packages))
        (self.admin / "status").write_text("".join(record for _, record in records))
        (self.admin / "info/format").write_text("1\n")
        for name, _ in records:
            (self.admin / "info" / f"{name}.list").touch()
        self.calls = self.path / "shims/calls"
        self.calls.touch()
        for name in ("systemctl", "deb-systemd-invoke"):
            shim = self.path / "shims" / name
            shim.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n')
            shim.chmod(0o755)

    def run(self, *words):
        """A command with root's view of the folder; its output."""
        fake, faked = [], self.path / "faked"
        if os.geteuid() != 0:
            fake = ["fakeroot", *(["-i", faked] if faked.exists() else []), "-s", faked, "--"]
        path = f"{self.path / 'shims'}:{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"
        done = subprocess.run([*map(str, fake), *map(str, words)], env={"PATH": path, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def dpkg(self, *words):
        # The machine may leave out documents (path-exclude), and has a log of its own.
        return self.run("dpkg", f"--root={self.path}", f"--log={self.path}/var/log/dpkg.log", "--force-script-chrootless", "--force-not-root",
                        "--force-confold", "--path-include=*", *words)

    def facts(self, name):
        """("owner", "group", mode) as the folder's own users are called."""
        uid, gid, mode = self.run("stat", "-c", "%u %g %a", self.path / name).split()
        names = [{line.split(":")[2]: line.split(":")[0] for line in (self.path / "etc" / file).read_text().splitlines()} for file in ("passwd", "group")]
        return names[0].get(uid, "root" if uid == "0" else uid), names[1].get(gid, "root" if gid == "0" else gid), int(mode, 8)

    def uid_of(self, user):
        return next(int(line.split(":")[2]) for line in (self.path / "etc/passwd").read_text().splitlines() if line.startswith(user + ":"))

    def tree(self):
        """Every path but what dpkg and systemd keep for themselves."""
        found = set()
        for base, folders, files in os.walk(self.path):
            for name in folders + files:
                inner = os.path.relpath(os.path.join(base, name), self.path)
                if not any(inner == kept or inner.startswith(kept + "/") for kept in KEPT):
                    found.add(inner)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for base, _, _ in os.walk(self.path):
            os.chmod(base, stat.S_IRWXU)
        shutil.rmtree(self.path)
