import { constants, createWriteStream } from 'node:fs'
import { access, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { InputError } from '../errors.js'

/** The extension of an output file, checked before any work begins, together with its folder. */
export async function checkOutput<T extends string>(
  option: string,
  path: string,
  extensions: readonly T[],
): Promise<T> {
  const extension = extname(path).slice(1).toLowerCase()
  if (!extensions.includes(extension as T)) {
    throw new InputError(`${option}: expected a file ending in .${extensions.join(' or .')}, got '${path}'`)
  }
  const folder = dirname(path)
  const found = await stat(folder).catch(() => undefined)
  if (!found?.isDirectory()) throw new InputError(`${option}: no folder '${folder}'`)
  if ((await stat(path).catch(() => undefined))?.isDirectory()) throw new InputError(`${option}: '${path}' is a folder`)
  await access(folder, constants.W_OK).catch(() => {
    throw new InputError(`${option}: the folder '${folder}' cannot be written to`)
  })
  return extension as T
}

/** Writes a whole file or none: into a neighbour first, renamed when complete. */
export async function writeWhole(
  path: string,
  content: Uint8Array | string | Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal,
): Promise<void> {
  const partial = `${path}.${process.pid}.tmp`
  try {
    if (typeof content === 'string' || content instanceof Uint8Array) await writeFile(partial, content, { signal })
    else await pipeline(Readable.from(content), createWriteStream(partial), { signal })
    signal.throwIfAborted()
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
}
