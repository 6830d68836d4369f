#!/usr/bin/env bash
# The tarball as a stranger gets it: publint, are-the-types-wrong, and test/types compiled against the published types,
# with library checks on. Needs dist/ (npm run build:ts).
set -euo pipefail
cd "$(dirname "$0")/.."
stage=$PWD/build/types
rm -rf "$stage"
mkdir -p "$stage/node_modules/@types"
npm pack --ignore-scripts --silent --pack-destination "$stage" > /dev/null
tarball=$(echo "$stage"/extrema-*.tgz)

npx --no-install publint run "$tarball" --strict
# node10 cannot see subpath exports; Node has not resolved that way since 12.
npx --no-install attw "$tarball" --profile node16

tar -xzf "$tarball" -C "$stage/node_modules" --exclude='*.node'
mv "$stage/node_modules/package" "$stage/node_modules/extrema"
ln -s "$PWD/node_modules/@types/node" "$stage/node_modules/@types/node"
ln -s "$PWD/node_modules/undici-types" "$stage/node_modules/undici-types"
cp test/types/consumer.mts test/types/consumer.cts "$stage/"
cat > "$stage/tsconfig.json" <<'JSON'
{
  "compilerOptions": {
    "module": "nodenext",
    "target": "es2023",
    "lib": ["es2023"],
    "types": ["node"],
    "strict": true,
    "noEmit": true,
    "skipLibCheck": false
  },
  "include": ["*.mts", "*.cts"]
}
JSON
npx --no-install tsc -p "$stage/tsconfig.json"
echo 'published types: ES module and CommonJS consumers compile'
