#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# mbedtls3.sh PREFIX PYTHON - builds mbedTLS 3 into the folder PREFIX, unless it is there. Its sources come from mbedtls3.txt, which
# names an archive and its checksum, through PYTHON's pip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
prefix=$(cd "$1" && pwd) python=$2
stamp=$(cat "$0" "$here/mbedtls3.txt" | cksum)
[ "$(cat "$prefix/stamp" 2>/dev/null)" != "$stamp" ] || exit 0

rm -rf "$prefix"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --no-binary pynng --require-hashes -r "$here/mbedtls3.txt" -d "$work"
tar -xzf "$work"/pynng-*.tar.gz -C "$work" --strip-components=1
# Shared, as distributions have it. A newer compiler may find more to warn of; that is not ours to mend.
cmake -S "$work/mbedtls" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
    -DUSE_SHARED_MBEDTLS_LIBRARY=ON -DUSE_STATIC_MBEDTLS_LIBRARY=OFF -DENABLE_PROGRAMS=OFF -DENABLE_TESTING=OFF -DGEN_FILES=OFF \
    -DMBEDTLS_FATAL_WARNINGS=OFF
cmake --build "$work/build"
cmake --install "$work/build"
echo "$stamp" >"$prefix/stamp"
