import { setTimeout as delay } from 'node:timers/promises'
import { ExtremaError } from '../../core/errors.js'
import { crc32c } from './crc32c.js'
import { loadSqlite, type SqliteDatabase, type SqliteStatement } from './sqlite-driver.js'
import type { Storage } from './storage.js'

/** Rows per query, so that no single one holds up the event loop for long. */
const page = 10_000

/** Milliseconds to wait for other processes before giving up. */
const patience = 60_000

/**
 * A table of records in an SQLite database, by `node:sqlite` or the package `better-sqlite3`. Write-ahead logging lets
 * processes read while one writes; a busy database is tried again, without holding up the event loop.
 */
export async function openSqlite(path: string): Promise<Storage> {
  const Database = await loadSqlite()
  let database: SqliteDatabase
  try {
    database = new Database(path)
  } catch (cause) {
    throw failure(path, cause)
  }
  try {
    // 20 ms of waiting within SQLite save most of the turns around the event loop.
    await patiently(path, () => database.exec('PRAGMA busy_timeout = 20'))
    await patiently(path, () => database.exec('PRAGMA journal_mode = WAL'))
    await patiently(path, () => database.exec('PRAGMA synchronous = FULL'))
    await patiently(path, () =>
      database.exec(
        'CREATE TABLE IF NOT EXISTS extrema_records (id INTEGER PRIMARY KEY AUTOINCREMENT, crc INTEGER NOT NULL, record TEXT NOT NULL)',
      ),
    )
    return new Sqlite(path, database)
  } catch (error) {
    database.close()
    throw error
  }
}

class Sqlite implements Storage {
  readonly #path: string
  readonly #database: SqliteDatabase
  readonly #insert: SqliteStatement
  readonly #select: SqliteStatement
  #last = 0

  constructor(path: string, database: SqliteDatabase) {
    this.#path = path
    this.#database = database
    this.#insert = database.prepare('INSERT INTO extrema_records (crc, record) VALUES (?, ?)')
    this.#select = database.prepare(
      `SELECT id, crc, record FROM extrema_records WHERE id > ? ORDER BY id LIMIT ${page}`,
    )
  }

  async append(record: string): Promise<void> {
    await patiently(this.#path, () => this.#insert.run(checksum(record), record))
  }

  /** A transaction of its own, with `synchronous = FULL`, is on the disk when it ends. */
  async flush(): Promise<void> {}

  async read(): Promise<string[]> {
    const records: string[] = []
    for (;;) {
      const rows = (await patiently(this.#path, () => this.#select.all(this.#last))) as {
        id: number
        crc: number
        record: string
      }[]
      for (const { id, crc, record } of rows) {
        if (checksum(record) !== crc) {
          const came = 'one that was damaged'
          throw new ExtremaError(
            'ERR_STORAGE',
            `storage: expected record ${id} of '${this.#path}' as it was written, got ${came}`,
          )
        }
        records.push(record)
        this.#last = id
      }
      if (rows.length < page) return records
    }
  }

  async close(): Promise<void> {
    this.#database.close()
  }
}

/** Space for the bytes of most records, which saves making it for each. */
const scratch = Buffer.alloc(4096)

function checksum(record: string): number {
  // Three bytes are the most that a unit of a string becomes.
  if (3 * record.length > scratch.length) return crc32c(Buffer.from(record))
  return crc32c(scratch, 0, scratch.write(record))
}

async function patiently<T>(path: string, operation: () => T): Promise<T> {
  const end = performance.now() + patience
  for (let pause = 1; ; pause = Math.min(50, 2 * pause)) {
    try {
      return operation()
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw failure(path, error)
    }
    // Timing only: when a turn comes has no part in any result.
    await delay(pause * (0.5 + Math.random()))
  }
}

/** The two drivers name the same states differently. */
function isBusy(error: unknown): boolean {
  const { code, errcode } = error as { code?: string; errcode?: number }
  if (errcode !== undefined) return [5, 6].includes(errcode & 0xff)
  return typeof code === 'string' && /^SQLITE_(BUSY|LOCKED)/.test(code)
}

function failure(path: string, cause: unknown): ExtremaError {
  const message = (cause as Error).message
  return new ExtremaError('ERR_STORAGE', `storage: cannot use '${path}' as an SQLite database; ${message}`, { cause })
}
