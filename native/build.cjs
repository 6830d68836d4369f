#!/usr/bin/env node
// Builds the addon for binding.gyp and prebuildify: `node native/build.cjs [Release|Debug]`.
// With cmake-js when the package has it (development), else with the user's own cmake.
const { spawnSync } = require('node:child_process')
const { createRequire } = require('node:module')
const path = require('node:path')

const root = path.join(__dirname, '..')
const config = process.argv.includes('Debug') ? 'Debug' : 'Release'
// A folder of its own: CMake's cache would let the options of a prebuild stick to the development build.
const out = process.env.EXTREMA_BUILD_DIR ?? path.join(root, 'build', 'cmake-gyp')
const options = [
  'EXTREMA_STATIC_BLAS',
  'EXTREMA_SANITIZE',
  'EXTREMA_WERROR',
  'EXTREMA_OUTPUT_DIR',
  'OPENBLAS_ROOT',
  'OPENBLAS_INCLUDE_DIR',
  'OPENBLAS_LIBRARY',
  'HIGHWAY_ROOT',
  'HIGHWAY_INCLUDE_DIR',
  'CMAKE_TOOLCHAIN_FILE',
].flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : []))

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  if (error) console.error(`${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}

function cmakeJs() {
  try {
    const file = createRequire(path.join(root, 'package.json')).resolve('cmake-js/package.json')
    return path.join(path.dirname(file), require(file).bin['cmake-js'])
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return undefined
    throw error
  }
}

const cli = cmakeJs()
if (cli) {
  const common = ['--out', out, '--config', config, '--arch', process.env.PREBUILD_ARCH ?? process.arch]
  run(process.execPath, [cli, 'configure', ...common, ...options.map((option) => `--CD${option}`)])
  run(process.execPath, [cli, 'build', ...common])
} else {
  run('cmake', ['-S', root, '-B', out, `-DCMAKE_BUILD_TYPE=${config}`, ...options.map((option) => `-D${option}`)])
  run('cmake', ['--build', out, '--config', config])
}
