# SPDX-License-Identifier: Apache-2.0
"""Debian's nginx with the module of examples/nginx, for tests and benchmarks, and wrk, which asks it. ./dev unpacks nginx into
build-tools/nginx; elsewhere an installed one is taken. The module is built in the build folder, beside the library that it is for."""
import collections
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import daemon

# Where nginx would keep bodies instead of in folders of Debian's.
TEMPORARY = "\n".join(f"{kind}_temp_path tmp/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
UNPACKED = daemon.ROOT / "build-tools" / "nginx"


def root():
    """Where nginx and nginx-dev are: a folder that stands for /."""
    for folder in (UNPACKED, pathlib.Path("/")):
        if (folder / "usr/sbin/nginx").exists() and (folder / "usr/share/nginx/src/configure").exists():
            return folder
    raise FileNotFoundError("nginx and nginx-dev are missing: ./dev test unpacks them into build-tools/nginx")


@functools.lru_cache(maxsize=None)
def module():
    """The module's path, built if it is not there yet. nginx's configure takes seconds, but only once a build folder."""
    library, built = daemon.build_dir() / "src/lib", daemon.build_dir() / "nginx-module"
    words = ["make", "-s", "-C", daemon.ROOT / "examples/nginx", f"NGINX_SRC={root()}/usr/share/nginx/src", f"BUILD={built}"]
    env = {**os.environ, "DREAMAPI_CFLAGS": f"-I{daemon.ROOT}/include", "DREAMAPI_LIBS": f"-L{library} -ldreamapi -Wl,-rpath,{library}"}
    made = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert made.returncode == 0, made.stdout
    return built / "objs/ngx_http_dreamapi_module.so"


def write_config(folder, locations, settings, workers=1, listen=None):
    """`settings` are directives of http with their values, None for one that is left out. Without any
    (None) the module is not even loaded. nginx serves `folder`/html, on a socket in the
    folder unless told where."""
    user = "user root;" if os.geteuid() == 0 else ""
    load = f"load_module {module()};" if settings is not None else ""
    lines = "\n".join(f"{name} {value};" for name, value in (settings or {}).items() if value is not None)
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / "nginx.conf").write_text(f"""
{user}
{load}
worker_processes {workers};
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 512; }}
http {{
log_format status "$status $pid";
access_log access.log status;
keepalive_requests 1000000;
{TEMPORARY}
{lines}
server {{
listen {listen or f"unix:{folder}/nginx.sock"};
{locations}
}}
}}
""")


def check(folder, locations, settings):
    """What `nginx -t` says of these settings: "" if they are good."""
    write_config(folder, locations, settings)
    return try_config(folder)


def try_config(folder):
    """What `nginx -t` says of the folder's nginx.conf."""
    run = subprocess.run([root() / "usr/sbin/nginx", "-t", "-q", "-p", folder, "-c", "nginx.conf", "-e", "stderr"], capture_output=True, text=True,
                         timeout=60, env=daemon.environment())
    assert (run.returncode == 0) == (run.stderr == ""), run
    return run.stderr


class Nginx:
    """A running nginx, on a port that this process took for it: it listens before nginx is ready, so nobody waits for that."""

    def __init__(self, folder, locations, settings, workers):
        self.folder = folder
        (folder / "access.log").touch()
        self._log, self._unread = open(folder / "access.log", encoding="utf-8"), ""
        self._statuses, self._pids = collections.Counter(), collections.Counter()
        with socket.create_server(("127.0.0.1", 0), backlog=511) as listening:
            listening.setblocking(False)  # as nginx expects of one that it inherits: its workers must not stand still in accept
            port = listening.getsockname()[1]
            write_config(folder, locations, settings, workers, f"127.0.0.1:{port}")
            self.url = f"http://127.0.0.1:{port}"
            self._workers = workers
            # NGINX names the listening descriptors that it inherits, as from an older nginx that it takes over from.
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", root() / "usr/sbin/nginx", "-p", folder, "-c", "nginx.conf",
                                             "-e", folder / "error.log", "-g", "daemon off;"], pass_fds=[listening.fileno()],
                                            env=daemon.environment({"NGINX": f"{listening.fileno()};"}), stdin=subprocess.DEVNULL)
        daemon.wait_for("nginx's workers", lambda: self.process.poll() is not None or self.workers())
        assert self.process.poll() is None, self.errors()

    def errors(self):
        """The error log, without what is only told."""
        path = self.folder / "error.log"
        lines = path.read_text(errors="replace").splitlines(True) if path.exists() else []
        return "".join(line for line in lines if "[info]" not in line)[-5000:]

    def children(self):
        return [int(word) for word in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def workers(self):
        """The workers' pids; empty until all of them are there."""
        found = self.children()
        return found if len(found) >= self._workers else []

    def answers(self):
        """How many requests were answered with which status, by nginx's log."""
        *lines, self._unread = (self._unread + self._log.read()).split("\n")  # the last line may be half written
        for status, pid in re.findall(r"^(\d{3}) (\d+)$", "\n".join(lines), re.MULTILINE):
            self._statuses[status] += 1
            self._pids[int(pid)] += 1
        return self._statuses

    def busiest(self):
        """The pid of the worker that has answered most."""
        return max(daemon.wait_for("all workers", self.workers), key=lambda pid: self._pids[pid])

    def cpu_s(self):
        """What the workers' processor time comes to, all their threads counted."""
        tasks = [task for pid in self.children() for task in pathlib.Path(f"/proc/{pid}/task").iterdir()]
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def reload(self):
        """New workers take over; returns once the old ones have ended."""
        old = set(self.workers())
        self.process.send_signal(signal.SIGHUP)
        daemon.wait_for("the old workers' end", lambda: not old & set(self.children()) and self.workers())

    def stop(self):
        """The graceful end."""
        self.process.send_signal(signal.SIGQUIT)
        assert self.process.wait(30) == 0, self.errors()
        assert not re.search(r"\[(alert|emerg|crit)\](?!.*exited on signal 9)", self.errors()), self.errors()

    def kill(self):
        """The end at once. Workers, which would outlive their master, first."""
        if self.process.poll() is not None:
            return
        daemon.halt(self.process)
        for pid in self.children():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            print(self.errors())
        self.kill()
        self._log.close()


class Wrk:
    """A running wrk: `connections` keep asking for one address for some seconds."""

    def __init__(self, url, seconds, connections, token):
        assert shutil.which("wrk"), "wrk is missing: ./dev test installs it"
        self._process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "-H",
                                          f"Authorization: Bearer {token}", url], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def wait(self):
        """Requests a second, how many that were, and how many of them were not answered 2xx or 3xx."""
        text = self._process.communicate(timeout=120)[0]
        assert self._process.returncode == 0, text
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        rate, count = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
        return float(rate.group(1)), int(count.group(1)), int(refused.group(1)) if refused else 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
