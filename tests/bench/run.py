# SPDX-License-Identifier: Apache-2.0
"""run.py [--smoke] BUILD JSON: runs the benchmarks of a release build, prints their table on stdout and writes it to JSON. What goes on
is told on stderr. A missed gate is told, and is no failure: figures belong to the machine they were taken on."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.dont_write_bytecode = True

import daemon
import nginx
import providers
import tenant

METERS = 100000
CONNECTIONS = 64
NGINX_SLICES = 16
SMOKE_METERS = 2000
GATES = {"<=": lambda ratio, bound: ratio <= bound, ">=": lambda ratio, bound: ratio >= bound}


class Bench:
    """The programs of one build, and the rows that they bring."""

    def __init__(self, build, is_smoke):
        self.build, self.is_smoke = build, is_smoke
        self.rows = []

    def run(self, name, *args):
        """The standard output of a program of tests/bench."""
        words = [str(self.build / "tests/bench" / f"bench_{name}"), *(["--smoke"] if self.is_smoke else []), *map(str, args)]
        return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout

    def add(self, row):
        """Judges a row. Where there is no floor to compare with, the gate is about the value."""
        row["ok"] = None
        if row["gate"]:
            sign, bound = row["gate"].split()
            row["ok"] = GATES[sign](row["value"] if row["ratio"] is None else row["ratio"], float(bound))
        self.rows.append(row)

    def add_lines(self, text):
        for line in text.splitlines():
            self.add(json.loads(line))

    def measure_meters(self, folder):
        self.add_lines(self.run("meter", folder))

    def measure_tokens(self, folder):
        self.add_lines(self.run("token"))

    def measure_signing(self):
        self.add_lines(self.run("sign"))

    def measure_memory(self, folder):
        """A process at a time: what others map too counts in part."""
        say("memory: an idle client, and many meters")
        floor = int(self.run("only_libcurl"))
        fresh, used, threads = map(int, self.run("memory", "idle", 1).split())
        none = int(self.run("memory", "idle", 0).split()[2])
        self.add(sized("idle client, over a process with libcurl", "bytes", fresh - floor, 1 << 20, floor))
        self.add(sized("idle client after a request, over a process with libcurl", "bytes", used - floor, 1 << 20, floor))
        self.add(sized("threads of an idle client", "threads", threads, 1))
        self.add(sized("threads of an idle client with threads = 0", "threads", none, 0))
        count = SMOKE_METERS if self.is_smoke else METERS
        idle, leased = map(float, self.run("memory", "meters", folder, count).split())
        self.add(sized(f"memory per meter, {count} open", "bytes", idle, 256))
        self.add(sized(f"memory per meter, {count} open with a lease each", "bytes", leased, 256))

    def measure_size(self, folder):
        library = (self.build / "src/lib/libdreamapi.so").resolve()
        stripped = pathlib.Path(folder) / "stripped.so"
        subprocess.run(["strip", "-s", "-o", str(stripped), str(library)], check=True)
        self.add(sized("libdreamapi.so, stripped", "bytes", stripped.stat().st_size, 200 * 1024))

    def measure_store(self, folder):
        self.add_lines(self.run("store", folder))

    def measure_http(self, folder):
        """dreamapid with a tenant of its own, and the server that is its floor, both for as long as they are asked."""
        db = pathlib.Path(folder) / "http.db"
        with daemon.Daemon(folder, "--sandbox", "--db", db, "--free-ports") as serve, \
                subprocess.Popen([self.build / "tests/bench/bench_floor_server"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True) as floor:
            keys = tenant.load(folder, db, [{"key": "bench", "tiers": [tenant.tier("free", "unlimited", rateLimit=None)]}],
                               [tenant.user(f"user_{i}", "bench") for i in range(CONNECTIONS)])
            try:
                self.add_lines(self.run("http", keys["<sk-bench>"], floor.stdout.readline().strip(), floor.pid,
                                        serve.api.rsplit(":", 1)[1], serve.pid))
            finally:
                floor.stdin.close()

    def measure_nginx(self, folder):
        """nginx serving a small file with the module and without, each with one worker: a second of wrk each, in turn, and who is first too.
        Both get the token, so what it costs to read the header is in the floor."""
        say("nginx: with the module and without")
        folder = pathlib.Path(folder) / "nginx"
        folder.mkdir()
        with daemon.Daemon(folder, "--sandbox", "--db", folder / "n.db", "--free-ports") as serve:
            tier = {"name": "big", "displayName": "Big", "price": 0, "limit": "unlimited", "rateLimit": None}
            keys = tenant.create(folder / "n.db", folder, tiers=[tier])
            with tenant.Backend(serve.api, keys["secretKey"]) as backend:
                user = backend.ask("POST", "/api/customers", {"email": "bench@example.test", "plan": "big"}).json["customer"]["id"]
            identity = providers.Providers()
            settings = {"dreamapi_base_url": serve.api, "dreamapi_secret_key_file": "secret.key", "dreamapi_journal": "usage.journal",
                        "dreamapi_publishable_key": keys["publishableKey"],
                        "dreamapi_jwks_url": identity.url("clerk", "live") + "/v1/jwks"}
            for name in ("floor", "subject"):
                (folder / name / "html").mkdir(parents=True)
                (folder / name / "html" / "answer").write_text("42\n")
                (folder / name / "secret.key").write_text(keys["secretKey"])
            token = providers.user_token(user, keys["publishableKey"])
            try:
                with nginx.Nginx(folder / "floor", "location / { }", None, 1) as floor, \
                        nginx.Nginx(folder / "subject", "location / { dreamapi_meter on; }", settings, 1) as subject:
                    self.add_nginx(floor, subject, token)
            finally:
                identity.close()

    def add_nginx(self, floor, subject, token):
        if self.is_smoke:
            slices = [ask_nginx([floor, subject], token)]
        else:
            slices = []
            for i in range(NGINX_SLICES):
                order = [floor, subject] if i % 2 else [subject, floor]
                taken = [ask_nginx([server], token)[0] for server in order]
                slices.append(taken if i % 2 else taken[::-1])
        for i, (name, unit, gate) in enumerate((("requests/s of nginx with the module", "/s", ">= 0.95"),
                                                ("CPU per request of nginx with the module", "us", "<= 1.1"))):
            floors, subjects = ([one[which][i] for one in slices] for which in (0, 1))
            self.add({"name": name, "unit": unit, "value": statistics.median(subjects), "floor": statistics.median(floors),
                      "ratio": statistics.median(b / a for a, b in zip(floors, subjects)), "gate": gate})


def ask_nginx(servers, token):
    """A second of wrk for all of these at once: of each its requests a second, and the microseconds of CPU that one took."""
    before = [server.cpu_s() for server in servers]
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(nginx.Wrk(server.url + "/answer", 1, CONNECTIONS, token)) for server in servers]
        told = [run.wait() for run in runs]
    assert not any(refused for _, _, refused in told), told
    return [(rate, (server.cpu_s() - spent) * 1e6 / count) for server, spent, (rate, count, _) in zip(servers, before, told)]


def say(text):
    print(text, file=sys.stderr, flush=True)


def sized(name, unit, value, bound, floor=None):
    return {"name": name, "unit": unit, "value": value, "floor": floor, "ratio": None, "gate": f"<= {bound}"}


def text_of(number):
    if number is None:
        return ""
    return f"{number:,.0f}".replace(",", " ") if abs(number) >= 1000 or number == int(number) else f"{number:.4g}"


def table_of(rows):
    heads = ("name", "value", "unit", "floor", "ratio", "gate", "ok?")
    lines = [(row["name"], text_of(row["value"]), row["unit"], text_of(row["floor"]),
              "" if row["ratio"] is None else f"{row['ratio']:.2f}", row["gate"] or "",
              {None: "", True: "yes", False: "MISSED"}[row["ok"]]) for row in rows]
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    right = {1, 3, 4}
    for line in [heads, *lines]:
        yield "  ".join(cell.rjust(width) if i in right else cell.ljust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip()


def machine():
    names = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load": os.getloadavg()[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("json", type=pathlib.Path)
    args = parser.parse_args()
    bench = Bench(args.build.resolve(), args.smoke)
    os.environ["DREAMAPI_BUILD_DIR"] = str(bench.build)
    where = machine()
    # Beside the build: on a disk, where a journal would be; /tmp may be memory.
    folder = tempfile.mkdtemp(prefix="bench-", dir=bench.build)
    try:
        bench.measure_size(folder)
        bench.measure_memory(folder)
        bench.measure_meters(folder)
        bench.measure_tokens(folder)
        bench.measure_signing()
        bench.measure_store(folder)
        bench.measure_http(folder)
        bench.measure_nginx(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{where['cpu']}, {where['cores']} cores, load {where['load']:.1f} at the start"
          + (" (smoke run: the figures mean nothing)" if args.smoke else ""))
    print("\n".join(table_of(bench.rows)))
    missed = sum(row["ok"] is False for row in bench.rows)
    print(f"{sum(row['ok'] is True for row in bench.rows)} of {sum(row['ok'] is not None for row in bench.rows)} gates reached"
          + (f", {missed} MISSED" if missed else ""))
    taken = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    args.json.write_text(json.dumps({"taken": taken, "smoke": args.smoke, "machine": where, "rows": bench.rows}, indent=1) + "\n")


main()
