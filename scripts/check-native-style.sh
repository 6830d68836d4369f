#!/usr/bin/env bash
# clang-format over the native sources; --fix rewrites them.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(--dry-run -Werror)
[ "${1:-}" = --fix ] && mode=(-i)
find native \( -name '*.cc' -o -name '*.h' -o -name '*.c' \) -print0 | xargs -0 clang-format "${mode[@]}"
