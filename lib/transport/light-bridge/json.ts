import { checkRunOptions } from '../../backend/options.js'
import type { BridgeMixture } from '../../backend/transport-light-bridge.js'
import { checkFinite, type MatrixLike, toDenseMatrix, toFloat64, type VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, oneOf, positive, type SolverOptions } from '../../core/options.js'
import type { Model } from './mixture.js'
import type { Transform } from './transform.js'

/**
 * A bridge as plain data. Parameters are of standardised data z: x0 = source + scale z0, x1 = target + scale z1, where the
 * variance of the prior is epsilon / scale². Without `transform` they are of the data themselves.
 */
export interface LightBridgeJson {
  type: 'light-bridge'
  version: 1
  /** In the units of the data. */
  epsilon: number
  covariance: 'diagonal' | 'full'
  transform?: { source: number[]; target: number[]; scale: number }
  /** log alpha_k, up to a constant: K. */
  logWeights: number[]
  /** r_k: K × D. */
  means: number[][]
  /** Diagonals of S_k, > 0: K × D; with `covariance: 'full'` lower triangles L_k of S_k = L_k L_kᵀ: K × D × D. */
  scales: number[][] | number[][][]
}

const names: ReadonlySet<string> = new Set([
  'type',
  'version',
  'epsilon',
  'covariance',
  'transform',
  'logWeights',
  'means',
  'scales',
])
const transformNames: ReadonlySet<string> = new Set(['source', 'target', 'scale'])
const optionNames: ReadonlySet<string> = new Set(['threads', 'backend'])

function rows(data: Float64Array, columns: number): number[][] {
  return Array.from({ length: data.length / columns }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)])
}

export function toJson({ epsilon, transform, mixture }: Model): LightBridgeJson {
  const { dimension: D, full, logWeights, means, scales } = mixture
  return {
    type: 'light-bridge',
    version: 1,
    epsilon,
    covariance: full ? 'full' : 'diagonal',
    transform: { source: [...transform.source], target: [...transform.target], scale: transform.scale },
    logWeights: [...logWeights],
    means: rows(means, D),
    scales: full ? rows(scales, D * D).map((triangle) => rows(Float64Array.from(triangle), D)) : rows(scales, D),
  }
}

export function fromJson(json: LightBridgeJson | string, options: Pick<SolverOptions, 'threads' | 'backend'>): Model {
  const { threads, backend } = checkRunOptions(options, optionNames)
  const given = typeof json === 'string' ? parse(json) : json
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `json: expected a light bridge as toJSON gives it, got ${describe(given)}`)
  }
  checkNames('json', given, names)
  oneOf('json.type', given.type, ['light-bridge'], 'light-bridge')
  if (given.version !== 1) {
    throw new ExtremaError('ERR_OPTION', `json.version: expected 1, got ${describe(given.version)}`)
  }
  const epsilon = positive('json.epsilon', given.epsilon)
  const full = oneOf('json.covariance', given.covariance, ['diagonal', 'full'], 'diagonal') === 'full'
  const { data: means, rows: components, columns: dimension } = readMatrix('json.means', given.means)
  if (components === 0 || dimension === 0) {
    throw new ExtremaError('ERR_SHAPE', `json.means: expected K×D numbers, got ${components}×${dimension}`)
  }
  const logWeights = readVector('json.logWeights', given.logWeights, components)
  const transform = readTransform(given.transform, dimension)
  const scales = full
    ? readTriangles(given.scales as number[][][], components, dimension)
    : readDiagonals(given.scales as number[][], components, dimension)
  const shape = { components, dimension, full, epsilon: epsilon / transform.scale ** 2 }
  const mixture: BridgeMixture = { ...shape, logWeights, means, scales }
  return { epsilon, transform, mixture, threads, backend }
}

function parse(text: string): LightBridgeJson {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ExtremaError('ERR_SHAPE', `json: expected JSON text, got ${(cause as Error).message}`, { cause })
  }
}

function readVector(name: string, value: VectorLike, length: number): Float64Array {
  const vector = checkFinite(name, toFloat64(name, value).slice(), { what: 'coordinate' })
  if (vector.length === length) return vector
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${length} numbers, got ${vector.length}`)
}

function readMatrix(name: string, value: MatrixLike) {
  const { data, rows, columns } = toDenseMatrix(name, value)
  const copy = Float64Array.from(data)
  return { data: checkFinite(name, copy, { columns, what: 'coordinate' }), rows, columns }
}

function readTransform(given: LightBridgeJson['transform'], dimension: number): Transform {
  if (given === undefined) {
    return { source: new Float64Array(dimension), target: new Float64Array(dimension), scale: 1 }
  }
  if (typeof given !== 'object' || given === null) {
    throw new ExtremaError('ERR_SHAPE', `json.transform: expected { source, target, scale }, got ${describe(given)}`)
  }
  checkNames('json.transform', given, transformNames)
  return {
    source: readVector('json.transform.source', given.source, dimension),
    target: readVector('json.transform.target', given.target, dimension),
    scale: positive('json.transform.scale', given.scale),
  }
}

function readDiagonals(value: number[][], components: number, dimension: number): Float64Array {
  const { data, rows, columns } = readMatrix('json.scales', value)
  checkShape('json.scales', rows, columns, components, dimension)
  data.forEach((scale, k) => {
    checkPositive(`json.scales[${Math.floor(k / dimension)}][${k % dimension}]`, scale)
  })
  return data
}

function readTriangles(value: number[][][], components: number, dimension: number): Float64Array {
  if (!Array.isArray(value) || value.length !== components) {
    const came = Array.isArray(value) ? `${value.length}` : describe(value)
    throw new ExtremaError('ERR_SHAPE', `json.scales: expected ${components} matrices, got ${came}`)
  }
  const out = new Float64Array(components * dimension * dimension)
  value.forEach((matrix, k) => {
    const name = `json.scales[${k}]`
    const { data, rows, columns } = readMatrix(name, matrix)
    checkShape(name, rows, columns, dimension, dimension)
    for (let i = 0; i < dimension; i++) {
      checkPositive(`${name}[${i}][${i}]`, data[i * dimension + i])
      for (let j = i + 1; j < dimension; j++) {
        if (data[i * dimension + j] === 0) continue
        const came = data[i * dimension + j]
        throw new ExtremaError('ERR_OPTION', `${name}[${i}][${j}]: expected 0 above the diagonal, got ${came}`)
      }
    }
    out.set(data, k * dimension * dimension)
  })
  return out
}

function checkShape(name: string, rows: number, columns: number, components: number, dimension: number): void {
  if (rows === components && columns === dimension) return
  throw new ExtremaError('ERR_SHAPE', `${name}: expected ${components}×${dimension} numbers, got ${rows}×${columns}`)
}

function checkPositive(name: string, value: number): void {
  if (!(value > 0)) throw new ExtremaError('ERR_NOT_POSITIVE', `${name}: expected a number > 0, got ${value}`)
}
