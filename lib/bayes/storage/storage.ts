import { extname } from 'node:path'
import { ExtremaError } from '../../core/errors.js'
import { describe } from '../../core/options.js'
import { openJournal } from './journal.js'
import { memory } from './memory.js'
import { openSqlite } from './sqlite.js'

/**
 * Where a study is kept: a list of records that only grows and that several processes may append to. Their order is the same
 * for all; what a record does is decided by those before it, so nothing is ever locked.
 */
export interface Storage {
  /** Puts a record, a line of text, after all others: whole or not at all. */
  append(record: string): Promise<void>
  /** Resolves when all records appended so far outlive a loss of power. */
  flush(): Promise<void>
  /** The records that anyone appended since the last call, in their order. */
  read(): Promise<string[]>
  close(): Promise<void>
}

/** Opens the storage of a name: `':memory:'`, an SQLite file (`.db`, `.sqlite`, `.sqlite3`) or a journal, any other file. */
export async function openStorage(storage: string | Storage): Promise<Storage> {
  if (typeof storage === 'object' && storage !== null && typeof storage.append === 'function') return storage
  if (typeof storage !== 'string' || storage === '') {
    throw new ExtremaError('ERR_OPTION', `storage: expected ':memory:' or the name of a file, got ${describe(storage)}`)
  }
  if (storage === ':memory:') return memory()
  return /^\.(db|sqlite3?)$/i.test(extname(storage)) ? openSqlite(storage) : openJournal(storage)
}
