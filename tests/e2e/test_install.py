# SPDX-License-Identifier: Apache-2.0
"""What `./dev install PREFIX` leaves behind is what a user links: pkg-config, the quickstart, the service. Headers and exported
symbols are checked at build time (tests/unit/lib/check_headers.py, check_exports.py)."""
import os
import re
import subprocess

import pytest

pytestmark = pytest.mark.plain

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("DREAMAPI_BUILD_DIR", os.path.join(TOP, "build"))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """The build installed into a folder that it was not configured for: the package must find itself there."""
    root = tmp_path_factory.mktemp("install")
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", str(root)], check=True,
                   stdout=subprocess.DEVNULL)
    found = [base for base, _, names in os.walk(root) if "dreamapi.h" in names]
    assert len(found) == 1
    return os.path.dirname(found[0])


def pkg_config(prefix, *words):
    folders = [base for base, _, names in os.walk(prefix) if "dreamapi.pc" in names]
    assert len(folders) == 1
    # Nothing but our own package may be needed to link: the libraries below it are private.
    env = {**os.environ, "PKG_CONFIG_LIBDIR": folders[0]}
    return subprocess.run(["pkg-config", f"--define-variable=prefix={prefix}", *words, "dreamapi"], env=env, check=True,
                          stdout=subprocess.PIPE, text=True).stdout.split()


def library(prefix):
    for base, _, names in os.walk(prefix):
        for name in names:
            if name == "libdreamapi.so":
                return os.path.join(base, name)
    raise AssertionError("no libdreamapi.so")


def test_the_quickstart_builds_and_runs_against_the_installed_prefix(prefix, tmp_path):
    program = str(tmp_path / "quickstart")
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", os.path.join(TOP, "examples", "quickstart.c"), "-o", program,
                    *pkg_config(prefix, "--cflags", "--libs")], check=True)
    env = {name: value for name, value in os.environ.items() if name not in ("DREAMAPI_BASE_URL", "LD_LIBRARY_PATH")}
    run = subprocess.run([program, "ada@example.com", "pro"], env=env, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    assert "DREAMAPI_INVALID" in run.stderr and "DREAMAPI_BASE_URL" in run.stderr


@pytest.mark.parametrize("example", ["saas-backend", "event-loop"])
def test_an_example_builds_outside_of_the_tree_by_its_own_line(prefix, tmp_path, example):
    """C++ from outside is built below, in less time than game-server takes."""
    source, = [os.path.join(TOP, "examples", example, name) for name in os.listdir(os.path.join(TOP, "examples", example)) if name.startswith("main.")]
    with open(source, encoding="utf-8") as file:
        line = re.search(r"^ \*   (c(?:c|\+\+) .*?)(?: \*/)?$", file.read(), re.MULTILINE)[1]
    config, = [base for base, _, names in os.walk(prefix) if "dreamapi.pc" in names]
    shell = f'pkg-config() {{ command pkg-config --define-variable=prefix={prefix} "$@"; }}; cd {os.path.dirname(source)}; '
    run = subprocess.run(["bash", "-c", shell + line.replace(f"-o {example}", f"-o {tmp_path}/program")], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env={**os.environ, "PKG_CONFIG_PATH": config})
    assert (run.returncode, run.stdout) == (0, "")
    assert os.access(tmp_path / "program", os.X_OK)


APP = '#include <dreamapi.h>\n#include <stdio.h>\nint main(void)\n{\n    dreamapi_client *client;\n' \
      '    (void)dreamapi_client_new(NULL, &client, NULL);\n    dreamapi_client_free(client);\n    return puts(dreamapi_version()) < 0;\n}\n'


def test_a_static_program_needs_only_curl_and_cjson(prefix, tmp_path):
    """As docs/linking.md has it, by pkg-config and by hand, and by --static alone where only the archive is there."""
    source, folder = tmp_path / "app.c", os.path.dirname(library(prefix))
    source.write_text(APP, encoding="utf-8")
    with open(os.path.join(TOP, "docs", "linking.md"), encoding="utf-8") as file:
        page = file.read()
    line = re.search(r"^cc app\.c \$\(pkg-config --cflags dreamapi\) (.*libdreamapi\.a.*) -o app$", page, re.MULTILINE)[1]
    words = re.search(r"^cc app\.c \$\(pkg-config (--static .*) dreamapi\) -o app$", page, re.MULTILINE)[1]
    subprocess.run(["cc", str(source), *pkg_config(prefix, "--cflags"), *line.replace("-LPREFIX/lib", f"-L{folder}").split(),
                    "-o", str(tmp_path / "by-hand")], check=True)
    subprocess.run(["cc", str(source), *pkg_config(prefix, *words.split()), "-o", str(tmp_path / "by-variable")], check=True)
    alone = tmp_path / "archive"
    alone.mkdir()
    os.symlink(os.path.join(folder, "libdreamapi.a"), alone / "libdreamapi.a")
    flags = [f"-L{alone}" if flag.startswith("-L") else flag for flag in pkg_config(prefix, "--static", "--cflags", "--libs")]
    subprocess.run(["cc", str(source), *flags, "-o", str(tmp_path / "by-package")], check=True)
    for name in ("by-hand", "by-variable", "by-package"):
        program = str(tmp_path / name)
        assert subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.startswith("0.")
        needed = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert "libcurl" in needed and "libcjson" in needed and "libdreamapi" not in needed and "libmbedcrypto" not in needed


CMAKE = """cmake_minimum_required(VERSION 3.16)
project(consumer C CXX)
set(CMAKE_CXX_STANDARD 17)
find_package(dreamapi 0.1 REQUIRED)
add_executable(shared app.c)
target_link_libraries(shared PRIVATE dreamapi::dreamapi)
add_executable(static app.c)
target_link_libraries(static PRIVATE dreamapi::static)
add_executable(plusplus app.cpp)
target_link_libraries(plusplus PRIVATE dreamapi::dreamapi)
"""


def test_cmake_finds_the_package_and_links_it_shared_and_static(prefix, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(CMAKE, encoding="utf-8")
    (tmp_path / "app.c").write_text(APP, encoding="utf-8")
    (tmp_path / "app.cpp").write_text(APP.replace("dreamapi.h>", "dreamapi.hpp>"), encoding="utf-8")
    build = str(tmp_path / "build")
    run = subprocess.run(["cmake", "-S", str(tmp_path), "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}"], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    run = subprocess.run(["cmake", "--build", build], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout
    for name, is_shared in (("shared", True), ("static", False), ("plusplus", True)):
        program = os.path.join(build, name)
        assert subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout.startswith("0.")
        needed = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE, text=True).stdout
        assert ("libdreamapi" in needed) == is_shared
        assert is_shared or "libmbedcrypto" not in needed
    for asked, is_found in (("0.1.0", True), ("0.2", False), ("1", False)):
        (tmp_path / "CMakeLists.txt").write_text(f"cmake_minimum_required(VERSION 3.16)\nproject(p C)\nfind_package(dreamapi {asked} REQUIRED)\n",
                                                 encoding="utf-8")
        run = subprocess.run(["cmake", "-S", str(tmp_path), "-B", str(tmp_path / f"build-{asked}"), f"-DCMAKE_PREFIX_PATH={prefix}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert (run.returncode == 0) == is_found, asked


def test_the_service_is_installed_and_names_its_version(prefix):
    run = subprocess.run([os.path.join(prefix, "bin", "dreamapid"), "--version"], check=True, stdout=subprocess.PIPE, text=True)
    assert re.match(r"dreamapid \d+\.\d+\.\d+", run.stdout)


def test_the_command_line_is_installed_and_finds_the_library_beside_itself(prefix):
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    run = subprocess.run([os.path.join(prefix, "bin", "dreamapi"), "--version"], env=env, check=True, stdout=subprocess.PIPE, text=True)
    assert re.match(r"dreamapi \d+\.\d+\.\d+", run.stdout)


def test_demo_runs_end_to_end():
    run = subprocess.run(["python3", os.path.join(TOP, "examples", "stack.py"), "demo", BUILD], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=120)
    assert run.returncode == 0, run.stdout
    assert "Demo passed" in run.stdout
