#!/usr/bin/env bash
# Proves on Debian that the packed tarball needs nothing: it is installed into a bare root (debootstrap's minbase, with
# Node and npm copied in, no network) that has neither compiler nor OpenBLAS, and must run there on the native kernels;
# and with the binary missing or broken it must fall back to the portable ones, saying so once.
# Needs root, debootstrap, dist/ and prebuilds/linux-x64. The root is kept in ~/.cache/extrema.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/extrema
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
root=$cache/bare-$suite
app=$root/home/app
stage=$PWD/build/package
say() { printf 'bare root: %s\n' "$*"; }
fail() { say "FAILED: $*" >&2; exit 1; }

if [ ! -e "$root/complete" ]; then
  rm -rf "$root"
  mkdir -p "$cache"
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  debootstrap --variant=minbase "$suite" "$root" "$mirror" > "$cache/debootstrap.log" 2>&1 || {
    tail -5 "$cache/debootstrap.log" >&2
    fail 'debootstrap'
  }
  touch "$root/complete"
fi

# Node with the libraries it is linked to (the root has most of them), and npm.
node=$(readlink -f "$(command -v node)")
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
install -D "$node" "$root/usr/local/bin/node"
ldd "$node" | awk '$3 ~ /^\// { print $3 }' | while read -r library; do
  [ -e "$root$library" ] || install -D "$(readlink -f "$library")" "$root$library"
done
rm -rf "$root/usr/local/lib/node_modules/npm"
mkdir -p "$root/usr/local/lib/node_modules"
cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"

# The tarball, and an npm cache with its run-time dependencies for the install without network.
rm -rf "$stage" "$app"
mkdir -p "$stage/fill" "$app"
npm pack --ignore-scripts --silent --pack-destination "$stage" > /dev/null
tarball=$(basename "$stage"/extrema-*.tgz)
(cd "$stage/fill" && echo '{}' > package.json \
  && npm install --silent --ignore-scripts --cache "$stage/npm-cache" "$stage/$tarball" > "$stage/fill.log" 2>&1) \
  || { cat "$stage/fill.log" >&2; fail 'filling the npm cache'; }
mv "$stage/npm-cache" "$app/npm-cache"
cp "$stage/$tarball" scripts/smoke.mjs "$app/"
echo '{ "name": "app", "version": "1.0.0" }' > "$app/package.json"

registry=$(npm config get registry)
# Runs in the root: no network at all, its own /proc, a clean environment.
inside() {
  unshare --net --pid --fork --mount-proc="$root/proc" chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin \
    npm_config_registry="$registry" npm_config_cache=/home/app/npm-cache npm_config_update_notifier=false \
    sh -c "cd /home/app && $1"
}

for tool in cc gcc g++ c++ clang make cmake ninja python3; do
  inside "command -v $tool > /dev/null" && fail "the root has $tool"
done
found=$(find "$root" -xdev \( -name '*openblas*' -o -name 'libblas*' -o -name 'libgfortran*' \) -not -path "$app/*" | head -3)
[ -z "$found" ] || fail "the root has $found"
say "Debian $(cat "$root/etc/debian_version"), no compiler, no make, no CMake, no Python, no BLAS, no network"

inside "npm install --offline --no-audit --no-fund ./$tarball > install.log 2>&1" || { cat "$app/install.log"; fail 'npm install'; }
grep -i 'warn' "$app/install.log" && fail 'npm install warned'
[ ! -e "$app/node_modules/vega" ] || fail 'an optional peer was installed'
package=$app/node_modules/extrema
say "installed $tarball ($(du -h "$stage/$tarball" | cut -f1) packed), no scripts, no warnings"

# run <label> <backend that must answer> <warnings that must appear> [environment]
run() {
  local status=0
  inside "${4:-} node smoke.mjs $2 > out.log 2> err.log" || status=$?
  [ "$status" = 0 ] || { cat "$app/out.log" "$app/err.log" >&2; fail "$1: exit $status"; }
  local warnings
  warnings=$(grep -ci 'warning: *extrema' "$app/err.log" || true)
  [ "$warnings" = "$3" ] || { cat "$app/err.log" >&2; fail "$1: $warnings warnings, not $3"; }
  say "$1: $(cat "$app/out.log"); $warnings warning(s)"
}
refuse() { # with EXTREMA_BACKEND=native the same state must throw, not fall back
  local status=0
  inside "EXTREMA_BACKEND=native node smoke.mjs native > out.log 2> err.log" || status=$?
  [ "$status" = 1 ] || fail "$1, EXTREMA_BACKEND=native: exit $status"
  grep -q ERR_BACKEND "$app/err.log" || { cat "$app/err.log" >&2; fail "$1, EXTREMA_BACKEND=native: no ERR_BACKEND"; }
  say "$1, EXTREMA_BACKEND=native: throws ERR_BACKEND"
}

run 'as installed' native 0
inside 'npx --offline extrema doctor > out.log 2> err.log' || { cat "$app/out.log" "$app/err.log" >&2; fail 'npx extrema doctor'; }
grep -qi 'native' "$app/out.log" || { cat "$app/out.log" >&2; fail 'doctor does not say native'; }
sed 's/^/    /' "$app/out.log"
say 'npx extrema doctor: ran'
run 'forced portable' portable 0 'EXTREMA_BACKEND=portable'

binary=$(echo "$package"/prebuilds/linux-x64/*.node)
cp "$binary" "$stage/whole.node"
broken() { # broken <label>: the binary has just been replaced
  run "$1" portable 1
  refuse "$1"
  cp "$stage/whole.node" "$binary"
}
rm "$binary"; broken 'no prebuild'
: > "$binary"; broken 'empty binary'
head -c 100000 /dev/urandom > "$binary"; broken 'garbage binary'
head -c 1000000 "$stage/whole.node" > "$binary"; broken 'binary cut off'
truncate -s 1000000 "$binary"; truncate -s "$(stat -c %s "$stage/whole.node")" "$binary"; broken 'binary with a zeroed tail'
cp "$binary" "$stage/foreign.node"; printf '\xb7' | dd of="$binary" bs=1 seek=18 conv=notrunc status=none; broken 'binary of another architecture'
cp "$root/lib/x86_64-linux-gnu/libm.so.6" "$binary"; broken 'a library that is no addon'
if [ -e build/Release/extrema.node ]; then
  cp build/Release/extrema.node "$binary"; broken 'binary that needs the missing libopenblas'
fi
run 'whole again' native 0
