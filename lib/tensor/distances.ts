import { ExtremaError } from '../core/errors.js'
import { kernelsFor } from './backend.js'
import { checkSameDType } from './broadcast.js'
import { mul, sub, sumOf } from './elementwise.js'
import { matmul } from './matmul.js'
import type { MaybeZero, Primitive } from './primitive.js'
import { sum } from './reduce.js'
import { reshape, transpose } from './shape.js'
import { blank, shapeText, type Tensor } from './tensor.js'
import { apply } from './trace.js'

const distancesPrimitive: Primitive<null> = {
  name: 'squaredDistances',
  evaluate([x, y]) {
    const [[n, d], [m]] = [x.shape, y.shape]
    const out = blank(x.dtype, [n, m])
    if (out.size > 0) kernelsFor(x.dtype, n * m * d).squaredDistances(out.data, x.data, y.data, n, m, d)
    return out
  },
  // d ‖x_i - y_j‖² = 2 (x_i - y_j)·(dx_i - dy_j)
  jvp([x, y], [u, v]) {
    const first = u === undefined ? undefined : half(u, x, y)
    const second = v === undefined ? undefined : half(v, y, x)
    return sumOf(first, second === undefined ? undefined : transpose(second))
  },
  // x̄_i = 2 (x_i Σ_j g_ij - Σ_j g_ij y_j)
  vjp(g, [x, y], _out, _params, needs): readonly MaybeZero[] {
    const towards = (own: Tensor, other: Tensor, axis: number): Tensor =>
      mul(2, sub(mul(own, column(sum(g, axis))), matmul(g, other, { transposeA: axis === 0 })))
    return [needs[0] ? towards(x, y, 1) : undefined, needs[1] ? towards(y, x, 0) : undefined]
  },
}

/** 2 (u_i·x_i - u_i·y_j), n × m. */
function half(u: Tensor, x: Tensor, y: Tensor): Tensor {
  return mul(2, sub(column(sum(mul(u, x), 1)), matmul(u, y, { transposeB: true })))
}

function column(x: Tensor): Tensor {
  return reshape(x, [x.size, 1])
}

/** The n × m matrix of ‖x_i - y_j‖² for n × d and m × d points; from differences, so that near points keep their digits. */
export function squaredDistances(x: Tensor, y: Tensor): Tensor {
  checkSameDType('squaredDistances', x, y)
  if (x.rank !== 2 || y.rank !== 2 || x.shape[1] !== y.shape[1]) {
    const came = `${shapeText(x.shape)} and ${shapeText(y.shape)}`
    throw new ExtremaError('ERR_SHAPE', `squaredDistances: expected points of one dimension as rows, got ${came}`)
  }
  return apply(distancesPrimitive, [x, y], null)
}
