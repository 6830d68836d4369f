import { expect } from 'chai'
import { minimizeEqualityConstrained } from '../../lib/constrained/index.js'
import { blockCoordinateDescent, lbfgs } from '../../lib/descent/index.js'
import {
  add,
  concat,
  fromTensorFunction,
  matmul,
  mul,
  reshape,
  sin,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  withBackend,
  zeros,
} from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectClose } from '../helpers/close.js'
import { expectError } from '../helpers/errors.js'

/** 100 (b − a²)² + (1 − a)² */
const rosenbrock = (x: Tensor): Tensor => {
  const [a, b] = [slice(x, [0]), slice(x, [1])]
  return add(mul(100, square(sub(b, square(a)))), square(sub(1, a)))
}

/** (a b, sin a, b²) */
const several = (x: Tensor): Tensor => {
  const [a, b] = [slice(x, [[0, 1]]), slice(x, [[1, 2]])]
  return concat([mul(a, b), sin(a), square(b)])
}

describe('fromTensorFunction', () => {
  forEachBackend((backend) => {
    const on = <T>(body: () => T): T => withBackend(backend, body)

    it('gives the oracles of a function with one value', () => {
      const f = fromTensorFunction(rosenbrock)
      const x = Float64Array.of(-1.2, 1)
      expect(on(() => f.value(x))).to.be.closeTo(24.2, 1e-13)
      expectClose([[...on(() => f.gradient(x))]], [[-215.6, -88]], 1e-12)
      const both = on(() => f.valueAndGradient([-1.2, 1]))
      expect(both.value).to.be.closeTo(24.2, 1e-13)
      expectClose([[...both.gradient]], [[-215.6, -88]], 1e-12)
      expectClose([[...on(() => f.hvp(x, [1, 0]))]], [[1330, 480]], 1e-11)
      const { data, shape } = on(() => f.hessian(x))
      expect(shape).to.deep.equal([2, 2])
      expectClose([[...data]], [[1330, 480, 480, 200]], 1e-11)
      expect([...x]).to.deep.equal([-1.2, 1])
    })

    it('and of one with several', () => {
      const f = fromTensorFunction(several)
      const x = Float64Array.of(0.5, 3)
      const J = [
        [3, 0.5],
        [Math.cos(0.5), 0],
        [0, 6],
      ]
      expectClose([[...on(() => f.values(x))]], [[1.5, Math.sin(0.5), 9]], 1e-15)
      expectClose([[...on(() => f.jacobian(x)).data]], [J.flat()], 1e-14)
      expectClose([[...on(() => f.jvp(x, [1, 2]))]], [J.map(([a, b]) => a + 2 * b)], 1e-14)
      const u = [1, -2, 0.5]
      const pulled = [0, 1].map((j) => u.reduce((total, entry, i) => total + entry * J[i][j], 0))
      expectClose([[...on(() => f.vjp(x, u))]], [pulled], 1e-14)
      // u₀ (ab)'' + u₁ (sin a)'' + u₂ (b²)''
      expectClose([[...on(() => f.hessian(x, u)).data]], [[2 * Math.sin(0.5), 1, 1, 1]], 1e-14)
      expectClose([[...on(() => f.hvp(x, [1, 1], u))]], [[2 * Math.sin(0.5) + 1, 2]], 1e-14)
      // Fewer rows than columns, too.
      const wide = fromTensorFunction((y: Tensor) => reshape(sum(square(y)), [1]))
      expect(on(() => wide.jacobian([1, 2, 3]))).to.deep.include({ shape: [1, 3] })
      expectClose([[...on(() => wide.jacobian([1, 2, 3])).data]], [[2, 4, 6]], 0)
    })
  })

  it('takes trees, whose leaves stand behind each other', () => {
    const like = { w: zeros([2, 2]), b: [zeros([2], { dtype: 'float32' })] }
    const f = fromTensorFunction(({ w, b }: typeof like) => {
      const loss = sum(
        mul(
          w,
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      )
      return add(loss, mul(sum(square(b[0])).item(), 0))
    }, like)
    const x = Float64Array.of(1, 1, 1, 1, 5, 6)
    expect(f.value(x)).to.equal(10)
    expect([...f.gradient(x)]).to.deep.equal([1, 2, 3, 4, 0, 0])
    const tree = f.unravel(x)
    expect(tree.w.toArray()).to.deep.equal([
      [1, 1],
      [1, 1],
    ])
    expect(tree.b[0].toString()).to.equal('Tensor(float32, [2])')
    expect([...f.ravel(tree)]).to.deep.equal([...x])
    tree.w.data[0] = 100
    expect(x[0]).to.equal(1)
    expectError(() => f.value([1, 2]), 'ERR_SHAPE', /x: expected 6 numbers, got 2/)
  })

  it('results are the caller’s, also after the next call', () => {
    const f = fromTensorFunction((x: Tensor) => sum(square(x)))
    const first = f.gradient(new Float64Array(100).fill(1))
    f.gradient(new Float64Array(100).fill(9))
    expect(first.every((entry) => entry === 2)).to.equal(true)
  })

  it('refuses what has no derivative', () => {
    const f = fromTensorFunction(several)
    expectError(() => f.value([1, 2]), 'ERR_SHAPE', /item: expected a tensor of one number/)
    expectError(() => f.gradient([1, 2]), 'ERR_SHAPE', /grad: expected a function whose value is one/)
    expectError(() => f.vjp([1, 2], [1]), 'ERR_SHAPE', /u: expected 3 numbers, got 1/)
    expectError(() => f.hvp([1, 2], [1, 1], [1]), 'ERR_SHAPE', /weights: expected 3 numbers, got 1/)
    expectError(() => fromTensorFunction(5 as never), 'ERR_OPTION', /f: expected a function, got 5/)
    expectError(() => fromTensorFunction(rosenbrock, tensor([1, 2], { dtype: 'int32' })), 'ERR_DTYPE', /like/)
    expectError(() => fromTensorFunction((() => 5) as never).value([1]), 'ERR_SHAPE', /f: expected a tensor, got 5/)
  })

  describe('serves the solvers of the package', () => {
    it('lbfgs', async () => {
      const { valueAndGradient } = fromTensorFunction(rosenbrock)
      const { x, status } = await lbfgs({ x0: [-1.2, 1], valueAndGradient })
      expect(status).to.equal('converged')
      expectClose([[...x]], [[1, 1]], 1e-6)
    })

    it('minimizeEqualityConstrained: the nearest point of a circle', async () => {
      // min (a − 2)² + (b − 1)² on a² + b² = 1: (2, 1) / √5.
      const f = fromTensorFunction((x: Tensor) => sum(square(sub(x, tensor([2, 1])))))
      const c = fromTensorFunction((x: Tensor) => reshape(sub(sum(square(x)), 1), [1]))
      const { x, status } = await minimizeEqualityConstrained(
        {
          x0: [1, 0.5],
          value: f.value,
          gradient: f.gradient,
          constraints: c.values,
          jacobian: c.jacobian,
          hvp: (x, multipliers, v) => f.hvp(x, v).map((entry, i) => entry + c.hvp(x, v, multipliers)[i]),
        },
        { tolerance: 1e-8 },
      )
      expect(status).to.equal('converged')
      expectClose([[...x]], [[2 / Math.sqrt(5), 1 / Math.sqrt(5)]], 1e-7)
    })

    it('blockCoordinateDescent: least squares with bounds', async () => {
      const A = tensor([
        [2, 1, 0],
        [0, 1, 1],
        [1, 0, 3],
        [1, 1, 1],
      ])
      const b = tensor([1, -2, 3, 0])
      const f = fromTensorFunction((x: Tensor) =>
        mul(0.5, sum(square(sub(reshape(matmul(A, reshape(x, [3, 1])), [4]), b)))),
      )
      const byOracles = await blockCoordinateDescent(
        { n: 3, value: f.value, gradient: f.gradient, lower: 0 },
        { tolerance: 1e-9 },
      )
      const byData = await blockCoordinateDescent(
        { loss: 'least-squares', A: A.toArray() as number[][], b: b.toArray() as number[], lower: 0 },
        { tolerance: 1e-9 },
      )
      expectClose([[...byOracles.x]], [[...byData.x]], 1e-7)
    })
  })
})
