import type { Pot } from './pot.js'
import type { Table } from './table.js'
import type { Target } from './target.js'

/** What `run` of a benchmark gets. */
export interface Context {
  /** Smaller sizes and fewer repetitions: shows that it works, not what it reaches. */
  quick: boolean
  /** Threads that we and the peer may use. */
  threads: number
  /** One line on standard error, to follow a long run. */
  log(line: string): void
  /** The POT peer on that many threads, started at the first call. */
  pot(threads?: number): Promise<Pot>
}

export interface Report {
  tables: Table[]
  targets: Target[]
}

/** A file `bench/<room>/<name>.ts`. */
export interface Benchmark {
  description: string
  run(context: Context): Promise<Report>
}
