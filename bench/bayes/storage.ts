import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { categorical, createStudy, integer, real } from '../../lib/bayes/index.js'
import type { Coordinate } from '../../lib/bayes/space/dimensions.js'
import { crc32c } from '../../lib/bayes/storage/crc32c.js'
import { frame } from '../../lib/bayes/storage/frames.js'
import { loadSqlite } from '../../lib/bayes/storage/sqlite-driver.js'
import { encodeEntry, type StudyEvent } from '../../lib/bayes/study/events.js'
import { generator } from '../../lib/random/index.js'
import type { Context, Report } from '../lib/benchmark.js'
import { atMost } from '../lib/target.js'
import { median } from '../lib/timing.js'

export const description = 'A study of many trials: opening it again, asking and telling, each durable on the disk.'

const space = {
  rate: real(1e-5, 1, { log: true }),
  momentum: real(0, 1),
  layers: integer(1, 16),
  width: integer(32, 1024, { step: 32 }),
  act: categorical(['relu', 'gelu', 'tanh']),
}

export async function run({ quick, log }: Context): Promise<Report> {
  const trials = quick ? 10_000 : 100_000
  const repetitions = quick ? 50 : 300
  const folder = mkdtempSync(join(tmpdir(), 'extrema-bench-'))
  const rows: (string | number)[][] = []
  const targets: Report['targets'] = []
  try {
    const hasSqlite = await loadSqlite().then(
      () => true,
      () => false,
    )
    for (const name of ['study.journal', ...(hasSqlite ? ['study.db'] : [])]) {
      const storage = join(folder, name)
      log(`${name}: ${trials} trials`)
      await fill(storage, trials)
      const opening: number[] = []
      for (let k = 0; k < 5; k++) {
        const start = performance.now()
        const study = await createStudy({ space, storage })
        opening.push(performance.now() - start)
        await study.close()
      }
      const study = await createStudy({ space, storage })
      const asking: number[] = []
      const telling: number[] = []
      for (let k = 0; k < repetitions; k++) {
        const before = performance.now()
        const trial = await study.ask()
        const between = performance.now()
        await study.tell(trial, { value: k })
        asking.push(between - before)
        telling.push(performance.now() - between)
      }
      await study.close()
      const open = median(opening)
      const tell = median(telling)
      rows.push([name, trials, statSync(storage).size / 1e6, open, median(asking), tell, percentile(telling, 0.99)])
      targets.push(atMost(`${name}: opening ${trials} trials`, open, 1000, ' ms'))
      targets.push(atMost(`${name}: tell after ${trials} trials`, tell, 2, ' ms'))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return {
    tables: [
      {
        title: `Studies of five parameters, milliseconds`,
        note: 'Medians, and the 99th percentile of tell. Each ask and each tell waits until it is on the disk (fdatasync).',
        columns: ['storage', 'trials', 'MB', 'open', 'ask', 'tell', 'tell, 99 %'],
        rows,
      },
    ],
    targets,
  }
}

/** A journal of complete trials, written at once; an SQLite file by its own rows. */
async function fill(storage: string, trials: number): Promise<void> {
  const study = await createStudy({ space, storage })
  const random = generator(1)
  const events: StudyEvent[] = []
  for (let number = 0; number < trials; number++) {
    const coordinates: Coordinate[] = study.space.coordinatesAt(random.uniform(5))
    events.push(['ask', number, coordinates, 'sobol', { index: number }, 1.7e12 + number])
    events.push(['tell', number, 1, { state: 'complete', values: [random.normal()] }, 1.7e12 + number])
  }
  const records = events.map((event, k) => encodeEntry(`bench000.${k.toString(36)}`, event))
  await study.close()
  if (storage.endsWith('.journal')) {
    writeFileSync(storage, Buffer.concat(records.map(frame)), { flag: 'a' })
    return
  }
  const Database = await loadSqlite()
  const database = new Database(storage)
  const insert = database.prepare('INSERT INTO extrema_records (crc, record) VALUES (?, ?)')
  database.exec('BEGIN')
  for (const record of records) insert.run(crc32c(Buffer.from(record)), record)
  database.exec('COMMIT')
  database.close()
}

function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]
}
