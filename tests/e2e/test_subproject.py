# SPDX-License-Identifier: Apache-2.0
"""The tree as a meson subproject of somebody else's: dependency('dreamapi') falls back to it, the library is built and nothing else is, and the
program runs. DREAMAPI_LONG=1 does it for a project that links everything static, too."""

import json
import subprocess

import pytest

import daemon

pytestmark = pytest.mark.plain

PROJECT = """project('consumer', 'c')
executable('app', 'app.c', dependencies: dependency('dreamapi', fallback: 'dreamapi'), install: true)
executable('static', 'app.c', dependencies: dependency('dreamapi', static: true))
"""
APP = """#include <dreamapi.h>
#include <stdio.h>
int main(void)
{
    dreamapi_client *client;
    (void)dreamapi_client_new(NULL, &client, NULL);
    dreamapi_client_free(client);
    return puts(dreamapi_version()) < 0;
}
"""


def run(*words):
    done = subprocess.run([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("linked", ["shared", pytest.param("static", marks=pytest.mark.long)])
def test_a_project_that_has_it_for_a_subproject_builds_and_runs(tmp_path, linked):
    source, build = tmp_path / "consumer", tmp_path / "build"
    (source / "subprojects").mkdir(parents=True)
    (source / "subprojects" / "dreamapi").symlink_to(daemon.ROOT)
    (source / "meson.build").write_text(PROJECT)
    (source / "app.c").write_text(APP)
    # An installed library would do as well; here the tree is what is tested. Nobody waits for the optimizer.
    said = run("meson", "setup", build, source, "--wrap-mode=forcefallback", f"-Ddefault_library={linked}", "--buildtype=plain", "-Dwerror=true")
    # Neither the service's libraries nor the tests' are asked for.
    assert "libcurl found" in said and not any(name in said for name in ("microhttpd", "sqlite3", "cmocka", "WARNING")), said
    targets = json.loads(run("meson", "introspect", "--targets", build))
    assert {target["name"] for target in targets if target["type"] == "executable"} == {"app", "static"}
    run("ninja", "-C", build)
    for program, has_library in (("app", linked == "shared"), ("static", False)):
        assert run(build / program).startswith("0.")
        assert ("libdreamapi.so" in run("ldd", build / program)) == has_library
