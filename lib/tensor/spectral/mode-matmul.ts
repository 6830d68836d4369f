import { ExtremaError } from '../../core/errors.js'
import { kernelsFor } from '../backend.js'
import { checkSameDType } from '../broadcast.js'
import { sumOf } from '../elementwise.js'
import type { MaybeZero, MultiPrimitive } from '../primitive.js'
import { blank, sameShape, shapeText, sizeOf, type Tensor, zerosLike } from '../tensor.js'
import { applyMany } from '../trace.js'
import { type ComplexTensor, checkComplex } from './complex.js'

/** How a factor lies in memory: with its first two axes exchanged, as its conjugate. */
interface Factors {
  transposeA: boolean
  transposeB: boolean
  conjugateA: boolean
  conjugateB: boolean
}

/** out[p, q, …] = Σ_r A[p, r, …] B[r, q, …], on [aRe, aIm, bRe, bIm]. */
const modePrimitive: MultiPrimitive<Factors> = {
  name: 'modeMatmul',
  evaluate([aRe, aIm, bRe, bIm], { transposeA, transposeB, conjugateA, conjugateB }) {
    const [p, r] = transposeA ? [aRe.shape[1], aRe.shape[0]] : aRe.shape
    const q = bRe.shape[transposeB ? 0 : 1]
    const modes = aRe.shape.slice(2)
    const out = [blank(aRe.dtype, [p, q, ...modes]), blank(aRe.dtype, [p, q, ...modes])]
    if (out[0].size === 0) return out
    kernelsFor(aRe.dtype, Math.max(aRe.size, bRe.size, out[0].size)).modeProduct(
      ...([out[0].data, out[1].data, aRe.data, aIm.data, bRe.data, bIm.data] as const),
      ...([p, q, r, sizeOf(modes)] as const),
      ...([transposeA, transposeB, conjugateA, conjugateB] as const),
    )
    return out
  },
  jvp(inputs, tangents, _out, factors) {
    const [a, b] = [inputs.slice(0, 2), inputs.slice(2)]
    const first = product(filled(tangents.slice(0, 2), a), b, factors)
    const second = product(a, filled(tangents.slice(2), b), factors)
    return [sumOf(first[0], second[0]), sumOf(first[1], second[1])]
  },
  vjp(cotangents, inputs, outputs, { transposeA, transposeB, conjugateA, conjugateB }, needs) {
    const [a, b] = [inputs.slice(0, 2), inputs.slice(2)]
    const g = filled(cotangents, outputs) ?? []
    // The cotangent of op(A) is G op(B)*, that of A its conjugate and transpose where op has them.
    const ofA: Factors = {
      transposeA: false,
      transposeB: !transposeB,
      conjugateA,
      conjugateB: conjugateA === conjugateB,
    }
    const ofB: Factors = {
      transposeA: !transposeA,
      transposeB: false,
      conjugateA: conjugateA === conjugateB,
      conjugateB,
    }
    const wantsA = needs[0] || needs[1]
    const wantsB = needs[2] || needs[3]
    return [
      ...(wantsA ? (transposeA ? product(b, g, reversed(ofA)) : product(g, b, ofA)) : [undefined, undefined]),
      ...(wantsB ? (transposeB ? product(g, a, reversed(ofB)) : product(a, g, ofB)) : [undefined, undefined]),
    ]
  },
}

/** (A B)ᵀ = Bᵀ Aᵀ */
function reversed({ transposeA, transposeB, conjugateA, conjugateB }: Factors): Factors {
  return {
    transposeA: !transposeB,
    transposeB: !transposeA,
    conjugateA: conjugateB,
    conjugateB: conjugateA,
  }
}

function filled(z: readonly MaybeZero[], like: readonly Tensor[]): readonly Tensor[] | undefined {
  if (z.every((part) => part === undefined)) return undefined
  return z.map((part, i) => part ?? zerosLike(like[i]))
}

function product(
  a: readonly Tensor[] | undefined,
  b: readonly Tensor[] | undefined,
  factors: Factors,
): readonly MaybeZero[] {
  if (a === undefined || b === undefined) return [undefined, undefined]
  return applyMany(modePrimitive, [...a, ...b], factors)
}

/**
 * The matrix product of each mode: out[b, o, …] = Σ_i z[b, i, …] w[i, o, …] over the channels i, complex, with the modes
 * as the other axes. What a Fourier layer does to its modes.
 *
 * @throws ExtremaError `ERR_SHAPE` where the channels or the modes differ
 */
export function modeMatmul(z: ComplexTensor, w: ComplexTensor): ComplexTensor {
  const [a, b] = [checkComplex('modeMatmul', z), checkComplex('modeMatmul', w)]
  checkSameDType('modeMatmul', a.re, b.re)
  const [left, right] = [a.re.shape, b.re.shape]
  if (left.length < 2 || left[1] !== right[0] || !sameShape(left.slice(2), right.slice(2)) || right.length < 2) {
    const came = `${shapeText(left)} and ${shapeText(right)}`
    throw new ExtremaError('ERR_SHAPE', `modeMatmul: expected [b, i, …modes] and [i, o, …modes], got ${came}`)
  }
  const [re, im] = applyMany(modePrimitive, [a.re, a.im, b.re, b.im], {
    transposeA: false,
    transposeB: false,
    conjugateA: false,
    conjugateB: false,
  })
  return { re, im }
}
