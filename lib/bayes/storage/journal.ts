import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ExtremaError } from '../../core/errors.js'
import { frame, unframe } from './frames.js'
import type { Storage } from './storage.js'

const chunk = 2 ** 20

/**
 * A journal: a file that is only appended to, each record by one write(2) to the end of the file, which the system does not mix with
 * those of other processes. Every record has checksums (frames.ts) and is read back from the file before it counts. For a
 * file system of this machine, not one over a network.
 */
export async function openJournal(path: string): Promise<Storage> {
  const file = await opening(path)
  return new Journal(path, file)
}

async function opening(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'a+')
    await syncFolder(path)
    return file
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new ExtremaError('ERR_STORAGE', `storage: cannot open '${path}'; ${code ?? message}`, { cause })
  }
}

/** A new file is there after a loss of power only if its folder was written. Windows has no such call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

class Journal implements Storage {
  readonly #path: string
  readonly #file: FileHandle
  /** Bytes whose records were read. */
  #position = 0
  #syncing: Promise<void> | undefined
  #waiting: Promise<void> | undefined

  constructor(path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  async append(record: string): Promise<void> {
    const bytes = frame(record)
    const { bytesWritten } = await this.#attempt('write to', () => this.#file.write(bytes, 0, bytes.length, null))
    if (bytesWritten === bytes.length) return
    // What was written is the beginning of a record, which readers pass over.
    throw new ExtremaError(
      'ERR_STORAGE',
      `storage: expected to write ${bytes.length} bytes to '${this.#path}', got ${bytesWritten} written`,
    )
  }

  /** Calls that come while the disk is busy share the next turn. */
  flush(): Promise<void> {
    this.#waiting ??= (async () => {
      await this.#syncing?.catch(() => {}) // whoever asked for that one hears of its failure
      this.#waiting = undefined
      this.#syncing = this.#attempt('sync', () => this.#file.datasync())
      await this.#syncing
    })()
    return this.#waiting
  }

  async read(): Promise<string[]> {
    const { size } = await this.#attempt('read', () => this.#file.stat())
    if (size < this.#position) {
      const came = `one of ${size} bytes: it was cut or replaced`
      throw new ExtremaError(
        'ERR_STORAGE',
        `storage: expected '${this.#path}' to grow from ${this.#position} bytes, got ${came}`,
      )
    }
    if (size === this.#position) return []
    const parts: string[][] = []
    let bytes = Buffer.alloc(0)
    for (let end = this.#position; ; ) {
      const buffer = Buffer.allocUnsafe(Math.min(chunk, Math.max(4096, size - end)))
      const { bytesRead } = await this.#attempt('read', () => this.#file.read(buffer, 0, buffer.length, end))
      if (bytesRead === 0) break
      end += bytesRead
      const fresh = buffer.subarray(0, bytesRead)
      bytes = bytes.length === 0 ? fresh : Buffer.concat([bytes, fresh])
      // A record that goes on in the next chunk looks like one that is still being written.
      const { records, consumed } = unframe(bytes, this.#position)
      parts.push(records)
      this.#position += consumed
      bytes = bytes.subarray(consumed)
      if (end >= size) break
    }
    return parts.length === 1 ? parts[0] : parts.flat()
  }

  async close(): Promise<void> {
    try {
      await this.#waiting
      await this.#syncing
    } finally {
      await this.#file.close()
    }
  }

  async #attempt<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation()
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new ExtremaError('ERR_STORAGE', `storage: cannot ${what} '${this.#path}'; ${code ?? message}`, { cause })
    }
  }
}
