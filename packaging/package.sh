#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# package.sh OUTPUT - builds the Debian packages into the folder OUTPUT, whose older packages go.
# dpkg-buildpackage wants debian/ at the root of what it builds, and works in it: so it gets a copy of the tree, with debian/ in place and
# a changelog made from the two places that already know the version, meson.build and CHANGELOG.md.
set -eu
[ $# = 1 ] || { echo "usage: package.sh OUTPUT" >&2; exit 2; }
mkdir -p "$1"
output=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."

# The changelog's date is the commit's, not the clock's: the same tree makes the same packages.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md)}"
export SOURCE_DATE_EPOCH

# Before its release a version is 0.1.0~DATE, which sorts before 0.1.0 and after yesterday's.
version=$(sed -n "s/^  version: '\(.*\)',\$/\1/p" meson.build)
suite=unstable
if grep -q "^## $version (unreleased)" CHANGELOG.md; then
    version=$version~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
    suite=UNRELEASED
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/dreamapi
mkdir "$tree"
# What is compiled, and what is installed beside it.
cp -a meson.build meson_options.txt include src pkgconfig examples docs LICENSE CHANGELOG.md README.md "$tree"
find "$tree" \( -name __pycache__ -o -path "*/examples/nginx/build" \) -prune -exec rm -rf {} +
cp -a packaging/debian "$tree/debian"
maintainer=$(sed -n 's/^Maintainer: //p' packaging/debian/control)
cat >"$tree/debian/changelog" <<END
dreamapi ($version) $suite; urgency=medium

  * What changed is in changelog.gz beside this file.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END

# Signed by whoever publishes them, not here.
(cd "$tree" && dpkg-buildpackage --build=binary --no-sign)
rm -f "$output"/*.deb "$output"/*.changes "$output"/*.buildinfo
mv "$work"/*.deb "$work"/*.changes "$work"/*.buildinfo "$output"
