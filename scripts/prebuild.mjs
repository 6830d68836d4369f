// Makes prebuilds/<platform>-<arch>/extrema.<libc>.node with everything inside. PREBUILD_ARCH and CMAKE_TOOLCHAIN_FILE
// cross-compile. Works in build/prebuild, so that the development build in build/Release stays as it is.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import prebuildify from 'prebuildify'

const root = path.resolve(import.meta.dirname, '..')
const arch = process.env.PREBUILD_ARCH ?? process.arch
const stage = path.join(root, 'build', 'prebuild', arch)
const output = path.join(stage, 'build', 'Release') // where prebuildify looks
const prebuilds = path.join(root, 'prebuilds', `${process.platform}-${arch}`)
const build = path.join(root, 'native', 'build.cjs')
const windows = process.platform === 'win32'

rmSync(output, { recursive: true, force: true })
rmSync(prebuilds, { recursive: true, force: true })
mkdirSync(output, { recursive: true })
process.env.EXTREMA_STATIC_BLAS = 'ON'
process.env.EXTREMA_OUTPUT_DIR = output
process.env.EXTREMA_BUILD_DIR = path.join(stage, 'cmake')

prebuildify(
  {
    name: 'extrema',
    arch,
    napi: true,
    strip: true,
    tagLibc: process.platform === 'linux',
    cwd: stage,
    out: root,
    // In place of node-gyp, which would download Node's headers only to call the same script.
    nodeGyp: windows ? `node "${build}"` : build,
  },
  (error) => {
    if (error) {
      console.error(error.message)
      process.exit(1)
    }
    if (process.platform === 'linux') check(readdirSync(prebuilds).map((name) => path.join(prebuilds, name)))
  },
)

function check(files) {
  const prefix = (process.env.PREBUILD_STRIP_BIN ?? 'strip').replace(/strip$/, '')
  for (const file of files) {
    const { status } = spawnSync('bash', [path.join(root, 'scripts', 'check-prebuild.sh'), file, prefix], {
      stdio: 'inherit',
    })
    if (status !== 0) process.exit(status ?? 1)
  }
}
