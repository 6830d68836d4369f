import { expect } from 'chai'
import { generator } from '../../lib/random/index.js'
import { pull, record } from '../../lib/tensor/grad.js'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { random } from '../helpers/random.js'
import { draw } from '../helpers/tensor.js'

const { tensor } = t

/** f(x) = Σ_i x_i³ + x_1 x_2 …: derivatives by hand are 3 x² and so on. */
function cubes(x: t.Tensor): t.Tensor {
  return t.sum(t.pow(x, 3))
}

describe('transformations', () => {
  it('derivatives of one variable to the fifth order', () => {
    let f = (x: t.Tensor): t.Tensor => t.mul(t.sin(x), t.exp(t.mul(2, x)))
    for (let order = 1; order <= 5; order++) f = t.grad(f)
    // Im (2 + i)^5 e^(2 + i) x
    const x = 0.4
    const [re, im] = [-38, 41]
    const expected = Math.exp(2 * x) * (re * Math.sin(x) + im * Math.cos(x))
    expect(f(tensor(x)).item()).to.be.closeTo(expected, 1e-12 * Math.abs(expected))
  })

  it('keep perturbations of different levels apart', () => {
    // d/dx (x d/dy (x + y)) = 1, and 2 if the two tangents were mixed.
    const inner = (x: t.Tensor): t.Tensor => t.mul(x, t.grad((y: t.Tensor) => t.add(x, y))(tensor(1)))
    expect(t.grad(inner)(tensor(1)).item()).to.equal(1)
    const forward = (x: t.Tensor): t.Tensor =>
      t.mul(x, t.jvp((y: t.Tensor) => t.mul(x, y), tensor(2), tensor(1)).tangent)
    expect(t.jvp(forward, tensor(3), tensor(1)).tangent.item()).to.equal(6)
    expect(t.grad(forward)(tensor(3)).item()).to.equal(6)
    const mixed = (x: t.Tensor): t.Tensor => t.mul(x, t.grad((y: t.Tensor) => t.mul(x, t.square(y)))(x))
    // x · 2 x y at y = x: 2 x³ with derivative 6 x².
    expect(t.jvp(mixed, tensor(3), tensor(1)).tangent.item()).to.equal(54)
  })

  it('a value of an outer transformation that is merely returned is a constant within', () => {
    const backward = (x: t.Tensor): t.Tensor => {
      expect(
        t
          .grad((_y: t.Tensor) => x)(tensor(1))
          .item(),
      ).to.equal(0)
      return t.square(x)
    }
    expect(t.grad(backward)(tensor(3)).item()).to.equal(6)
    expect(t.jvp(backward, tensor(3), tensor(1)).tangent.item()).to.equal(6)
    const forward = (x: t.Tensor): t.Tensor => {
      expect(
        t
          .linearize((_y: t.Tensor) => x, tensor(1))
          .jvp(tensor(1))
          .item(),
      ).to.equal(0)
      return t.add(t.square(x), t.jvp((_y: t.Tensor) => x, tensor(1), tensor(1)).tangent)
    }
    expect(t.grad(forward)(tensor(3)).item()).to.equal(6)
  })

  it('take trees and leave further arguments alone', () => {
    const params = { w: [tensor([1, 2]), tensor([3, 4])], b: tensor(5) }
    const f = (p: typeof params, scale: t.Tensor): t.Tensor =>
      t.mul(scale, t.add(t.mul(t.dot(p.w[0], p.w[1]), p.b), t.square(p.b)))
    const { value, gradient } = t.valueAndGrad(f)(params, tensor(2))
    expect(value.item()).to.equal(2 * (11 * 5 + 25))
    expect(gradient.w[0].toArray()).to.deep.equal([30, 40])
    expect(gradient.w[1].toArray()).to.deep.equal([10, 20])
    expect(gradient.b.item()).to.equal(2 * (11 + 10))
    const v = { w: [tensor([1, 0]), tensor([0, 0])], b: tensor(0) }
    const product = t.hvp((p: typeof params) => f(p, tensor(1)), params, v)
    expect(product.w[0].toArray()).to.deep.equal([0, 0])
    expect(product.w[1].toArray()).to.deep.equal([5, 0])
    expect(product.b.item()).to.equal(3)
  })

  it('give zeros where the value does not depend on the argument', () => {
    expect(
      t
        .grad((_x: t.Tensor) => tensor(3))(tensor([1, 2]))
        .toArray(),
    ).to.deep.equal([0, 0])
    expect(t.jvp((_x: t.Tensor) => tensor([3]), tensor([1, 2]), tensor([1, 1])).tangent.toArray()).to.deep.equal([0])
    expect(
      t
        .grad((x: t.Tensor) => t.sum(t.mul(t.stopGradient(x), x)))(tensor([5, 7]))
        .toArray(),
    ).to.deep.equal([5, 7])
  })

  it('numbers of traced values are constants', () => {
    const f = (x: t.Tensor): t.Tensor => t.mul(x, x.item() > 1 ? x.item() : 0)
    expect(t.grad(f)(tensor(3)).item()).to.equal(3)
  })

  it('refuse what cannot be differentiated', () => {
    expectError(
      () => t.grad((x: t.Tensor) => x)(tensor([1, 2])),
      'ERR_SHAPE',
      /grad: .*one floating-point number, got .*\[2\]/,
    )
    expectError(() => t.grad(cubes)(tensor([1], { dtype: 'int32' })), 'ERR_DTYPE', /grad/)
    expectError(() => t.jvp(cubes, tensor([1, 2]), tensor([1])), 'ERR_SHAPE', /^v: .*\[2\].*\[1\]/)
    expectError(() => t.jvp(cubes, tensor([1]), [tensor([1])] as never), 'ERR_SHAPE', /^v: .*structure/)
    expectError(() => t.grad(cubes)(3 as never), 'ERR_SHAPE', /^x: /)
    const later = (async (x: t.Tensor) => x) as never
    expectError(() => t.grad(later)(tensor(1)), 'ERR_SHAPE', /^value: .*Promise/)
  })

  it('refuse a traced value after its transformation and a second use of a tape', () => {
    let kept: t.Tensor | undefined
    t.grad((x: t.Tensor) => {
      kept = x
      return t.sum(x)
    })(tensor([1, 2]))
    expectError(() => t.add(kept as t.Tensor, 1), 'ERR_TAPE', /add: .*\[2\]/)
    // Beside a living one of the same level, as a result and as an argument.
    const stale = kept as t.Tensor
    expectError(() => t.grad((x: t.Tensor) => t.sum(t.mul(x, stale)))(tensor([1, 2])), 'ERR_TAPE', /mul: .*\[2\]/)
    expectError(() => t.jvp((x: t.Tensor) => t.mul(x, stale), tensor([1, 2]), tensor([1, 1])), 'ERR_TAPE', /mul/)
    expectError(() => t.vjp((_x: t.Tensor) => stale, tensor(1)), 'ERR_TAPE', /vjp: .*\[2\]/)
    expectError(() => t.jvp((_x: t.Tensor) => stale, tensor(1), tensor(1)), 'ERR_TAPE', /jvp: .*\[2\]/)
    expectError(() => t.vjp((x: t.Tensor) => x, stale), 'ERR_TAPE', /vjp: .*\[2\]/)
    const once = t.vjp(cubes, tensor([1, 2]))
    once.pullback(tensor(1))
    expectError(() => once.pullback(tensor(1)), 'ERR_TAPE', /pullback: .*retain/)
    const again = t.vjp(cubes, tensor([1, 2]), { retain: true })
    expect(again.pullback(tensor(1)).toArray()).to.deep.equal([3, 12])
    expect(again.pullback(tensor(2)).toArray()).to.deep.equal([6, 24])
    expectError(() => again.pullback(tensor([1])), 'ERR_SHAPE', /^u: /)
  })

  it('derivatives have the dtype of their value', () => {
    const wrong: t.Primitive<null> = {
      name: 'wrong',
      evaluate: ([x]) => t.mul(x, 2),
      jvp: (_inputs, [v]) => v && t.cast(v, 'float64'),
      vjp: (g) => [t.cast(g, 'float64')],
    }
    const [f, x] = [(y: t.Tensor): t.Tensor => t.apply(wrong, [y], null), tensor(1, { dtype: 'float32' })]
    const message = /wrong: .*float32, got float64/
    expectError(() => t.grad(f)(x), 'ERR_DTYPE', message)
    expectError(() => t.jvp(f, x, x), 'ERR_DTYPE', message)
    expectError(() => t.linearize(f, x).jvp(x), 'ERR_DTYPE', message)
  })

  it('a tape that is retained stays right after an exception in a rule', () => {
    let broken = true
    const brittle = t.customVjp((y: t.Tensor) => t.square(y), {
      forward: (y) => ({ value: t.square(y), residual: y }),
      backward: (y, u) => {
        if (broken) throw new Error('stop')
        return t.mul(u, t.mul(2, y))
      },
    })
    const { pullback } = t.vjp((x: t.Tensor) => t.mul(brittle(x), x), tensor(3), { retain: true })
    expect(() => pullback(tensor(1))).to.throw('stop')
    broken = false
    expect(pullback(tensor(1)).item()).to.equal(27)
  })

  it('a tape lets its nodes go once they are passed', () => {
    const tape = record('grad', (x: t.Tensor) => [t.exp(x), t.sin(x)], tensor([1, 2]))
    const nodes = [...tape.trace.nodes]
    pull(tape, [t.ones([2]), t.ones([2])], true)
    expect(nodes.map(({ inputs }) => inputs.length)).to.deep.equal([0, 1, 1])
    pull(tape, [t.ones([2]), t.ones([2])], false)
    expect(nodes.map(({ inputs }) => inputs.length)).to.deep.equal([0, 0, 0])
  })

  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)
    const next = random(21)
    const [w, x] = [draw([8, 9], next), draw([8], next)]
    const layer = (y: t.Tensor): t.Tensor => t.tanh(t.matmul(y, w))
    /** ∂ tanh(Σ_k x_k w_ki) / ∂x_j */
    const slope = (i: number, j: number): number => {
      let sum = 0
      for (let k = 0; k < 8; k++) sum += x.data[k] * w.data[k * 9 + i]
      return w.data[j * 9 + i] / Math.cosh(sum) ** 2
    }

    it(
      'Jacobians of a layer in both modes',
      on(() => {
        for (const jacobian of [t.jacfwd(layer)(x), t.jacrev(layer)(x)]) {
          expect(jacobian.shape).to.deep.equal([9, 8])
          for (let i = 0; i < 9; i++) {
            for (let j = 0; j < 8; j++) expect(jacobian.data[i * 8 + j]).to.be.closeTo(slope(i, j), 1e-14)
          }
        }
      }),
    )

    it(
      'Jacobians of trees, block by block',
      on(() => {
        const f = ({ a, b }: { a: t.Tensor; b: t.Tensor }): t.Tensor[] => [t.mul(t.sum(a), b), t.square(a)]
        const at = { a: tensor([1, 2, 3]), b: tensor([4, 5]) }
        for (const blocks of [t.jacfwd(f)(at), t.jacrev(f)(at)]) {
          expect(blocks[0].a.toArray()).to.deep.equal([
            [4, 4, 4],
            [5, 5, 5],
          ])
          expect(blocks[0].b.toArray()).to.deep.equal([
            [6, 0],
            [0, 6],
          ])
          expect(blocks[1].a.toArray()).to.deep.equal([
            [2, 0, 0],
            [0, 4, 0],
            [0, 0, 6],
          ])
          expect(blocks[1].b.toArray()).to.deep.equal([
            [0, 0],
            [0, 0],
            [0, 0],
          ])
        }
      }),
    )

    it(
      'Hessian of Rosenbrock’s function by hand',
      on(() => {
        const f = (y: t.Tensor): t.Tensor => {
          const [a, b] = [t.slice(y, [0]), t.slice(y, [1])]
          return t.add(t.square(t.sub(1, a)), t.mul(100, t.square(t.sub(b, t.square(a)))))
        }
        const [a, b] = [-1.2, 1]
        const hessian = t
          .hessian(f)(tensor([a, b]))
          .toArray() as number[][]
        expect(hessian[0][0]).to.be.closeTo(2 - 400 * (b - 3 * a * a), 1e-10)
        expect(hessian[0][1]).to.be.closeTo(-400 * a, 1e-10)
        expect(hessian[1]).to.deep.equal([hessian[0][1], 200])
      }),
    )

    it(
      'linearize replays J v and Jᵀ u',
      on(() => {
        const { value, jvp, vjp } = t.linearize(layer, x)
        expect(value.toArray()).to.deep.equal(layer(x).toArray())
        for (let trial = 0; trial < 3; trial++) {
          const [v, u] = [draw([8], next), draw([9], next)]
          expect(jvp(v).toArray()).to.deep.equal(t.jvp(layer, x, v).tangent.toArray())
          const expected = t.vjp(layer, x).pullback(u)
          expect(vjp(u).toArray()).to.deep.equal(expected.toArray())
        }
      }),
    )

    it(
      'Gauss-Newton product: Jᵀ H J v with dense factors',
      on(() => {
        const target = draw([9], next)
        const loss = (y: t.Tensor): t.Tensor => t.sum(t.pow(t.sub(y, target), 4))
        const v = draw([8], next)
        const product = t.ggnvp(layer, loss, x, v)
        const y = layer(x)
        const curved = Array.from({ length: 9 }, (_, i) => {
          let moved = 0
          for (let j = 0; j < 8; j++) moved += slope(i, j) * v.data[j]
          return 12 * (y.data[i] - target.data[i]) ** 2 * moved
        })
        for (let j = 0; j < 8; j++) {
          const expected = curved.reduce((sum, value, i) => sum + slope(i, j) * value, 0)
          expect(product.data[j]).to.be.closeTo(expected, 1e-12)
        }
      }),
    )

    it(
      'checkpoint changes no derivative, and runs again for it',
      on(() => {
        let runs = 0
        const counted = (y: t.Tensor): t.Tensor => {
          runs++
          return layer(y)
        }
        const plain = (y: t.Tensor): t.Tensor => t.sum(t.square(layer(y)))
        const saved = (y: t.Tensor): t.Tensor => t.sum(t.square(t.checkpoint(counted)(y)))
        expect(t.grad(saved)(x).toArray()).to.deep.equal(t.grad(plain)(x).toArray())
        expect(runs).to.equal(2)
        const v = draw([8], next)
        const [came, expected] = [t.hvp(saved, x, v), t.hvp(plain, x, v)]
        for (let j = 0; j < 8; j++) expect(came.data[j]).to.be.closeTo(expected.data[j], 1e-13)
        expect(t.linearize(saved, x).jvp(v).item()).to.be.closeTo(t.jvp(plain, x, v).tangent.item(), 1e-13)
        const closed = (y: t.Tensor): t.Tensor => t.sum(t.checkpoint((z: t.Tensor) => t.mul(y, z))(t.mul(y, 2)))
        expectError(() => t.grad(closed)(x), 'ERR_TAPE', /checkpoint/)
      }),
    )

    it(
      'checkpoint takes int32 leaves, constants and dropout from a fixed seed',
      on(() => {
        type Part = { y: t.Tensor; rows: t.Tensor; scale: t.Tensor }
        const picked = ({ y, rows, scale }: Part): t.Tensor =>
          t.mul(scale, t.square(t.dropout(t.gather(y, rows), 0.5, generator(3))))
        const [rows, scale] = [tensor([0, 2, 2, 5], { dtype: 'int32' }), tensor(3)]
        const through = (f: typeof picked) => (y: t.Tensor) => t.sum(f({ y, rows, scale }))
        const [saved, plain] = [through(t.checkpoint(picked)), through(picked)]
        expect(t.grad(saved)(x).toArray()).to.deep.equal(t.grad(plain)(x).toArray())
        const v = draw([8], next)
        expect(t.linearize(saved, x).jvp(v).item()).to.equal(t.linearize(plain, x).jvp(v).item())
      }),
    )

    it(
      'customVjp uses the rule that was given, to the second order',
      on(() => {
        // The clipped logarithm: log x with its derivative bounded by 10.
        const log = t.customVjp((y: t.Tensor) => t.log(y), {
          forward: (y) => ({ value: t.log(y), residual: y }),
          backward: (y, u) => t.mul(u, t.minimum(t.reciprocal(y), 10)),
        })
        const f = (y: t.Tensor): t.Tensor => t.sum(log(y))
        expect(
          t
            .grad(f)(tensor([0.01, 2]))
            .toArray(),
        ).to.deep.equal([10, 0.5])
        expect(t.hvp(f, tensor([0.01, 2]), tensor([1, 1])).toArray()).to.deep.equal([-0, -0.25])
        expect(log(tensor([1])).toArray()).to.deep.equal([0])
        expectError(() => t.jvp(f, tensor([1]), tensor([1])), 'ERR_TAPE', /customVjp: .*forward mode/)
        const closed = (y: t.Tensor): t.Tensor => {
          const scaled = t.customVjp((z: t.Tensor) => t.mul(y, z), {
            forward: (z) => ({ value: t.mul(y, z), residual: null }),
            backward: (_, u) => u,
          })
          return t.sum(scaled(t.mul(y, 2)))
        }
        expectError(() => t.grad(closed)(tensor([1])), 'ERR_TAPE', /customVjp: .*arguments alone/)
      }),
    )

    it(
      'gradCheck passes a right gradient and fails a wrong one',
      on(() => {
        const right = (y: t.Tensor): t.Tensor => t.sum(t.square(layer(y)))
        expect(t.gradCheck(right, x).passed).to.equal(true)
        const bent = t.customVjp((y: t.Tensor) => t.square(y), {
          forward: (y) => ({ value: t.square(y), residual: y }),
          backward: (y, u) => t.mul(u, t.mul(2.01, y)),
        })
        const { passed, error } = t.gradCheck((y: t.Tensor) => t.sum(bent(y)), x)
        expect(passed).to.equal(false)
        expect(error).to.be.greaterThan(1e-4)
      }),
    )
  })
})
