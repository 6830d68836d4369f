/**
 * Finds and loads the native addon. CommonJS in both trees of the package (`import.meta` exists in one only, `require`
 * in the other only), so that `require.cache` lets them share one binding.
 */
import fs = require('node:fs')
import nodeModule = require('node:module')
import path = require('node:path')

import elf = require('./elf.cjs')

// Under a loader (tsx), Node 20 gives CommonJS files a `require` that fails on absolute paths, and node-gyp-build, loaded
// by it, would ignore EXTREMA_PREBUILD without a word.
const load = nodeModule.createRequire(__filename)
const nodeGypBuild: { resolve(root: string): string } = load('node-gyp-build')

/** The binding and the file it came from, or the reason why there is none. */
interface LoadedAddon {
  binding?: unknown
  path?: string
  error?: Error
}

/**
 * Loads the addon through node-gyp-build: a local build first, then `prebuilds/<platform>-<arch>`. `EXTREMA_PREBUILD`
 * names another folder to look in. Never throws: a binary that is missing, cut off, built for another machine or another
 * version, no addon of ours, or short of a shared library or a symbol comes back as `error`.
 */
function loadAddon(): LoadedAddon {
  let file: string | undefined
  try {
    const root = packageRoot()
    file = nodeGypBuild.resolve(root)
    const problem = elf.elfProblem(file)
    if (problem) throw new Error(`${file} ${problem}`)
    const binding = load(file) as { describe?: () => { version: string } }
    const built = binding.describe?.().version
    const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string }
    if (built !== version) throw new Error(`${file} was built for extrema ${built ?? '(unknown)'}, this is ${version}`)
    return { binding, path: file }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    return file === undefined ? { error } : { path: file, error }
  }
}

/** The folder of the package's package.json. */
function packageRoot(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'binding.gyp'))) return folder
    if (folder === path.dirname(folder)) throw new Error(`no binding.gyp above ${__dirname}: the package is incomplete`)
  }
}

// `export =`: with named exports, a default import of this module would be undefined in the CommonJS tree.
export = { loadAddon, packageRoot }
