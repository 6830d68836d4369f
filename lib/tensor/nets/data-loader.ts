import { ExtremaError } from '../../core/errors.js'
import { checkNames, describe, flag } from '../../core/options.js'
import { generator } from '../../random/index.js'
import { gather } from '../gather.js'
import { slice } from '../shape.js'
import { fromData, Tensor, type TensorData } from '../tensor.js'
import { checkCount } from './layer.js'

/** Where batches come from: any number of them per epoch, each by its place alone, so that a run can go on anywhere. */
export interface BatchSource<Batch> {
  /** Per epoch. */
  readonly batches: number
  /** Batch `index` of an epoch, both counted from 0: the same for the same place, however often it is asked for. */
  batch(epoch: number, index: number): Batch | Promise<Batch>
}

/** Arrays whose first axis counts the samples; a typed array is one number per sample. */
export type Dataset = Record<string, Tensor | TensorData>
export type BatchOf<Data extends Dataset> = { [Name in keyof Data]: Tensor }

export interface DataLoaderOptions {
  batchSize: number
  /** Another random order every epoch. Default false. */
  shuffle?: boolean
  /** Of the orders. Default 0. */
  seed?: number | bigint
  /** Leave the last batch of an epoch out if it is smaller than the others. Default false. */
  dropLast?: boolean
}

export interface DataLoader<Data extends Dataset> extends BatchSource<BatchOf<Data>> {
  readonly samples: number
  batch(epoch: number, index: number): BatchOf<Data>
  /** The batches of an epoch, default the first. */
  epoch(epoch?: number): Iterable<BatchOf<Data>>
  /** The samples of a batch, by number. */
  indices(epoch: number, index: number): Int32Array
}

const names: ReadonlySet<string> = new Set(['batchSize', 'shuffle', 'seed', 'dropLast'])

/**
 * Batches of arrays in memory. The order of an epoch depends on the seed and the epoch's number alone: nothing needs to be
 * stored to go on in the middle.
 *
 * @throws ExtremaError `ERR_SHAPE` (arrays of different numbers of samples, none at all), `ERR_OPTION`
 */
export function dataLoader<Data extends Dataset>(data: Data, options: DataLoaderOptions): DataLoader<Data> {
  if (typeof options !== 'object' || options === null) {
    throw new ExtremaError('ERR_OPTION', `options: expected { batchSize, … }, got ${describe(options)}`)
  }
  checkNames('options', options, names)
  const size = checkCount('batchSize', options.batchSize)
  const shuffle = flag('shuffle', options.shuffle, false)
  const dropLast = flag('dropLast', options.dropLast, false)
  const random = generator(options.seed ?? 0)
  const { tensors, samples } = readDataset(data)
  const batches = dropLast ? Math.floor(samples / size) : Math.ceil(samples / size)
  if (batches === 0) {
    throw new ExtremaError('ERR_SHAPE', `data: expected at least a batch of ${dropLast ? size : 1}, got ${samples}`)
  }
  let known: { epoch: number; order: Int32Array } = { epoch: -1, order: new Int32Array(0) }
  const orderOf = (epoch: number): Int32Array => {
    if (epoch !== known.epoch) known = { epoch, order: random.split(epoch).permutation(samples) }
    return known.order
  }
  const bounds = (epoch: number, index: number): [from: number, to: number] => {
    if (!Number.isSafeInteger(epoch) || epoch < 0) {
      throw new ExtremaError('ERR_OPTION', `epoch: expected a whole number >= 0, got ${describe(epoch)}`)
    }
    if (!Number.isSafeInteger(index) || index < 0 || index >= batches) {
      throw new ExtremaError('ERR_OPTION', `index: expected a batch from 0 to ${batches - 1}, got ${describe(index)}`)
    }
    return [index * size, Math.min(samples, (index + 1) * size)]
  }
  const loader: DataLoader<Data> = {
    batches,
    samples,
    batch(epoch, index) {
      const [from, to] = bounds(epoch, index)
      const rows = shuffle ? orderOf(epoch).subarray(from, to) : undefined
      const parts = tensors.map(([name, x]) => [name, rows === undefined ? slice(x, [[from, to]]) : gather(x, rows)])
      return Object.fromEntries(parts)
    },
    *epoch(epoch = 0) {
      for (let index = 0; index < batches; index++) yield loader.batch(epoch, index)
    },
    indices(epoch, index) {
      const [from, to] = bounds(epoch, index)
      return shuffle ? orderOf(epoch).slice(from, to) : Int32Array.from({ length: to - from }, (_, i) => from + i)
    },
  }
  return loader
}

function readDataset(data: Dataset): { tensors: [string, Tensor][]; samples: number } {
  if (typeof data !== 'object' || data === null || data instanceof Tensor || ArrayBuffer.isView(data)) {
    throw new ExtremaError('ERR_SHAPE', `data: expected named tensors or typed arrays, got ${describe(data)}`)
  }
  const tensors = Object.entries(data).map(([name, value]): [string, Tensor] => {
    if (value instanceof Tensor && value.rank > 0) return [name, value]
    const typed = value instanceof Float64Array || value instanceof Float32Array || value instanceof Int32Array
    if (typed) return [name, fromData(value, [value.length])]
    throw new ExtremaError('ERR_SHAPE', `data.${name}: expected a tensor or a typed array, got ${describe(value)}`)
  })
  if (tensors.length === 0) throw new ExtremaError('ERR_SHAPE', 'data: expected at least one array, got none')
  const [[first, { shape }]] = tensors
  for (const [name, x] of tensors) {
    if (x.shape[0] === shape[0]) continue
    throw new ExtremaError('ERR_SHAPE', `data.${name}: expected ${shape[0]} samples as in ${first}, got ${x.shape[0]}`)
  }
  return { tensors, samples: shape[0] }
}
