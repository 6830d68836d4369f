#!/usr/bin/env bash
# A Linux prebuild needs libc alone and exports the two Node-API symbols alone: check-prebuild.sh file.node [tool prefix]
set -euo pipefail
file=$1
prefix=${2:-}

exported=$("${prefix}nm" -D --defined-only "$file" | awk '{ print $3 }' | sort | xargs)
[ "$exported" = 'napi_register_module_v1 node_api_module_get_api_version_v1' ] || {
  echo "$file exports: $exported" >&2
  exit 1
}
needed=$("${prefix}readelf" -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | xargs)
for library in $needed; do
  case $library in
    libc.so.6 | libm.so.6 | libpthread.so.0 | ld-linux-*.so.* | libc.musl-*.so.1) ;;
    *)
      echo "$file needs $library" >&2
      exit 1
      ;;
  esac
done
"${prefix}readelf" -S "$file" | grep -q '\.symtab' && {
  echo "$file is not stripped" >&2
  exit 1
}
glibc=$("${prefix}nm" -D --undefined-only "$file" | { grep -o 'GLIBC_[0-9.]*' || echo no glibc; } | sort -uV | tail -1)
printf '%s: %s MB, needs %s (%s), exports 2 symbols\n' \
  "$file" "$(du -m "$file" | cut -f1)" "$needed" "$glibc"
