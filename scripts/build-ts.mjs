// Compiles lib/ twice, to dist/esm and dist/cjs, each with its types.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')

rmSync('dist', { recursive: true, force: true })
for (const project of ['tsconfig.esm.json', 'tsconfig.cjs.json']) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
// The package is ESM; this marker says that the files under dist/cjs are not.
writeFileSync('dist/cjs/package.json', '{ "type": "commonjs" }\n')
const cli = 'dist/esm/cli/main.js'
if (existsSync(cli)) chmodSync(cli, 0o755)
