import type { TensorData } from '../../backend/tensor.js'
import { ExtremaError } from '../../core/errors.js'
import type { DType } from '../arena.js'
import { toHost } from './bytes.js'
import type { SafetensorsDType } from './safetensors-header.js'
import { bfloat16, float16, fromSmall } from './small-floats.js'

type Numbers = ArrayLike<number> | BigInt64Array | BigUint64Array

interface Kind {
  /** What a tensor of it becomes. */
  dtype: DType
  /** Bytes as numbers. */
  view(buffer: ArrayBuffer): Numbers
}

const half = (buffer: ArrayBuffer): Uint16Array => inHostOrder(new Uint16Array(buffer))

function inHostOrder<T extends ArrayBufferView & { BYTES_PER_ELEMENT: number }>(data: T): T {
  toHost(data)
  return data
}

const kinds: Partial<Record<SafetensorsDType, Kind>> = {
  F64: { dtype: 'float64', view: (buffer) => inHostOrder(new Float64Array(buffer)) },
  F32: { dtype: 'float32', view: (buffer) => inHostOrder(new Float32Array(buffer)) },
  F16: { dtype: 'float32', view: (buffer) => fromSmall(half(buffer), float16) },
  BF16: { dtype: 'float32', view: (buffer) => fromSmall(half(buffer), bfloat16) },
  I64: { dtype: 'int32', view: (buffer) => inHostOrder(new BigInt64Array(buffer)) },
  U64: { dtype: 'int32', view: (buffer) => inHostOrder(new BigUint64Array(buffer)) },
  I32: { dtype: 'int32', view: (buffer) => inHostOrder(new Int32Array(buffer)) },
  U32: { dtype: 'int32', view: (buffer) => inHostOrder(new Uint32Array(buffer)) },
  I16: { dtype: 'int32', view: (buffer) => inHostOrder(new Int16Array(buffer)) },
  U16: { dtype: 'int32', view: half },
  I8: { dtype: 'int32', view: (buffer) => new Int8Array(buffer) },
  U8: { dtype: 'int32', view: (buffer) => new Uint8Array(buffer) },
  BOOL: { dtype: 'int32', view: (buffer) => new Uint8Array(buffer).map((byte) => (byte === 0 ? 0 : 1)) },
}

/** The dtype that a tensor of the file is read as, and how its bytes become numbers of it. */
export interface Reading {
  dtype: DType
  convert(buffer: ArrayBuffer, out: TensorData, start: number): void
}

/**
 * Floating-point numbers become float64 or float32 as asked for, rounded where that is shorter. Whole numbers become what is
 * asked for, int32 by default, and must fit exactly.
 */
export function readingOf(name: string, from: SafetensorsDType, wanted: DType | undefined): Reading {
  const kind = kinds[from]
  if (kind === undefined) {
    throw new ExtremaError('ERR_DTYPE', `${name}: expected a dtype that can be read, got ${from}`)
  }
  const dtype = wanted ?? kind.dtype
  const whole = kind.dtype === 'int32'
  if (dtype === 'int32' && !whole) {
    throw new ExtremaError('ERR_DTYPE', `${name}: expected float64 or float32 for ${from} (see cast), got int32`)
  }
  return {
    dtype,
    convert(buffer, out, start) {
      const numbers = kind.view(buffer)
      for (let i = 0; i < numbers.length; i++) {
        const given = numbers[i]
        out[start + i] = Number(given)
        // Compared as they came: as numbers large ones would look alike.
        if (!whole || (typeof given === 'bigint' ? BigInt(out[start + i]) : out[start + i]) === given) continue
        const expected = `whole numbers that ${dtype} holds${dtype === 'int32' ? " (or dtype: 'float64')" : ''}`
        throw new ExtremaError('ERR_DTYPE', `${name}[${start + i}]: expected ${expected}, got ${given}`)
      }
    },
  }
}
