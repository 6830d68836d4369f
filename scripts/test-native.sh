#!/usr/bin/env bash
# Builds and runs the C++ unit tests of native/test, in the tree of the development build: they share its objects.
set -euo pipefail
cd "$(dirname "$0")/.."
npx --no-install cmake-js configure --out build/cmake --log-level warn --CDEXTREMA_TESTS=ON
npx --no-install cmake-js build --out build/cmake --log-level warn
ctest --test-dir build/cmake --output-on-failure --no-tests=error
