import { type MatrixLike, toFloat64, type VectorLike } from '../../core/arrays.js'
import { ExtremaError } from '../../core/errors.js'
import { positive, whole } from '../../core/options.js'

/** What caches are to hold: so many experts of size 1, or bytes. */
export interface RoomOptions {
  slots?: number | ArrayLike<number>
  bytes?: number | VectorLike
  sizes?: VectorLike | MatrixLike
}

/** The capacities of several caches, one for all or one for each given. */
export function readCapacities({ slots, bytes, sizes }: RoomOptions, caches: number): Float64Array {
  if ((slots === undefined) === (bytes === undefined)) {
    const came = slots === undefined ? 'neither' : 'both'
    throw new ExtremaError('ERR_OPTION', `slots, bytes: expected one of them, got ${came}`)
  }
  if (slots !== undefined && sizes !== undefined) {
    throw new ExtremaError('ERR_OPTION', 'sizes: expected with bytes only, got slots')
  }
  const name = slots === undefined ? 'bytes' : 'slots'
  const given = slots ?? bytes
  const read = (value: unknown, label: string) =>
    slots === undefined ? positive(label, value) : whole(label, value, 0, 1)
  if (typeof given === 'number') return new Float64Array(caches).fill(read(given, name))
  const list = toFloat64(name, given as VectorLike)
  if (list.length !== caches) {
    throw new ExtremaError('ERR_SHAPE', `${name}: expected a number or ${caches} of them, got ${list.length}`)
  }
  return list.map((value, i) => read(value, `${name}[${i}]`))
}
