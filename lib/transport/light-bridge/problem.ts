import { type MatrixLike, shapeText } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe } from '../../core/options.js'
import { type Points, readPoints } from './points.js'

/** Gives `count` fresh points (count × D). May be asked ahead of time, while others are being worked on. */
export type Sampler = (count: number) => MatrixLike | Promise<MatrixLike>
/** {@link Sampler} for the synchronous call. */
export type SamplerSync = (count: number) => MatrixLike

/** Two unpaired sets of points, or two sources of fresh points. */
export type LightBridgeProblem<S = Sampler> = { source: MatrixLike; target: MatrixLike } | { source: S; target: S }

const problemNames: ReadonlySet<string> = new Set(['source', 'target'])

export type CheckedProblem =
  | { kind: 'points'; source: Points; target: Points }
  | { kind: 'samplers'; source: Sampler; target: Sampler }

export function checkProblem(problem: LightBridgeProblem, pairedRows: boolean): CheckedProblem {
  if (typeof problem !== 'object' || problem === null) {
    throw new ExtremaError('ERR_SHAPE', `problem: expected { source, target }, got ${describe(problem)}`)
  }
  checkNames('problem', problem, problemNames)
  const { source, target } = problem
  if (typeof source === 'function' && typeof target === 'function') return { kind: 'samplers', source, target }
  for (const [name, side, other] of [
    ['source', source, 'target'],
    ['target', target, 'source'],
  ] as const) {
    if (typeof side !== 'function') continue
    throw new ExtremaError('ERR_SHAPE', `${name}: expected points as in ${other}, or samplers for both, got a function`)
  }
  const points = { source: readSide('source', source as MatrixLike), target: readSide('target', target as MatrixLike) }
  checkSides(points.source, points.target)
  if (pairedRows && points.source.rows !== points.target.rows) {
    throw new ExtremaError(
      'ERR_SHAPE',
      `target: expected as many rows as source (${points.source.rows}) for pairing 'rows', got ${points.target.rows}`,
    )
  }
  return { kind: 'points', ...points }
}

function readSide(name: string, value: MatrixLike): Points {
  const points = readPoints(name, value)
  if (points.rows >= 2 && points.columns >= 1) return points
  throw new ExtremaError(
    'ERR_SHAPE',
    `${name}: expected at least 2 points of at least 1 coordinate, got ${shapeText(points.rows, points.columns)}`,
  )
}

function checkSides(source: Points, target: Points): void {
  if (source.columns === target.columns) return
  throw new ExtremaError(
    'ERR_SHAPE',
    `target: expected points of ${source.columns} coordinates as in source, got ${shapeText(target.rows, target.columns)}`,
  )
}

/** What two samplers gave, checked; `dimension` is what they gave before, or 0. */
export function checkBatch(
  given: readonly [MatrixLike, MatrixLike],
  count: number,
  dimension: number,
): { source: Points; target: Points } {
  const [source, target] = (['source', 'target'] as const).map((name, k) => {
    const points = readPoints(name, given[k])
    const { rows, columns } = points
    if (rows !== count || columns < 1 || (dimension !== 0 && columns !== dimension)) {
      const expected = dimension === 0 ? `${count} points` : `a ${shapeText(count, dimension)} matrix`
      throw new ExtremaError(
        'ERR_ORACLE',
        `${name}: expected the sampler to give ${expected}, got ${shapeText(rows, columns)}`,
      )
    }
    return points
  })
  checkSides(source, target)
  return { source, target }
}
