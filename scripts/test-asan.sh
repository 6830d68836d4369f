#!/usr/bin/env bash
# Builds the addon and its C++ unit tests with AddressSanitizer and UndefinedBehaviorSanitizer, then runs the unit tests
# and the mocha suite on them. Arguments go to mocha. EXTREMA_SANITIZED tells the test of resident memory that freed
# memory is held back for a while.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/build/asan
npx --no-install cmake-js configure --out "$out" --config RelWithDebInfo --log-level warn \
  --CDEXTREMA_SANITIZE=address,undefined --CDEXTREMA_OUTPUT_DIR="$out/build/Release" --CDEXTREMA_TESTS=ON
npx --no-install cmake-js build --out "$out" --config RelWithDebInfo --log-level warn

export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
ASAN_OPTIONS=detect_leaks=1 ctest --test-dir "$out" --output-on-failure --no-tests=error

# Left out: what starts command lines and child processes around the same kernels, or runs without the addon's.
spare=(--ignore 'test/cli/**' --ignore 'test/bayes/**' --ignore 'test/tensor/files/**' --ignore test/backend/broken-binary.test.ts --ignore test/backend/selection.test.ts
  --ignore test/backend/portable-passes.test.ts)

# Reports go to files and are judged there; leaks found at exit leave the suite's own exit code alone.
rm -f "$out"/report.*
status=0
# libstdc++ has to be in the preload, or exceptions are not intercepted.
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)" \
  ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=64:log_path=$out/report:stack_trace_format='    #%n %p %F %L [%m]'" \
  LSAN_OPTIONS=exitcode=0 UBSAN_OPTIONS="$UBSAN_OPTIONS:log_path=$out/report" EXTREMA_SANITIZED=1 EXTREMA_PREBUILD=$out \
  node node_modules/mocha/bin/mocha.js --timeout 300000 "${spare[@]}" "$@" || status=$?
shopt -s nullglob
node scripts/check-leaks.mjs "$out"/report.*
exit $status
