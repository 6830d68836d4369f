import type { Vector } from 'apache-arrow'
import { ExtremaError } from '../../core/errors.js'
import type { ParameterMap } from '../space/parameters.js'
import type { Study } from '../study/study.js'
import { type ExportedTrial, exported, imported } from './record-json.js'

/**
 * All trials as an Arrow file (the IPC file format), a row each, for pandas, DuckDB, Polars and their kind. Columns: `number`,
 * `state`, `sampler`; each parameter, named like the dimensions of the space (`optimizer.sgd.momentum`), null where it does not
 * exist, and with `params.` before a name that is among these columns' own; `value` or `value_0`, `value_1`, …; `constraint_0`, …; and `trial`, the whole trial as JSON, which `importArrow` reads.
 *
 * @throws ExtremaError `ERR_PEER` without the package apache-arrow
 */
export async function exportArrow<S extends ParameterMap>(study: Study<S>): Promise<Uint8Array> {
  const { tableToIPC, Table, vectorFromArray, Utf8, Float64, Int32, Bool } = await loadArrow()
  const records = study.trials
  const text = (values: (string | null)[]) => vectorFromArray(values, new Utf8())
  const columns: Record<string, Vector> = {
    number: vectorFromArray(
      records.map(({ number }) => number),
      new Int32(),
    ),
    state: text(records.map(({ state }) => state)),
    sampler: text(records.map(({ sampler }) => sampler)),
  }
  const coordinates = records.map(({ params }) => study.space.toCoordinates(params))
  study.space.dimensions.forEach(({ name: dimension, parameter }, k) => {
    const name = own.test(dimension) ? `params.${dimension}` : dimension
    const values = coordinates.map((point) => {
      const coordinate = point[k]
      if (coordinate === null || parameter.type === 'real' || parameter.type === 'integer') return coordinate
      return parameter.values[coordinate]
    })
    const all = (type: string) => values.every((value) => value === null || typeof value === type) // null may be a value too
    if (all('number')) columns[name] = vectorFromArray(values, new Float64())
    else if (all('boolean')) columns[name] = vectorFromArray(values, new Bool())
    else columns[name] = text(values.map((value) => (value === null ? null : String(value))))
  })
  const numbers = (
    name: string,
    count: number,
    of: (record: (typeof records)[number]) => readonly number[] | undefined,
  ) => {
    for (let k = 0; k < count; k++) {
      columns[name.replace('#', String(k))] = vectorFromArray(
        records.map((record) => of(record)?.[k] ?? null),
        new Float64(),
      )
    }
  }
  const objectives = study.directions.length
  numbers(objectives === 1 ? 'value' : 'value_#', objectives, ({ values }) => values)
  numbers('constraint_#', study.constraints, ({ constraints }) => constraints)
  columns.trial = text(records.map((record) => JSON.stringify(exported(record))))
  return tableToIPC(new Table(columns), 'file')
}

/** Names of columns that are not those of parameters. */
const own = /^(number|state|sampler|trial|value|value_\d+|constraint_\d+)$/

/**
 * Adds the trials of an Arrow file that `exportArrow` wrote, as `importJsonLines` does. Returns how many were added.
 *
 * @throws ExtremaError `ERR_OPTION` for other files
 */
export async function importArrow<S extends ParameterMap>(study: Study<S>, bytes: Uint8Array): Promise<number> {
  const { tableFromIPC } = await loadArrow()
  const column = trialColumn(tableFromIPC, bytes)
  const trials = [...column].flatMap((text, row) => {
    const given = JSON.parse(String(text)) as ExportedTrial
    const trial = imported(given, `row ${row}`, study)
    return trial === undefined ? [] : [trial]
  })
  for (const trial of trials) await study.import(trial)
  return trials.length
}

function trialColumn(read: typeof import('apache-arrow').tableFromIPC, bytes: Uint8Array): Iterable<unknown> {
  let came = "one without column 'trial'"
  let cause: unknown
  try {
    const column = read(bytes).getChild('trial')
    if (column !== null) return column
  } catch (error) {
    cause = error
    came = (error as Error).message
  }
  throw new ExtremaError('ERR_OPTION', `bytes: expected an Arrow file of trials, got ${came}`, { cause })
}

async function loadArrow(): Promise<typeof import('apache-arrow')> {
  try {
    return await import('apache-arrow')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw cause
    throw new ExtremaError('ERR_PEER', 'Arrow: needs a package that is not installed; npm install apache-arrow', {
      cause,
    })
  }
}
