# SPDX-License-Identifier: Apache-2.0
"""The Debian packages. Every day, from the build that is there: which file goes into which package, the list of symbols, the unit and the
settings beside it. With DREAMAPI_LONG=1 the packages themselves: built, asked by lintian, installed in a folder
(../support/dpkg_root.py), used there, upgraded and purged."""

import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys

import pytest

import daemon
import dpkg_root
import test_docs
import test_install

pytestmark = pytest.mark.plain

DEBIAN = daemon.ROOT / "packaging" / "debian"
PACKAGES = ("libdreamapi0", "libdreamapi-dev", "dreamapi-tools", "dreamapid")
EXPOSURE = 1.5  # of 10, by systemd's count
VERSION = re.search(r"^  version: '(.*)',$", (daemon.ROOT / "meson.build").read_text(), re.MULTILINE)[1]


def lines(path):
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def unit_values(name):
    return [line.split("=", 1)[1] for line in lines(DEBIAN / "dreamapid.service") if line.startswith(name + "=")]


def serve_arguments(root, options):
    """What follows "serve" in the unit's command, with the root before its paths."""
    words = shlex.split(unit_values("ExecStart")[-1])
    assert words[:2] == ["/usr/bin/dreamapid", "serve"] and words[-1] == "$DREAMAPID_OPTIONS"
    return [str(root) + word if word.startswith("/") else word for word in words[2:-1]] + options


ANYWHERE = ["--listen-api", "127.0.0.1:0", "--listen-admin", "127.0.0.1:0"]


# ---- every day ----

def test_each_installed_file_is_in_exactly_one_package(tmp_path):
    subprocess.run(["meson", "install", "-C", str(daemon.build_dir()), "--no-rebuild", "--quiet", "--destdir", str(tmp_path)], check=True,
                   stdout=subprocess.DEVNULL)
    prefix = next(tmp_path.rglob("dreamapi.h")).parent.parent
    patterns = {package: [line for line in lines(DEBIAN / f"{package}.install") if line.startswith("usr/")] for package in PACKAGES}
    matched, wrong = set(), []
    for path in prefix.rglob("*"):
        if path.is_dir():
            continue
        inner = pathlib.PurePath("usr", re.sub(r"^lib/([a-z0-9_]+-linux-gnu[a-z0-9]*/)?", "lib/TRIPLET/", path.relative_to(prefix).as_posix()))
        here = [(package, pattern) for package, all_of_it in patterns.items() for pattern in all_of_it
                if any(part.match(pattern) for part in (inner, *inner.parents))]
        matched.update(here)
        if len({package for package, _ in here}) != 1:
            wrong.append((str(inner), here))
    assert not wrong
    assert matched == {(package, pattern) for package, all_of_it in patterns.items() for pattern in all_of_it}


def test_the_list_of_symbols_is_that_of_the_headers():
    headers = [daemon.ROOT / "include" / "dreamapi.h", *sorted((daemon.ROOT / "include" / "dreamapi").glob("*.h"))]
    declared = subprocess.run([sys.executable, daemon.ROOT / "src" / "lib" / "export_map.py", "list", *headers], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.split()
    first, field, *listed = lines(DEBIAN / "libdreamapi0.symbols")
    assert field == "* Build-Depends-Package: libdreamapi-dev"
    names = [re.fullmatch(r" (\w+)@DREAMAPI_0 [\d.]+~", line)[1] for line in listed]
    missing = "\n".join(f" {name}@DREAMAPI_0 {VERSION}~" for name in declared if name not in names)
    assert not missing, f"add to packaging/debian/libdreamapi0.symbols:\n{missing}"
    assert names == ["DREAMAPI_0", *declared], "packaging/debian/libdreamapi0.symbols names what is not declared, or not in order"
    soname = re.search(r"^dreamapi_soversion = '(\d+)'", (daemon.ROOT / "src" / "lib" / "meson.build").read_text(), re.MULTILINE)[1]
    assert first == f"libdreamapi.so.{soname} libdreamapi{soname} #MINVER#"


def laid_out(package, folder):
    """What debhelper puts into the package's folder of documents: the pages, and the examples below them."""
    for kind, place in (("docs", folder), ("examples", folder / "examples")):
        place.mkdir(parents=True)
        for path in (path for pattern in lines(DEBIAN / f"{package}.{kind}") for path in daemon.ROOT.glob(pattern)):
            if path.is_dir():
                shutil.copytree(path, place / path.name, ignore=shutil.ignore_patterns("build", "__pycache__"))
            else:
                shutil.copy(path, place)
    return folder


def links(folder):
    """(page, target) of each relative link of each page, without fragments."""
    for page in sorted(folder.rglob("*.md")):
        for target in re.findall(r"\]\(([^)\s]+)\)", test_docs.FENCE.sub("", page.read_text(encoding="utf-8"))):
            if not re.match(r"[a-z]+:|#", target):
                yield page, target.partition("#")[0]


def lost_links(folder):
    return [(str(page.relative_to(folder)), target) for page, target in links(folder)
            if not (page.parent / target).exists() or folder not in (page.parent / target).resolve().parents]


@pytest.mark.parametrize("package", ["libdreamapi-dev", "dreamapid"])
def test_links_of_packaged_pages_lead_to_packaged_files(package, tmp_path):
    folder = laid_out(package, tmp_path / package)
    before, lost = len(list(links(folder))), lost_links(folder)
    assert lost  # else there is no work for fit_links.py
    subprocess.run([sys.executable, DEBIAN / "fit_links.py", folder, tmp_path / "none"], check=True)
    assert lost_links(folder) == []
    assert len(list(links(folder))) >= before - len(lost)


def test_a_link_to_what_the_package_does_not_have_becomes_where_that_is(tmp_path):
    (tmp_path / "examples" / "shop").mkdir(parents=True)
    (tmp_path / "tokens.md").write_text("# Tokens\n")
    pages = {
        "a.md": (
            "[shop](../examples/shop), [`tests/b.py`](../tests/b.py), [p](p.py), [c](c.md#d), [man](x.8), [t](tokens.md#e), [f](#f), [w](https://x.test)",
            "[shop](examples/shop), `tests/b.py` (in the source), p (docs/p.py in the source), c (in /usr/share/doc/libdreamapi-dev), x(8), "
            "[t](tokens.md#e), [f](#f), [w](https://x.test)"),
        "examples/shop/README.md": ("[t](../../docs/tokens.md#e)\n```\n[x](y)\n```\n", "[t](../../tokens.md#e)\n```\n[x](y)\n```\n")}
    for page, (text, _) in pages.items():
        (tmp_path / page).write_text(text)
    subprocess.run([sys.executable, DEBIAN / "fit_links.py", tmp_path], check=True)
    assert {page: (tmp_path / page).read_text() for page in pages} == {page: text for page, (_, text) in pages.items()}


def test_what_the_build_needs_is_what_dev_installs():
    wanted = re.search(r'^build_packages="(.*?)"', (daemon.ROOT / "dev").read_text(), re.MULTILINE | re.DOTALL)[1].split()
    field = re.search(r"^Build-Depends:\n((?: .*\n)+)", (DEBIAN / "control").read_text(), re.MULTILINE)[1]
    named = {re.split(r"[ :]", line.strip())[0].rstrip(",") for line in field.splitlines()}
    # A compiler is there on every machine that builds packages; meson brings ninja.
    assert named - {"debhelper-compat", "dh-sequence-installsysusers"} == set(wanted) - {"gcc", "libc6-dev", "ninja-build"}


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    unit = tmp_path / "dreamapid.service"
    unit.write_text((DEBIAN / "dreamapid.service").read_text().replace("/usr/bin/dreamapid", daemon.binary()))
    run = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (run.returncode, [line for line in run.stdout.splitlines() if "dreamapid" in line]) == (0, [])


@pytest.mark.parametrize("weaker", ["", "PrivateUsers=no\nNoNewPrivileges=no\nProtectSystem=no\nCapabilityBoundingSet=~CAP_SYS_ADMIN\n"])
def test_the_unit_keeps_the_service_shut_in(weaker, tmp_path):
    unit = tmp_path / "dreamapid.service"
    unit.write_text((DEBIAN / "dreamapid.service").read_text().replace("\n[Install]", weaker + "\n[Install]"))
    run = subprocess.run(["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager", unit],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (run.returncode == 0) == (not weaker), run.stdout


def test_every_setting_in_the_shipped_file_is_a_documented_one():
    shipped = re.findall(r"^#([A-Z_]+)=", (DEBIAN / "dreamapid.env").read_text(), re.MULTILINE)
    page = (daemon.ROOT / "docs" / "operations.md").read_text()
    known = set(re.findall(r"`([A-Z_]+)`", page[page.index("## Settings"):page.index("## Webhooks")]))
    assert len(shipped) > 8 and not [name for name in shipped if name.removesuffix("_TEST") not in known]


def test_the_first_start_works_with_the_settings_as_they_are_shipped(tmp_path):
    """And the service manager hears when it is ready, and when it stops."""
    state, settings = tmp_path / "var/lib/dreamapid", tmp_path / "etc/dreamapid"
    state.mkdir(parents=True)
    settings.mkdir(parents=True)
    shutil.copy(DEBIAN / "dreamapid.env", settings)
    name = f"dreamapid-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name)
        manager.settimeout(daemon.STOP_S)
        with daemon.Daemon(tmp_path, *serve_arguments(tmp_path, ANYWHERE), env={"STATE_DIRECTORY": str(state), "NOTIFY_SOCKET": "@" + name}) as serve:
            assert manager.recv(64) == b"READY=1"
            assert daemon.ask(serve.api, "GET", "/health").status == 200
            assert serve.stop() == 0
            assert manager.recv(64) == b"STOPPING=1"
            assert "service_manager_not_told" not in serve.log()
    assert (state / "dreamapid.db").exists()


# ---- the packages ----

@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """{package: file}, as ./dev package makes them, and ".changes"."""
    folder = tmp_path_factory.mktemp("packages")
    run = subprocess.run([daemon.ROOT / "packaging" / "package.sh", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert run.returncode == 0, run.stdout[-20000:]
    files = {path.name.split("_")[0]: path for path in folder.glob("*.deb")}
    assert set(files) >= set(PACKAGES)
    files[".changes"] = next(folder.glob("*.changes"))
    return files


@pytest.fixture(scope="module")
def root(built):
    """All of them, installed. Tests do not change it."""
    with dpkg_root.DpkgRoot(PACKAGES) as system:
        system.dpkg("--install", *(built[package] for package in PACKAGES))
        yield system


def library_folder(root):
    return next((root.path / "usr/lib").glob("*/libdreamapi.so.0")).parent


def with_library(root):
    return {**daemon.environment(), "LD_LIBRARY_PATH": str(library_folder(root))}


def serving(root, folder, options=()):
    """The service as the unit starts it, as its user where that can be: a daemon.Daemon."""
    state = root.path / "var/lib/dreamapid"
    user = str(root.uid_of(unit_values("User")[0]))
    # A change of user takes back what Daemon asked for: it is asked for again.
    become = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
              "setpriv", "--pdeathsig=KILL") if os.geteuid() == 0 else ()
    return daemon.Daemon(folder, *serve_arguments(root.path, [*ANYWHERE, *options]), env={"STATE_DIRECTORY": str(state)},
                         under=become, program=root.path / "usr/bin/dreamapid")


@pytest.mark.long
def test_lintian_has_nothing_to_say(built):
    run = subprocess.run(["lintian", "--allow-root", "--display-info", "--pedantic", "--fail-on=error,warning,info", built[".changes"]],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (run.returncode, run.stdout) == (0, "")


@pytest.mark.long
def test_the_packages_have_the_version_of_the_build_file_and_are_hardened(built, root):
    for package in PACKAGES:
        version = dpkg_root.output_of("dpkg-deb", "--field", str(built[package]), "Version").strip()
        assert re.fullmatch(re.escape(VERSION) + r"(~\d{14})?", version)
    for path in ("usr/bin/dreamapi", "usr/bin/dreamapid", library_folder(root) / "libdreamapi.so.0"):
        # All symbols bound at start and read-only from then on; nothing of the folder that it was built in.
        facts = dpkg_root.output_of("readelf", "--wide", "-d", "-l", str(root.path / path))
        assert "GNU_RELRO" in facts and "BIND_NOW" in facts
        assert "RPATH" not in facts and "RUNPATH" not in facts
        assert b"/tmp/tmp." not in (root.path / path).read_bytes()
    assert (library_folder(root) / "libdreamapi.so.0").stat().st_size < 200000


@pytest.mark.long
@pytest.mark.parametrize("is_static", [False, True])
def test_a_program_is_built_with_the_installed_pkg_config(is_static, root, tmp_path):
    (tmp_path / "app.c").write_text(test_install.APP)
    folder = library_folder(root)
    flags = subprocess.run(["pkg-config", *(["--static"] if is_static else []), "--cflags", "--libs", "dreamapi"], check=True, text=True,
                           stdout=subprocess.PIPE, env={**os.environ, "PKG_CONFIG_LIBDIR": str(folder / "pkgconfig"),
                                                        "PKG_CONFIG_SYSROOT_DIR": str(root.path)}).stdout.split()
    if is_static:
        flags = ["-l:libdreamapi.a" if flag == "-ldreamapi" else flag for flag in [f"-L{folder}", *flags]]
    # pkg-config leaves out the folders that a compiler searches by itself, which it does not here.
    subprocess.run(["cc", tmp_path / "app.c", f"-I{root.path}/usr/include", f"-L{folder}", *flags, "-o", tmp_path / "app"], check=True)
    environment = daemon.environment() if is_static else with_library(root)
    run = subprocess.run([tmp_path / "app"], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout.strip() == VERSION


@pytest.mark.long
def test_a_program_is_built_with_the_installed_cmake_package(root, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(test_install.CMAKE)
    (tmp_path / "app.c").write_text(test_install.APP)
    (tmp_path / "app.cpp").write_text(test_install.APP.replace("dreamapi.h>", "dreamapi.hpp>"))
    for words in (["-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={root.path}/usr"], ["--build", tmp_path / "build"]):
        run = subprocess.run(["cmake", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert run.returncode == 0, run.stdout
    for name in ("shared", "static", "plusplus"):
        run = subprocess.run([tmp_path / "build" / name], check=True, stdout=subprocess.PIPE, text=True, env=with_library(root))
        assert run.stdout.strip() == VERSION


@pytest.mark.long
@pytest.mark.parametrize("package", ["libdreamapi-dev", "dreamapid"])
def test_links_of_installed_pages_lead_to_installed_files(package, root):
    folder = root.path / "usr/share/doc" / package
    assert list(links(folder)) and lost_links(folder) == []


@pytest.mark.long
def test_the_command_line_runs_against_the_installed_service(root, tmp_path):
    with serving(root, tmp_path) as serve:
        for command in (["--version"], ["health", "--base-url", serve.api]):
            run = subprocess.run([root.path / "usr/bin/dreamapi", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 env=with_library(root))
            assert run.returncode == 0, run.stdout
        assert serve.stop() == 0


@pytest.mark.long
def test_the_service_is_enabled_and_only_its_user_may_read_its_secrets(root):
    assert (root.path / "etc/systemd/system/multi-user.target.wants/dreamapid.service").is_symlink()
    assert root.facts("etc/dreamapid") == ("root", "dreamapid", 0o750)
    assert root.facts("etc/dreamapid/dreamapid.env") == ("root", "dreamapid", 0o640)
    assert root.facts("var/lib/dreamapid") == ("dreamapid", "dreamapid", 0o700)
    # A home would be where a command without --db makes another database.
    name, _, _, _, _, home, shell = next(line for line in (root.path / "etc/passwd").read_text().splitlines() if "dreamapid" in line).split(":")
    assert (name, home, shell) == ("dreamapid", "/", "/usr/sbin/nologin")


def renewed(package, folder):
    """The same package with a higher version and other shipped settings."""
    tree, made = folder / "tree", folder / "newer.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99", control.read_text(), flags=re.MULTILINE))
    with open(tree / "etc/dreamapid/dreamapid.env", "a", encoding="utf-8") as file:
        file.write("# One more line.\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, made], check=True, stdout=subprocess.DEVNULL)
    return made


@pytest.mark.long
def test_an_upgrade_keeps_settings_and_data_and_a_purge_leaves_nothing(built, tmp_path):
    with dpkg_root.DpkgRoot(PACKAGES) as system:
        before = system.tree()
        system.dpkg("--install", *(built[package] for package in PACKAGES))
        with serving(system, tmp_path) as serve:
            assert daemon.ask(serve.api, "GET", "/health").status == 200
            assert serve.stop() == 0
        settings = system.path / "etc/dreamapid/dreamapid.env"
        settings.write_text("STRIPE_SECRET_KEY=sk_live_of_the_operator\n")
        system.dpkg("--install", renewed(built["dreamapid"], tmp_path))
        assert settings.read_text() == "STRIPE_SECRET_KEY=sk_live_of_the_operator\n"
        assert system.facts("etc/dreamapid/dreamapid.env") == ("root", "dreamapid", 0o640)
        with serving(system, tmp_path) as serve:
            assert '"not_configured","provider":"stripe"' not in serve.log()
            assert serve.stop() == 0
        if os.path.isdir("/run/systemd/system"):
            asked = [line for line in system.calls.read_text().splitlines() if line.startswith("deb-systemd-invoke")]
            assert asked == ["deb-systemd-invoke start dreamapid.service", "deb-systemd-invoke restart dreamapid.service"]
        system.dpkg("--remove", *PACKAGES)
        assert settings.exists() and (system.path / "var/lib/dreamapid/dreamapid.db.key").exists()
        assert not (system.path / "usr/bin/dreamapid").exists()
        system.dpkg("--purge", *PACKAGES)
        assert system.tree() - before == set()
