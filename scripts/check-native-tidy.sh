#!/usr/bin/env bash
# clang-tidy over the native sources, with the flags of the development build.
set -euo pipefail
cd "$(dirname "$0")/.."
find native -name '*.cc' -not -path 'native/test/*' -print0 \
  | xargs -0 -n 1 -P 2 clang-tidy -p build/cmake --quiet
