import { expect } from 'chai'
import { lion, lionK, sgd } from '../../lib/descent/index.js'
import { fromData, withBackend } from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { kinds, potential, size } from './lion-kinds.js'
import { matrixTensor, quadratic } from './quadratic.js'

const clip = (x: number, limit: number) => Math.min(Math.max(x, -limit), limit)

describe('Lion', () => {
  it('three steps by hand', () => {
    const x = Float64Array.of(1, -1)
    const opt = lion({ learningRate: 0.1, weightDecay: 1, beta1: 0.5, beta2: 0.75 })
    opt.step(x, Float64Array.of(1, -2)) // c = (−½, 1), m = (−¼, ½)
    expectNear(x, [0.8, -0.8])
    opt.step(x, Float64Array.of(-3, 1)) // c = (1.375, −¼), m = (0.5625, 0.125)
    expectNear(x, [0.82, -0.82])
    opt.step(x, Float64Array.of(0.5625, -1)) // c = (0, 0.5625): no step, sign 0 = 0
    expectNear(x, [0.738, -0.638])
    expectNear(opt.state().arrays[0], [0.28125, 0.34375])
    expect(opt.steps).to.equal(3)
  })

  it('three steps by hand with the new momentum', () => {
    const x = Float64Array.of(1)
    const opt = lionK({ k: 'half-square', learningRate: 0.5, weightDecay: 1, beta1: 0.5, beta2: 0.5, mix: 'new' })
    opt.step(x, Float64Array.of(2)) // m = −1, c = −½ − 1 = −1.5
    expectNear(x, [-0.25])
    opt.step(x, Float64Array.of(-2)) // m = ½, c = ¼ + 1
    expectNear(x, [0.5])
    opt.step(x, Float64Array.of(0)) // m = ¼, c = ⅛
    expectNear(x, [0.3125])
  })

  forEachBackend((backend) => {
    it('has the bits of an implementation with the opposite sign of momentum', () => {
      const n = 1003
      const next = randomNormal(21)
      const x = fill(n, next)
      const mine = x.slice()
      const momentum = new Float64Array(n)
      const opt = lion({ learningRate: 0.01, weightDecay: 0.3 })
      for (let step = 0; step < 30; step++) {
        const g = fill(n, next)
        withBackend(backend, () => opt.step(x, g))
        for (let i = 0; i < n; i++) {
          const update = 0.9 * momentum[i] + (1 - 0.9) * g[i]
          momentum[i] = 0.99 * momentum[i] + (1 - 0.99) * g[i]
          mine[i] = (1 - 0.01 * 0.3) * mine[i] - 0.01 * Math.sign(update)
        }
      }
      expect(x).to.deep.equal(mine)
    })

    // Those for leaves of any size.
    for (const [name, k] of kinds.filter(([name]) => !name.startsWith('uneven'))) {
      it(`${name}: a step is that of the formula`, () => {
        const K = potential(k, [9, 8])
        const next = randomNormal(33)
        const n = 72
        const x = fromData(fill(n, next), [9, 8])
        const expected = Float64Array.from(x.data)
        const m = new Float64Array(n)
        const opt = lionK({ k, learningRate: 0.05, weightDecay: 0.4, beta1: 0.8, beta2: 0.95 })
        for (let step = 0; step < 4; step++) {
          const g = fill(n, next)
          withBackend(backend, () => opt.step(x, fromData(g, [9, 8])))
          const c = m.map((entry, i) => 0.8 * entry - 0.2 * g[i])
          const u = new Float64Array(n)
          K.subgradient(c, u)
          for (let i = 0; i < n; i++) {
            expected[i] += 0.05 * (u[i] - 0.4 * expected[i])
            m[i] = 0.95 * m[i] - 0.05 * g[i]
          }
        }
        for (let i = 0; i < n; i++) expect(x.data[i]).to.be.closeTo(expected[i], 1e-12)
      })
    }
  })

  it('outside the set the distance shrinks by 1 − ηλ in each step, whatever the gradients', () => {
    for (const [name, k] of kinds) {
      const [learningRate, weightDecay] = [0.04, 2.5]
      for (const scheme of ['explicit', 'implicit'] as const) {
        const next = random(41)
        const x = [matrixTensor(fill(size, () => 8 * next() - 3))]
        const opt = lionK({ k, learningRate, weightDecay, scheme })
        const g = [matrixTensor(new Float64Array(size))]
        const shrink = scheme === 'explicit' ? 1 - learningRate * weightDecay : 1 / (1 + learningRate * weightDecay)
        let bound = opt.report(x, g, 0).distance
        for (let step = 0; step < 60; step++) {
          // Uphill: the worst that a gradient can do.
          for (let i = 0; i < size; i++) g[0].data[i] = -x[0].data[i] * (step % 3) + next() - 0.5
          opt.step(x, g)
          bound *= shrink
          const { distance } = opt.report(x, g, 0)
          expect(distance, `${name}, step ${step}`).to.be.at.most(bound * (1 + 1e-9) + 1e-13)
        }
      }
    }
  })

  it('from outside the box the ratio is 1 − ηλ exactly where the gradient pushes outward: it is no projection', () => {
    const x = Float64Array.of(5)
    const opt = lion({ learningRate: 0.01, weightDecay: 1 })
    for (let step = 1; step <= 50; step++) {
      opt.step(x, Float64Array.of(-1))
      expect(x[0] - 1).to.be.closeTo(4 * 0.99 ** step, 1e-12)
    }
  })

  it('decay is decoupled: without gradients x shrinks geometrically', () => {
    const x = Float64Array.of(2, -3)
    const opt = lion({ learningRate: 0.1, weightDecay: 0.5 })
    for (let step = 0; step < 20; step++) opt.step(x, new Float64Array(2))
    expectNear(x, [2 * 0.95 ** 20, -3 * 0.95 ** 20])
  })

  it('the implicit step is the explicit one with η / (1 + ηλ)', () => {
    const next = randomNormal(5)
    const [a, b] = [fill(80, next), new Float64Array(80)]
    b.set(a)
    const implicit = lion({ learningRate: 0.3, weightDecay: 2, scheme: 'implicit' })
    const explicit = lion({ learningRate: 0.3 / 1.6, weightDecay: 2 })
    for (let step = 0; step < 40; step++) {
      const g = fill(80, next)
      implicit.step(a, g)
      explicit.step(b, g)
    }
    for (let i = 0; i < 80; i++) expect(a[i]).to.be.closeTo(b[i], 1e-14)
  })

  it('K = ½‖·‖² with β₁ = β₂ is gradient descent with momentum', () => {
    const next = randomNormal(6)
    const [a, b] = [fill(10, next), new Float64Array(10)]
    b.set(a)
    const beta = 0.8
    const lionLike = lionK({ k: 'half-square', learningRate: 0.1, beta1: beta, beta2: beta })
    const heavy = sgd({ learningRate: 0.1 * (1 - beta), momentum: beta })
    for (let step = 0; step < 5; step++) {
      const g = fill(10, next)
      lionLike.step(a, g)
      heavy.step(b, g)
    }
    for (let i = 0; i < 10; i++) expect(a[i]).to.be.closeTo(b[i], 1e-14)
    // Five steps by hand: η = 0.1, β = ½, g = 1: m = −½, −¾, −⅞, …
    const x = Float64Array.of(0)
    const opt = lionK({ k: 'half-square', learningRate: 0.1, beta1: 0.5, beta2: 0.5 })
    for (const expected of [-0.05, -0.125, -0.2125, -0.30625, -0.403125]) {
      opt.step(x, Float64Array.of(1))
      expectNear(x, [expected])
    }
  })

  it('without memory and with ηλ = 2 / (t + 2) it is the method of Frank and Wolfe', () => {
    const { gradient } = quadratic(6, 8)
    const radius = 1.5
    const x = new Float64Array(6)
    const opt = lionK({
      k: 'linf',
      learningRate: (step) => (2 / (step + 2)) * radius,
      weightDecay: 1 / radius,
      beta1: 0,
      beta2: 0,
    })
    const y = new Float64Array(6)
    for (let t = 0; t < 60; t++) {
      const g = gradient(y)
      // The vertex of the l1 ball where the linear model is least.
      const place = g.reduce((best, entry, i) => (Math.abs(entry) > Math.abs(g[best]) ? i : best), 0)
      const gamma = 2 / (t + 2)
      for (let i = 0; i < 6; i++) y[i] *= 1 - gamma
      y[place] -= gamma * radius * Math.sign(g[place])
      opt.step(x, gradient(x))
      for (let i = 0; i < 6; i++) expect(x[i]).to.be.closeTo(y[i], 1e-13)
    }
  })

  describe('minimizes f + K*(λ x) / λ', () => {
    const c = [0.9, -0.05, 0.31, -1.7, 0.6, 2.2]
    const lambda = 2
    const bound = 1 / lambda

    /** The x of min ½ ‖x − c‖² + K*(λ x) / λ by Lion-K with a falling rate. */
    function solve(k: Parameters<typeof potential>[0], center = c, asMatrix?: [number, number]): Float64Array {
      const x = new Float64Array(center.length)
      const opt = lionK({
        k,
        weightDecay: lambda,
        learningRate: (step) => 0.2 / (1 + step / 25),
        beta1: 0.8,
        beta2: 0.9,
      })
      const shape = asMatrix ?? [center.length]
      for (let step = 0; step < 6000; step++) {
        const g = x.map((entry, i) => entry - center[i])
        opt.step(fromData(x, shape), fromData(g, shape))
      }
      return x
    }
    // The last learning rate.
    const tolerance = 2 * (0.2 / (1 + 6000 / 25))

    const cases: [string, Parameters<typeof potential>[0], () => number[]][] = [
      ['l1: clipping', 'l1', () => c.map((entry) => clip(entry, bound))],
      ['half-square: ridge', 'half-square', () => c.map((entry) => entry / (1 + lambda))],
      [
        'huber: ridge, then clipping',
        { kind: 'huber', e: 0.4 },
        () => c.map((entry) => clip(entry / (1 + 0.4 * lambda), bound)),
      ],
      [
        'threshold: soft threshold, then clipping',
        { kind: 'threshold', e: 0.2 },
        () => c.map((entry) => clip(Math.sign(entry) * Math.max(Math.abs(entry) - 0.2, 0), bound)),
      ],
      [
        'lp 2: projection onto the ball',
        { kind: 'lp', p: 2 },
        () => c.map((entry) => (entry * bound) / Math.hypot(...c)),
      ],
      ['linf: projection onto the l1 ball', 'linf', () => softened(c, bound)],
      [
        'group: projections of the groups',
        { kind: 'group', groups: 2 },
        () => c.map((entry, i) => entry * Math.min(1, bound / Math.hypot(c[i & ~1], c[i | 1]))),
      ],
      ['top-k: box and l1 ball', { kind: 'top-k', k: 2 }, () => boxed(c, bound, 2 * bound)],
      [
        'soft-abs: the root of its equation',
        { kind: 'soft-abs', e: 0.3 },
        () => c.map((entry) => root(entry, (x) => (0.3 * lambda * x) / Math.sqrt(1 - (lambda * x) ** 2))),
      ],
      [
        'log-cosh: the root of its equation',
        { kind: 'log-cosh', e: 0.3 },
        () => c.map((entry) => root(entry, (x) => 0.3 * Math.atanh(lambda * x))),
      ],
    ]
    for (const [name, k, answer] of cases) {
      it(name, () => {
        const x = solve(k)
        answer().forEach((expected, i) => {
          expect(x[i]).to.be.closeTo(expected, tolerance)
        })
      })
    }

    it('lp 3: the nearest point of the ball of the dual norm', () => {
      const x = solve({ kind: 'lp', p: 3 })
      const norm = x.reduce((sum, entry) => sum + Math.abs(entry) ** 1.5, 0) ** (2 / 3)
      expect(norm).to.be.closeTo(bound, 1e-3)
      // c − x is a normal of the ball: along sign(x) |x|^½.
      const ratios = c.map((entry, i) => (entry - x[i]) / (Math.sign(x[i]) * Math.sqrt(Math.abs(x[i]))))
      const large = ratios.filter((_, i) => Math.abs(x[i]) > 0.05)
      expect(Math.max(...large) / Math.min(...large)).to.be.within(1, 1.05)
    })

    it('power 3: the root of its equation', () => {
      const x = solve({ kind: 'power', p: 3 })
      x.forEach((entry, i) => {
        expect(entry).to.be.closeTo(
          root(c[i], (y) => Math.sign(y) * Math.sqrt(Math.abs(lambda * y)), 5),
          tolerance,
        )
      })
    })

    it('nuclear: singular values are clipped', () => {
      // A rotation by 0.4 on both sides of diag(3, 0.2).
      const [cos, sin] = [Math.cos(0.4), Math.sin(0.4)]
      const rotated = (a: number, b: number) => [
        a * cos * cos + b * sin * sin,
        (a - b) * cos * sin,
        (a - b) * cos * sin,
        a * sin * sin + b * cos * cos,
      ]
      const x = solve('nuclear', rotated(3, 0.2), [2, 2])
      rotated(bound, 0.2).forEach((expected, i) => {
        expect(x[i]).to.be.closeTo(expected, tolerance)
      })
    })

    it('log-sum-exp: the entropy on the simplex', () => {
      const x = solve('log-sum-exp')
      expect(x.reduce((sum, entry) => sum + entry, 0)).to.be.closeTo(bound, 1e-6)
      // x − c + log λ x is the same number everywhere.
      const levels = Array.from(x, (entry, i) => entry - c[i] + Math.log(lambda * entry))
      for (const level of levels) expect(level).to.be.closeTo(levels[0], 0.02)
    })

    it('boxes of every size: the answer is that of projected gradients', () => {
      const { gradient, lipschitz } = quadratic(20, 3)
      for (const weightDecay of [0.1, 0.5, 1, 2, 10]) {
        const limit = 1 / weightDecay
        // By projected gradients.
        const reference = new Float64Array(20)
        for (let k = 0; k < 4000; k++) {
          const g = gradient(reference)
          for (let i = 0; i < 20; i++) reference[i] = clip(reference[i] - g[i] / lipschitz, limit)
        }
        const x = new Float64Array(20)
        const opt = lion({ learningRate: (step) => (0.1 * limit) / (1 + step / 100), weightDecay })
        for (let step = 0; step < 5000; step++) {
          opt.step(x, gradient(x))
          expect(Math.max(...x.map(Math.abs))).to.be.at.most(limit + 1e-9)
        }
        const error = Math.max(...x.map((entry, i) => Math.abs(entry - reference[i])))
        expect(error / limit, `λ = ${weightDecay}`).to.be.at.most(0.02)
      }
    })
  })

  it('what is wrong is refused', () => {
    const bad = (options: object, code: 'ERR_OPTION' | 'ERR_NOT_POSITIVE', message: RegExp) =>
      expectError(() => lionK(options), code, message)
    bad({ learningRate: 0 }, 'ERR_NOT_POSITIVE', /learningRate: expected a finite number > 0, got 0/)
    bad({ learningRate: -1 }, 'ERR_NOT_POSITIVE', /learningRate/)
    bad({ weightDecay: -1 }, 'ERR_OPTION', /weightDecay: .* >= 0, got -1/)
    bad({ beta1: 1 }, 'ERR_OPTION', /beta1: expected a number in \[0, 1\), got 1/)
    bad({ beta2: -0.1 }, 'ERR_OPTION', /beta2/)
    bad({ learningRate: 0.3, weightDecay: 4 }, 'ERR_OPTION', /at most 1 \/ weightDecay = 0.25/)
    bad({ k: 'l3' }, 'ERR_OPTION', /k: expected one of 'l1'/)
    bad({ k: { kind: 'lp', p: 1 } }, 'ERR_OPTION', /k.p: expected a finite number > 1, got 1/)
    bad({ k: { kind: 'lp', p: 0.5 } }, 'ERR_OPTION', /k.p/)
    bad({ k: { kind: 'huber', e: 0 } }, 'ERR_NOT_POSITIVE', /k.e: .* > 0, got 0/)
    bad({ k: { kind: 'top-k', k: 0 } }, 'ERR_OPTION', /k.k/)
    bad({ k: { kind: 'huber', p: 2 } }, 'ERR_OPTION', /unknown name 'p'/)
    bad({ k: { kind: 'custom', value: 1, subgradient: 2 } }, 'ERR_OPTION', /k.value: expected a function/)
    bad({ lr: 1 }, 'ERR_OPTION', /unknown name 'lr'/)
    bad({ groups: [{ parameters: /x/, weightDecay: -1 }] }, 'ERR_OPTION', /groups\[0\].weightDecay/)
    bad({ groups: [{ parameters: 'x' }] }, 'ERR_OPTION', /groups\[0\].parameters/)
    bad({ scheme: 'expl' }, 'ERR_OPTION', /did you mean 'explicit'/)
    // The simplest Frank-Wolfe schedule starts at ηλ = 1.
    lionK({ learningRate: 0.25, weightDecay: 4 })
  })

  it('what does not fit the leaf is refused at the first step, and changes nothing', () => {
    const x = Float64Array.of(1, 2, 3)
    const refuse = (
      k: Parameters<typeof potential>[0],
      code: 'ERR_OPTION' | 'ERR_SHAPE' | 'ERR_ORACLE',
      message: RegExp,
    ) => {
      const opt = lionK({ k, weightDecay: 1 })
      expectError(() => opt.step({ w: x }, { w: Float64Array.of(1, 1, 1) }), code, message)
      expect([...x]).to.deep.equal([1, 2, 3])
      expect(opt.steps).to.equal(0)
    }
    refuse({ kind: 'top-k', k: 4 }, 'ERR_OPTION', /k.k: expected at most 3 for params.w, got 4/)
    refuse({ kind: 'group', groups: 2 }, 'ERR_OPTION', /a divisor of 3/)
    refuse({ kind: 'group', groups: [[0, 1]] }, 'ERR_OPTION', /every place of params.w once, got none with 2/)
    refuse(
      {
        kind: 'group',
        groups: [
          [0, 1],
          [1, 2],
        ],
      },
      'ERR_OPTION',
      /groups\[1\]\[0\]/,
    )
    refuse('nuclear', 'ERR_SHAPE', /params.w: expected a matrix/)
    const concave = (z: Float64Array) => -z.reduce((sum, entry) => sum + entry * entry, 0)
    refuse({ kind: 'custom', value: concave, subgradient: (z) => z.map((t) => -2 * t) }, 'ERR_ORACLE', /a convex value/)
    refuse({ kind: 'custom', value: () => 0, subgradient: () => [1] }, 'ERR_ORACLE', /expected 3 numbers, got 1/)
    const square = (z: Float64Array) => z.reduce((sum, entry) => sum + entry * entry, 0)
    const wrong = { value: square, subgradient: (z: Float64Array) => z.map((t) => 2 * t), conjugate: square }
    refuse({ kind: 'custom', ...wrong }, 'ERR_ORACLE', /Fenchel/)
    const opt = lionK({ learningRate: () => 2, weightDecay: 1 })
    expectError(() => opt.step(x, Float64Array.of(1, 1, 1)), 'ERR_OPTION', /at most 1 \/ weightDecay = 1 /)
    expect([...x]).to.deep.equal([1, 2, 3])
  })

  it('where a penalty is too weak to hold an unbounded f, the divergence is an error; a box holds any f', () => {
    const diverge = (x: Float64Array) => x.map((entry) => -(entry ** 3))
    const x = Float64Array.of(10)
    const opt = lionK({ k: { kind: 'power', p: 3 }, learningRate: 0.5, weightDecay: 0.1 })
    expectError(
      () => {
        for (let step = 0; step < 2000; step++) opt.step(x, diverge(x))
      },
      'ERR_NOT_FINITE',
      /gradients\[0\]: expected a finite number, got -Infinity at step \d+/,
    )
    const boxed = Float64Array.of(3)
    const held = lion({ learningRate: 0.5, weightDecay: 0.1 })
    for (let step = 0; step < 2000; step++) held.step(boxed, diverge(boxed))
    expect(boxed[0]).to.be.closeTo(10, 1e-12)
  })

  it('a custom K that is the l2 norm steps as lp 2 does', () => {
    const next = randomNormal(2)
    const [a, b] = [fill(70, next), new Float64Array(70)]
    b.set(a)
    const conjugate = (y: Float64Array) => (Math.hypot(...y) <= 1 + 1e-12 ? 0 : Number.POSITIVE_INFINITY)
    const own = lionK({
      k: {
        kind: 'custom',
        value: (z) => Math.hypot(...z),
        subgradient: (z) => z.map((entry) => entry / Math.hypot(...z)),
        conjugate,
      },
      weightDecay: 0.1,
    })
    const ours = lionK({ k: { kind: 'lp', p: 2 }, weightDecay: 0.1 })
    for (let step = 0; step < 10; step++) {
      const g = fill(70, next)
      own.step(a, g)
      ours.step(b, g)
    }
    for (let i = 0; i < 70; i++) expect(a[i]).to.be.closeTo(b[i], 1e-15)
    expect(own.report(a, b, 1).lyapunov).to.not.equal(null)
  })
})

function expectNear(x: ArrayLike<number>, expected: number[]): void {
  expect(x.length).to.equal(expected.length)
  expected.forEach((value, i) => {
    expect(x[i]).to.be.closeTo(value, 1e-15)
  })
}

/** The t with t + slope(t) = c, by bisection within ±limit. */
function root(c: number, slope: (t: number) => number, limit = 0.5): number {
  let [low, high] = [-limit, limit]
  for (let k = 0; k < 100; k++) {
    const middle = (low + high) / 2
    if (middle + slope(middle) < c) low = middle
    else high = middle
  }
  return low
}

/** The nearest point of the l1 ball of that radius. */
function softened(c: number[], radius: number): number[] {
  const at = (t: number) => c.map((entry) => Math.sign(entry) * Math.max(Math.abs(entry) - t, 0))
  return pushed(at, radius)
}

/** The nearest point of the box of that size within the l1 ball. */
function boxed(c: number[], limit: number, radius: number): number[] {
  return pushed((t) => c.map((entry) => clip(Math.sign(entry) * Math.max(Math.abs(entry) - t, 0), limit)), radius)
}

function pushed(at: (t: number) => number[], radius: number): number[] {
  let [low, high] = [0, 10]
  for (let k = 0; k < 100; k++) {
    const middle = (low + high) / 2
    if (at(middle).reduce((sum, entry) => sum + Math.abs(entry), 0) > radius) low = middle
    else high = middle
  }
  return at(high)
}
