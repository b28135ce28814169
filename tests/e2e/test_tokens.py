# SPDX-License-Identifier: Apache-2.0
"""Tokens as the sandbox's Clerk mints them, verified by the program of docs/tokens.md and by the service: users of one project, of another, and
tampered ones, with the keys from the sandbox's page of keys."""

import base64
import json
import re
import subprocess
import urllib.request

import pytest

import daemon
import tenant

pytestmark = pytest.mark.plain

PAGE = daemon.ROOT / "docs/tokens.md"


class Stage:
    """A service with its sandbox, two projects, and the program."""

    def __init__(self, folder):
        db = folder / "tokens.db"
        self.serve = daemon.Daemon(folder, "--sandbox", "--db", db, "--free-ports")
        self.clerk = self.serve.urls["sandbox"]["clerkEndUser"]["live"]
        self.keys = [tenant.create(db, folder, email=f"dev{i}@example.test") for i in range(2)]
        self.program = folder / "tokens"
        source = folder / "tokens.c"
        source.write_text(re.search(r"^```c\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL).group(1))
        subprocess.run(["cc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", f"-I{daemon.ROOT / 'include'}", source, "-o", self.program,
                        f"-L{daemon.build_dir() / 'src/lib'}", "-ldreamapi"], check=True)

    def ask_clerk(self, path, body):
        request = urllib.request.Request(self.clerk["url"] + path, json.dumps(body).encode(), method="POST", headers={
            "Authorization": "Bearer " + self.clerk["secretKey"], "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def token(self, email, project, template="/end-user-api"):
        user = self.ask_clerk("/v1/users", {"email_address": [email], "password": "a-long-password-1", "public_metadata": {
            "publishableKey": self.keys[project]["publishableKey"], "plan": "pro"}})
        session = self.ask_clerk("/v1/sessions", {"user_id": user["id"]})
        return user["id"], self.ask_clerk(f"/v1/sessions/{session['id']}/tokens{template}", {})["jwt"]

    def verify(self, token, jwks=None, issuer=None):
        env = {"DREAMAPI_BASE_URL": self.serve.api, "DREAMAPI_PUBLISHABLE_KEY": self.keys[0]["publishableKey"],
               "LD_LIBRARY_PATH": str(daemon.build_dir() / "src/lib"), "JWKS_URL": jwks or self.clerk["url"] + "/.well-known/jwks.json"}
        if issuer:
            env["TOKEN_ISSUER"] = issuer
        return subprocess.run([self.program, token], env=daemon.environment(env), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("tokens"))
    yield stage
    stage.serve.stop()


def test_a_token_of_the_sandbox_is_accepted_here_and_by_the_service(stage):
    user_id, token = stage.token("ada@example.test", 0)
    run = stage.verify(token, issuer=stage.clerk["url"])
    assert (run.returncode, run.stdout) == (0, f"user {user_id}, plan pro\n"), run.stderr
    answer = daemon.ask(stage.serve.api, "GET", "/api/usage", {"Authorization": "Bearer " + stage.keys[0]["secretKey"],
                                                               "X-Clerk-Token": token})
    assert answer.status == 200 and answer.json["userId"] == user_id


def test_a_token_of_another_project_is_refused(stage):
    _, token = stage.token("eve@example.test", 1)
    run = stage.verify(token)
    assert run.returncode == 1 and run.stderr.startswith("403: ")
    # The sandbox's own session token, without the template, names no project.
    _, bare = stage.token("bob@example.test", 0, template="")
    assert stage.verify(bare).stderr.startswith("403: ")


def test_a_changed_or_misdirected_token_is_refused(stage):
    _, token = stage.token("cat@example.test", 0)
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    claims["sub"] = "user_other"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert "signature is invalid" in stage.verify(f"{header}.{forged}.{signature}").stderr
    assert "issuer" in stage.verify(token, issuer="https://elsewhere.example.test").stderr
    other = stage.serve.urls["sandbox"]["clerkEndUser"]["test"]["url"] + "/.well-known/jwks.json"
    assert stage.verify(token, jwks=other).stderr.startswith("401: ")


def test_without_the_provider_nothing_is_said_about_a_token(stage):
    _, token = stage.token("dan@example.test", 0)
    assert stage.verify(token, jwks=stage.clerk["url"] + "/nowhere").stderr.startswith("503: ")
