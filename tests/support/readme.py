# SPDX-License-Identifier: Apache-2.0
"""The READMEs of examples that are servers, followed as a newcomer would: what ./dev up gives them, and their shell lines as they stand
there, each with the output that a comment below it promises."""

import fnmatch
import json
import re
import subprocess

import daemon
import tenant

EXAMPLES = daemon.ROOT / "examples"
FENCE = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Up:
    """A service with its sandbox and the tenant of ./dev up, and what that prints of them. `more` are tiers beside its own."""

    def __init__(self, folder, more=()):
        self.folder, self.db = folder, folder / "s.db"
        self.serve = daemon.Daemon(folder, "--sandbox", "--db", self.db, "--free-ports")
        try:
            tiers = json.loads((EXAMPLES / "tiers.json").read_text())["tiers"]
            self.keys = tenant.create(self.db, folder, tiers=[*tiers, *more])
            self.clerk = self.serve.urls["sandbox"]["clerkEndUser"]["live"]
            self.exports = {"DREAMAPI_BASE_URL": self.serve.api, "DREAMAPI_PUBLISHABLE_KEY": self.keys["publishableKey"],
                            "DREAMAPI_SECRET_KEY": self.keys["secretKey"], "DREAMAPI_JWKS_URL": self.clerk["url"] + "/.well-known/jwks.json",
                            "CLERK_URL": self.clerk["url"], "CLERK_SECRET_KEY": self.clerk["secretKey"]}
        except BaseException:
            self.serve.kill()
            raise

    def ask(self, method, path, body=None):
        with tenant.Backend(self.serve.api, self.keys["secretKey"]) as backend:
            return backend.ask(method, path, body)

    def usage(self, user_id):
        """Used, held and lost."""
        told = self.ask("GET", "/api/usage?userId=" + user_id).json
        return told["usageCount"], told["held"], told["lost"]

    def customer(self, name, plan="free"):
        return self.ask("POST", "/api/customers", {"email": f"{name}@example.test", "plan": plan}).json["customer"]["id"]

    def token(self, user_id):
        """As the front end has it."""
        headers = {"Authorization": "Bearer " + self.clerk["secretKey"]}
        session = daemon.ask(self.clerk["url"], "POST", "/v1/sessions", headers, {"user_id": user_id}).json["id"]
        return daemon.ask(self.clerk["url"], "POST", f"/v1/sessions/{session}/tokens/end-user-api", headers, {}).json["jwt"]

    def close(self):
        assert self.serve.stop() == 0
        checked = daemon.run("check", "--db", self.db, check=False)
        assert checked.returncode == 0, checked.stdout


def printed_by_dev_up():
    """The names that ./dev up exports."""
    return set(re.findall(r"^  export (\w+)=", (EXAMPLES / "stack.py").read_text(encoding="utf-8"), re.MULTILINE))


class Program:
    """A server, from the line of a shell that ends in it: ready when it has printed where it listens, which is `where`."""

    def __init__(self, up, folder, line, **settings):
        self.log_path = folder / "server.log"
        # It replaces the shell, so that a signal finds it.
        programs = f"{daemon.build_dir()}/examples/"
        command = line.replace(programs, "exec " + programs)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "bash", "-c", command], cwd=folder, text=True,
                                            env=daemon.environment({**up.exports, **settings}), stdout=subprocess.PIPE, stderr=log)
        first = self.process.stdout.readline()
        assert first.startswith("listening on "), first + self.log()
        self.where = first.removeprefix("listening on ").strip()

    def log(self):
        return self.log_path.read_text(errors="replace")

    def stop(self, number):
        """What it printed since it listened."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[0]
        assert self.process.returncode == 0, self.log()
        return said

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def blocks(name):
    """The shell blocks of an example's README, with the paths of this build."""
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    return FENCE.findall(text.replace("build/", f"{daemon.build_dir()}/"))


def follow(up, folder, script):
    """Runs lines of a shell; each comment is a line of output that is to come, in which "…" stands for anything."""
    said = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], env=daemon.environment(up.exports), cwd=folder, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    promised = [line[2:] for line in script.splitlines() if line.startswith("# ")]
    came = said.stdout.splitlines()
    assert said.returncode == 0 and promised and len(came) == len(promised), said.stdout
    for line, promise in zip(came, promised):
        assert fnmatch.fnmatchcase(line, re.sub(r"([\[*?])", r"[\1]", promise).replace("…", "*")), (promise, line)
