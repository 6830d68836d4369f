/**
 * Finds and loads the native addon. CommonJS in both trees of the package (`import.meta` exists in one only, `require`
 * in the other only), so that `require.cache` lets them share one binding.
 */
import fs = require('node:fs')
import path = require('node:path')

import elf = require('./elf.cjs')

const nodeGypBuild: { resolve(root: string): string } = require('node-gyp-build')

/** What {@link loadAddon} found: a binding with the file it came from, or the reason why there is none. */
export interface LoadedAddon {
  // biome-ignore lint/suspicious/noExplicitAny: the Kernels contract gives the binding its type.
  binding?: any
  path?: string
  error?: Error
}

/**
 * Loads the addon through node-gyp-build: a local build first, then `prebuilds/<platform>-<arch>`. `EXTREMA_PREBUILD`
 * names another folder to look in. Never throws: a binary that is missing, cut off, built for another machine, no addon at
 * all, or short of a shared library or a symbol comes back as `error`.
 */
export function loadAddon(): LoadedAddon {
  let file: string | undefined
  try {
    file = nodeGypBuild.resolve(packageRoot(__dirname))
    const problem = elf.elfProblem(file)
    if (problem) return { path: file, error: new Error(`${file} ${problem}`) }
    return { binding: require(file), path: file }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause))
    return file === undefined ? { error } : { path: file, error }
  }
}

function packageRoot(start: string): string {
  for (let folder = start; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'binding.gyp'))) return folder
    if (folder === path.dirname(folder)) throw new Error(`no binding.gyp above ${start}: the package is incomplete`)
  }
}
