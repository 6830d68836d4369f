import { open } from 'node:fs/promises'
import type { FloatArray } from '../core/arrays.js'
import { ExtremaError } from '../core/errors.js'
import { checkNames, oneOf, whole } from '../core/options.js'
import type { GradientPages } from './gradients.js'

export interface GradientFileOptions {
  /** [m, d] */
  shape: readonly [number, number]
  /** Default `'float32'`. */
  dtype?: 'float32' | 'float64'
  /** Bytes before the first row. Default 0. */
  offset?: number
}

const names: ReadonlySet<string> = new Set(['shape', 'dtype', 'offset'])
const widths = { float32: 4, float64: 8 } as const

/**
 * Gradients in a file, row behind row in the byte order of the machine: for `mfac` of more than fits into memory. The
 * file is opened for each page that is read.
 *
 * @throws {ExtremaError} `ERR_OPTION`; `ERR_ORACLE` where a page is asked for that the file does not have
 */
export function gradientFile(path: string | URL, options: GradientFileOptions): GradientPages {
  checkNames('options', options, names)
  const { shape } = options
  const dtype = oneOf('dtype', options.dtype, ['float32', 'float64'] as const, 'float32')
  const offset = whole('offset', options.offset, 0, 0, Number.MAX_SAFE_INTEGER)
  return {
    shape,
    async rows(from, to) {
      const [m, d] = [to - from, shape[1]]
      const data: FloatArray = dtype === 'float32' ? new Float32Array(m * d) : new Float64Array(m * d)
      const bytes = new Uint8Array(data.buffer)
      const file = await open(path, 'r')
      try {
        const start = offset + from * d * widths[dtype]
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, 2 ** 30), start + done)
          if (bytesRead === 0) {
            const end = start + bytes.length
            throw new ExtremaError(
              'ERR_ORACLE',
              `gradients: expected ${end} bytes for ${to} rows in the file, got ${start + done}`,
            )
          }
          done += bytesRead
        }
      } finally {
        await file.close()
      }
      return { data, shape: [m, d] }
    },
  }
}
