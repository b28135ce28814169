# SPDX-License-Identifier: Apache-2.0
# suite.sh - what ./dev test and ./dev check run; sourced by dev, whose functions it uses. Every part leaves a JUnit XML file in
# $results, which tests/summary.py adds up, and the seconds it took: a part without a report counts as failed.

# Every day what runs in a host's process; the service's programs, which the sanitizers have seen, in check.
valgrind="valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=9"

begin_suite() {
    results=$(mktemp -d) failed=0 parts= began=$(date +%s)
    trap 'rm -rf "$results"' EXIT
    build_release
    meson configure build -Dtests=true -Dwerror=$werror >/dev/null
    compile build
}

# sanitized DIR SANITIZERS: a build folder with these sanitizers.
sanitized() {
    configure "$1" --buildtype=debugoptimized -Dwerror=$werror -Db_sanitize="$2" -Db_lundef=false
    compile "$1"
}

part_begins() { part_began=$(date +%s); }

# part_ends NAME
part_ends() {
    echo $(($(date +%s) - part_began)) >"$results/$1.seconds"
    parts="$parts $1"
}

# unit_tests DIR LABEL OPTION...: runs the programs of a build folder; each prints TAP, meson writes JUnit XML.
unit_tests() {
    dir=$1 label=$2
    shift 2
    say "Unit tests, $label"
    part_begins
    rm -f "$dir/meson-logs/$label"*.junit.xml
    meson test -C "$dir" --no-rebuild --num-processes 2 --logbase "$label" --print-errorlogs --quiet "$@" >"$dir-$label.log" 2>&1 ||
        { cat "$dir-$label.log" >&2; failed=1; }
    # With a wrapper meson adds its name to that of the log.
    cp "$dir/meson-logs/$label"*.junit.xml "$results/$label.xml" || failed=1
    part_ends "$label"
}

# end_to_end DIR LABEL PATH...: runs pytest files against the programs of a build folder.
end_to_end() {
    dir=$1 label=$2
    shift 2
    say "End-to-end tests, $label"
    part_begins
    DREAMAPI_BUILD_DIR=$top/$dir build-venv/bin/python -m pytest -q "$@" --junitxml "$results/$label.xml" >&2 || failed=1
    part_ends "$label"
}

# The official clients of Stripe and Clerk, and stripe-mock, judge what we play and what we send.
install_judges() {
    stamp=$(cksum <tests/requirements.txt)
    if [ "$(cat build-venv/stamp 2>/dev/null)" != "$stamp" ]; then
        say "Installing the Python packages of tests/requirements.txt"
        /usr/bin/python3 -m venv --clear --system-site-packages build-venv >build-venv.log 2>&1 &&
            build-venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt \
                >>build-venv.log 2>&1 || { cat build-venv.log >&2; die "could not install tests/requirements.txt"; }
        echo "$stamp" >build-venv/stamp
    fi
    [ -x build-tools/stripe-mock ] && return 0
    say "Building stripe-mock"
    # The newest version that Debian 12's Go compiles.
    GOBIN=$top/build-tools GOFLAGS=-mod=mod go install github.com/stripe/stripe-mock@v0.148.0 >build-tools.log 2>&1 ||
        { cat build-tools.log >&2; die "could not build stripe-mock"; }
}

# fuzzing SECONDS: new inputs for every target of tests/fuzz, for so much processor time; their seeds are unit tests.
fuzzing() {
    CC=clang configure build-fuzz --buildtype=debugoptimized -Dwerror=$werror -Dfuzz=true -Dexamples=false \
        -Db_sanitize=address,undefined -Db_lundef=false
    ninja -C build-fuzz fuzz >build-fuzz.log 2>&1 || { grep -v '^\[' build-fuzz.log >&2; die "the build in build-fuzz failed"; }
    say "Fuzzing, $1 seconds of processor time"
    part_begins
    python3 tests/fuzz/run.py build-fuzz/tests/fuzz "$1" "$results/fuzz.xml" >&2 || failed=1
    part_ends fuzz
}

# The library on the other mbedTLS and on the other processor that it is for: tests/ports. What a port needs and cannot get makes it fail.

# port_needs LABEL COMMAND...
port_needs() {
    label=$1
    shift
    "$@" >"build-$label.log" 2>&1 && return 0
    cat "build-$label.log" >&2
    failed=1 parts="$parts $label"
    return 1
}

port_mbedtls3() {
    port_needs mbedtls3 sh tests/ports/mbedtls3.sh build-mbedtls3-prefix build-venv/bin/python || return 0
    configure build-mbedtls3 --buildtype=debugoptimized -Dwerror=$werror -Dexamples=false -Db_sanitize=address,undefined -Db_lundef=false \
        -Dpkg_config_path="$top/build-mbedtls3-prefix/lib/pkgconfig"
    grep -q build-mbedtls3-prefix/lib/libmbedcrypto build-mbedtls3/build.ninja || die "build-mbedtls3 is not made with mbedTLS 3"
    compile build-mbedtls3
    unit_tests build-mbedtls3 mbedtls3 --suite common --suite lib --suite wire --suite sandbox --timeout-multiplier 5
}

# Without those that an emulator cannot run, which the table names.
port_arm64() {
    libraries="libstdc++6 libcmocka-dev"
    for package in $build_packages; do
        case $package in lib*-dev) libraries="$libraries $package" ;; esac
    done
    port_needs arm64 sh tests/ports/arm64.sh build-arm64-root $libraries || return 0
    configure build-arm64 --buildtype=release -Dwerror=$werror -Dexamples=false --cross-file build-arm64-root/root.ini --cross-file tests/ports/arm64.ini
    compile build-arm64
    meson test -C build-arm64 --list --suite no-emulator 2>/dev/null | sed -n 's|.* / |  left out: |p' >"$results/arm64.note"
    unit_tests build-arm64 arm64 --suite common --suite lib --suite wire --suite cli --suite net --suite service --suite sandbox \
        --suite dreamapid --suite fuzz --no-suite no-emulator --timeout-multiplier 10
    export DREAMAPI_ARM64_ROOT="$top/build-arm64-root/root" DREAMAPI_ARM64_DIR="$top/build-arm64"
    end_to_end build arm64-e2e tests/ports
}

end_suite() {
    echo $(($(date +%s) - began)) >"$results/total.seconds"
    build-venv/bin/python tests/summary.py $failed $parts -- "$results"
}

suite_test() {
    begin_suite
    sanitized build-asan address,undefined
    install_judges
    unit_tests build release
    unit_tests build-asan asan
    unit_tests build valgrind --suite common --suite lib --suite wire --no-suite no-valgrind --timeout-multiplier 10 --wrapper "$valgrind"
    end_to_end build e2e tests/e2e
    end_to_end build-asan e2e-asan tests/e2e/test_wire_service.py
    end_suite
}

# What talks to the running service. Files marked "plain" judge a build's shape or its docs, which gains nothing from sanitizers, or
# load the library into a program that has none: a sanitizer has to be in it from its first instruction.
service_tests() { grep -L '^pytestmark = pytest.mark.plain$' tests/e2e/test_*.py; }

suite_check() {
    begin_suite
    install_judges
    sanitized build-tsan thread
    unit_tests build-tsan tsan --timeout-multiplier 5
    # Builds all that we package, and installs it.
    export DREAMAPI_LONG=1
    end_to_end build packages tests/e2e/test_debian.py
    end_to_end build clang tests/e2e/test_clang.py
    unset DREAMAPI_LONG
    if [ "$1" != --quick ]; then
        # More seeds, more kills, more forks.
        export DREAMAPI_LONG=1
        unit_tests build long --suite faults --suite model --timeout-multiplier 20
        end_to_end build e2e-long tests/e2e/test_worst_day.py tests/e2e/test_crash.py tests/e2e/test_floods.py tests/e2e/test_serve_tls.py \
            tests/e2e/test_go.py tests/e2e/test_python.py tests/e2e/test_python_web.py tests/e2e/test_event_loop.py \
            tests/e2e/test_saas_backend.py tests/e2e/test_nginx.py
        end_to_end build e2e-hosts tests/e2e/test_load.py tests/e2e/test_subproject.py
        unset DREAMAPI_LONG
        sanitized build-asan address,undefined
        unit_tests build-asan asan
        unit_tests build valgrind --no-suite no-valgrind --timeout-multiplier 10 --wrapper "$valgrind"
        end_to_end build-asan e2e-asan $(service_tests)
        # One searches its own memory for keys: ThreadSanitizer's shadow of it has no end.
        end_to_end build-tsan e2e-tsan $(service_tests | grep -v /test_signatures.py)
        fuzzing 600
        port_mbedtls3
        port_arm64
    else
        fuzzing 60
    fi
    end_suite
}
