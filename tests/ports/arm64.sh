#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# arm64.sh FOLDER PACKAGE... - puts the files of these arm64 packages, and of those that they need, into FOLDER/root, unless they are there,
# and where that is into FOLDER/root.ini, which meson reads before arm64.ini. apt keeps its books in FOLDER, too: the machine stays one
# of a single architecture, nothing is installed, and no right of root is needed.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
stamp=$(echo "$@" | cat "$0" - | cksum)
[ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ] || exit 0

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/root"
: >"$folder/apt/status"
apt_arm64() {
    apt-get -q -y -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$folder/apt" \
        -o Dir::State::status="$folder/apt/status" -o Dir::Cache="$folder/apt/cache" "$@"
}
apt_arm64 update
apt_arm64 install --download-only --no-install-recommends "$@"
for package in "$folder"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
done
# Those that are absolute would lead to the libraries of this machine.
find "$folder/root" -type l -lname '/*' | while IFS= read -r link; do
    ln -sfn "$folder/root$(readlink "$link")" "$link"
done
rm -rf "$folder/apt"
printf "[constants]\nroot = '%s'\n" "$folder/root" >"$folder/root.ini"
echo "$stamp" >"$folder/stamp"
