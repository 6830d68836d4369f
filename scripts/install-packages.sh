#!/usr/bin/env bash
# Installs those of the named Debian packages that are missing, as root or with sudo. Silent when none is.
set -euo pipefail
command -v dpkg-query > /dev/null || {
  echo "Not a Debian system: make sure that the equivalents of these are installed: $*" >&2
  exit 0
}
missing=()
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing ${missing[*]}"
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)
"${sudo[@]}" apt-get -qq update
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
