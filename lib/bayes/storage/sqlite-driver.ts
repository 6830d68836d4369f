import { ExtremaError } from '../../core/errors.js'

/** What `node:sqlite` and `better-sqlite3` have in common. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

export interface SqliteStatement {
  run(...values: unknown[]): unknown
  all(...values: unknown[]): unknown[]
}

type Constructor = new (path: string) => SqliteDatabase

const missing = new Set(['ERR_UNKNOWN_BUILTIN_MODULE', 'ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/** Node's own driver where it has one (from 22.13 on without a flag), else the package `better-sqlite3`. */
export async function loadSqlite(): Promise<Constructor> {
  // In variables: neither need exist where this is compiled.
  const [builtin, peer] = ['node:sqlite', 'better-sqlite3']
  const own = await found<{ DatabaseSync: Constructor }>(() => import(builtin))
  if (own !== undefined) return own.DatabaseSync
  const other = await found<{ default: Constructor }>(() => import(peer))
  if (other !== undefined) return other.default
  throw new ExtremaError(
    'ERR_PEER',
    'storage: SQLite needs Node 22.13 or later, or a package that is not installed; npm install better-sqlite3@12',
  )
}

async function found<T>(load: () => Promise<unknown>): Promise<T | undefined> {
  try {
    return (await load()) as T
  } catch (error) {
    if (missing.has((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
