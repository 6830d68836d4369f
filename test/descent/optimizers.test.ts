import { expect } from 'chai'
import { adam, adamW, lamb, lion, lionK, rmsprop, sgd } from '../../lib/descent/index.js'
import {
  fromData,
  grad,
  mul,
  type Optimizer,
  square,
  sum,
  type Tensor,
  tensor,
  withArena,
  withBackend,
  zeros,
} from '../../lib/tensor/index.js'
import peer from '../fixtures/torch-optimizers.json' with { type: 'json' }
import { forEachBackend } from '../helpers/backends.js'
import { resizable, transferred } from '../helpers/buffers.js'
import { expectError } from '../helpers/errors.js'
import { fill, randomNormal } from '../helpers/random.js'

const makers: Record<string, (options?: object) => Optimizer> = { sgd, adam, adamW, rmsprop, lamb, lion, lionK }

/** Longer than any vector, and no multiple of one. */
const n = 77

describe('optimizers', () => {
  forEachBackend((backend) => {
    const stepped = (opt: Optimizer, x: object, g: object) => withBackend(backend, () => opt.step(x, g))

    describe('with a constant gradient, in closed form', () => {
      const g = Float64Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : -1) * (0.1 + i))
      const start = Float64Array.from({ length: n }, (_, i) => Math.cos(i))
      const moved = (opt: Optimizer, steps: number): Float64Array => {
        const x = start.slice()
        for (let k = 0; k < steps; k++) stepped(opt, x, g)
        return x
      }
      const expectAll = (x: Float64Array, at: (i: number) => number, tolerance = 1e-12) =>
        x.forEach((entry, i) => {
          expect(entry).to.be.closeTo(at(i), tolerance * Math.max(1, Math.abs(at(i))))
        })

      it('gradient descent', () => {
        expectAll(moved(sgd({ learningRate: 0.1 }), 7), (i) => start[i] - 0.7 * g[i])
      })

      it('momentum: Σ (1 − μ^s) / (1 − μ)', () => {
        const moves = [1, 2, 3, 4].reduce((total, s) => total + (1 - 0.6 ** s) / 0.4, 0)
        expectAll(moved(sgd({ learningRate: 0.1, momentum: 0.6 }), 4), (i) => start[i] - 0.1 * moves * g[i])
      })

      it('Nesterov: g + μ m', () => {
        const moves = [1, 2, 3, 4].reduce((total, s) => total + 1 + (0.6 * (1 - 0.6 ** s)) / 0.4, 0)
        const x = moved(sgd({ learningRate: 0.1, momentum: 0.6, nesterov: true }), 4)
        expectAll(x, (i) => start[i] - 0.1 * moves * g[i])
      })

      it('weight decay of gradient descent: the linear recursion', () => {
        const keep = (1 - 0.1 * 0.5) ** 6
        const x = moved(sgd({ learningRate: 0.1, weightDecay: 0.5 }), 6)
        expectAll(x, (i) => keep * start[i] - ((1 - keep) / 0.5) * g[i])
      })

      it('Adam: η g / (|g| + ε) in every step', () => {
        const x = moved(adam({ learningRate: 0.01, epsilon: 0.3 }), 9)
        expectAll(x, (i) => start[i] - (0.09 * g[i]) / (Math.abs(g[i]) + 0.3))
      })

      it('AdamW: shrinks beside the step', () => {
        const x = moved(adamW({ learningRate: 0.1, weightDecay: 0.2 }), 5)
        const keep = 0.98 ** 5
        expectAll(x, (i) => keep * start[i] - ((1 - keep) / 0.2) * Math.sign(g[i]), 1e-7)
      })

      it('RMSprop: v = (1 − α^t) g²', () => {
        const moves = [1, 2, 3].reduce((total, t) => total + 1 / Math.sqrt(1 - 0.9 ** t), 0)
        const x = moved(rmsprop({ learningRate: 0.01, alpha: 0.9, epsilon: 1e-14 }), 3)
        expectAll(x, (i) => start[i] - 0.01 * moves * Math.sign(g[i]), 1e-10)
      })

      it('RMSprop, centred: the variance is (α^t − α^2t) g²', () => {
        const moves = [1, 2, 3].reduce((total, t) => total + 1 / Math.sqrt(0.9 ** t - 0.9 ** (2 * t)), 0)
        const x = moved(rmsprop({ learningRate: 0.01, alpha: 0.9, epsilon: 1e-14, centered: true }), 3)
        expectAll(x, (i) => start[i] - 0.01 * moves * Math.sign(g[i]), 1e-10)
      })

      it('LAMB: steps of η ‖x‖ along the signs', () => {
        const x = moved(lamb({ learningRate: 0.01, weightDecay: 0, epsilon: 1e-14 }), 1)
        const length = Math.hypot(...start) / Math.sqrt(n)
        expectAll(x, (i) => start[i] - 0.01 * length * Math.sign(g[i]), 1e-12)
      })

      it('LAMB: a leaf of zeros takes the step as it is', () => {
        const x = new Float64Array(n)
        stepped(lamb({ learningRate: 0.01, epsilon: 1e-14 }), x, g)
        expectAll(x, (i) => -0.01 * Math.sign(g[i]), 1e-12)
      })
    })

    describe("PyTorch's figures", () => {
      for (const { name, options, x } of peer.cases) {
        it(`${name} ${JSON.stringify(options)}`, () => {
          const made = Float64Array.from(peer.start)
          const opt = makers[name](options)
          for (const g of peer.gradients) stepped(opt, made, Float64Array.from(g))
          x.forEach((expected: number, i: number) => {
            expect(made[i]).to.be.closeTo(expected, 1e-12)
          })
        })
      }
    })

    it('float32 follows float64 to its own precision', () => {
      for (const [name, make] of Object.entries(makers)) {
        const next = randomNormal(14)
        const wide = fill(n, next)
        const narrow = Float32Array.from(wide)
        const [a, b] = [make({ learningRate: 0.01 }), make({ learningRate: 0.01 })]
        for (let step = 0; step < 6; step++) {
          const g = Float32Array.from(fill(n, next))
          stepped(a, wide, Float64Array.from(g))
          stepped(b, narrow, g)
        }
        wide.forEach((entry, i) => {
          expect(narrow[i], name).to.be.closeTo(entry, 2e-6)
        })
      }
    })

    it('clipNorm scales the gradients of all leaves together', () => {
      for (const [name, make] of Object.entries(makers)) {
        const next = randomNormal(18)
        const x = { a: fill(n, next), b: [fill(3, next)] }
        const y = { a: x.a.slice(), b: [x.b[0].slice()] }
        const [clipped, plain] = [make({ clipNorm: 2 }), make()]
        for (let step = 0; step < 3; step++) {
          const g = { a: fill(n, next), b: [fill(3, next)] }
          stepped(clipped, x, g)
          const norm = Math.hypot(...g.a, ...g.b[0])
          expect(norm).to.be.above(2)
          const scaled = (part: Float64Array) => part.map((entry) => (entry * 2) / norm)
          stepped(plain, y, { a: scaled(g.a), b: [scaled(g.b[0])] })
        }
        ;[...x.a, ...x.b[0]].forEach((entry, i) => {
          expect(entry, name).to.be.closeTo([...y.a, ...y.b[0]][i], 1e-14)
        })
      }
    })
  })

  describe('trees', () => {
    const names = Object.keys(makers)

    it('a tree of tensors steps as its leaves do alone', () => {
      for (const name of names) {
        const next = randomNormal(4)
        const [w, b] = [fill(70, next), fill(7, next)]
        const params = { layers: [{ w: fromData(w.slice(), [10, 7]), b: fromData(b.slice(), [7]) }] }
        const opt = makers[name]()
        const alone = [makers[name](), makers[name]()]
        for (let step = 0; step < 3; step++) {
          const [gw, gb] = [fill(70, next), fill(7, next)]
          // Names in another order.
          const gradients = { layers: [{ b: fromData(gb, [7]), w: fromData(gw, [10, 7]) }] }
          opt.step(params, gradients as unknown as typeof params)
          alone[0].step(w, gw)
          alone[1].step(b, gb)
        }
        expect([...params.layers[0].w.data]).to.deep.equal([...w])
        expect([...params.layers[0].b.data]).to.deep.equal([...b])
      }
    })

    it('trains tensors with gradients from an arena', () => {
      const params = { w: tensor([3, -2]), c: tensor([1]) }
      const loss = (p: typeof params): Tensor => sum(mul(square(p.w), p.c))
      const opt = sgd({ learningRate: 0.1 })
      withArena(() => opt.step(params, grad(loss)(params)))
      // 2 c w and Σ w²
      expect(params.w.toArray()).to.deep.equal([3 - 0.6, -2 + 0.4])
      expect(params.c.toArray()).to.deep.equal([1 - 1.3])
    })

    it('tensors take flat arrays of their size as gradients', () => {
      const params = { w: zeros([2, 2]) }
      sgd({ learningRate: 1 }).step(params as object, { w: Float64Array.of(1, 2, 3, 4) })
      expect(params.w.toArray()).to.deep.equal([
        [-1, -2],
        [-3, -4],
      ])
    })

    it('groups: other decay, other rates, frozen leaves', () => {
      const params = { w: Float64Array.of(1), b: Float64Array.of(1), frozen: Float64Array.of(1) }
      const none = { w: Float64Array.of(0), b: Float64Array.of(0), frozen: Float64Array.of(5) }
      const opt = adamW({
        learningRate: 0.1,
        weightDecay: 0.5,
        groups: [
          { parameters: /^b$/, weightDecay: 0 },
          { parameters: ({ path }) => path === 'frozen', learningRateFactor: 0 },
        ],
      })
      opt.step(params, none)
      expect(params.w[0]).to.equal(0.95)
      expect(params.b[0]).to.equal(1)
      expect(params.frozen[0]).to.equal(1)
    })

    it('refuses gradients of another form, and changes nothing', () => {
      const params = () => ({ w: [zeros([2, 3])], b: Float64Array.of(1) })
      const good = { w: [zeros([2, 3])], b: Float64Array.of(1) }
      const opt = adam()
      const refuse = (gradients: unknown, code: 'ERR_SHAPE' | 'ERR_DTYPE' | 'ERR_TAPE', message: RegExp) => {
        const given = params()
        expectError(() => opt.step(given as object, gradients as object), code, message)
        expect(given.b[0]).to.equal(1)
        expect(opt.steps).to.equal(0)
      }
      refuse({ w: good.w }, 'ERR_SHAPE', /gradients: expected \{ w, b \}, got \{ w \}/)
      refuse({ ...good, c: good.b }, 'ERR_SHAPE', /got \{ w, b, c \}/)
      refuse({ ...good, w: [] }, 'ERR_SHAPE', /gradients.w: expected 1 entries, got 0/)
      refuse({ ...good, w: good.w[0] }, 'ERR_SHAPE', /gradients.w: expected 1 entries, got Tensor/)
      refuse(
        { ...good, w: [zeros([3, 2])] },
        'ERR_SHAPE',
        /gradients.w\[0\]: expected float64 of shape \[2, 3\], got float64 of shape \[3, 2\]/,
      )
      refuse({ ...good, b: Float64Array.of(1, 2) }, 'ERR_SHAPE', /gradients.b/)
      refuse(
        { ...good, b: Float32Array.of(1) },
        'ERR_DTYPE',
        /gradients.b: expected float64 of shape \[1\], got float32/,
      )
      refuse({ ...good, b: [1] }, 'ERR_SHAPE', /gradients.b: expected a tensor or a typed array, got Array/)
      refuse(null, 'ERR_SHAPE', /gradients: expected \{ w, b \}, got null/)
      expectError(() => opt.step([1, 2], [1, 2]), 'ERR_SHAPE', /params\[0\]: expected tensors or typed arrays/)
      expectError(
        () => opt.step(Int32Array.of(1), Int32Array.of(1)),
        'ERR_DTYPE',
        /params: expected float64 or float32, got Int32Array/,
      )
      grad((x: Tensor) => {
        expectError(() => opt.step(x, tensor([1, 2])), 'ERR_TAPE', /params: expected plain data/)
        return sum(x)
      })(tensor([1, 2]))
    })

    it('refuses another tree than that of the first step', () => {
      const opt = adam()
      opt.step([zeros([3])], [zeros([3])])
      expectError(
        () => opt.step([zeros([4])], [zeros([4])]),
        'ERR_SHAPE',
        /params: expected '\[0\]' float64 \[3\] as leaf 0/,
      )
      expectError(() => opt.step([], []), 'ERR_SHAPE', /params: expected 1 leaves as before, got 0/)
      opt.step([zeros([3])], [zeros([3])])
      expect(opt.steps).to.equal(2)
    })

    it('refuses memory that is shared or gone', () => {
      const opt = sgd()
      const buffer = new Float64Array(10)
      const [left, right] = [buffer.subarray(0, 6), buffer.subarray(4)]
      const g = () => new Float64Array(6)
      expectError(
        () => opt.step([left, right], [g(), g()]),
        'ERR_BUFFER',
        /params\[1\]: expected memory of its own, got that of params\[0\]/,
      )
      expectError(
        () => opt.step(left, right),
        'ERR_BUFFER',
        /gradients: expected memory of its own, got that of params/,
      )
      opt.step(buffer.subarray(0, 5), buffer.subarray(5))
      const gradient = new Float64Array(5)
      // One gradient may serve two leaves.
      const two = sgd()
      two.step([new Float64Array(5), new Float64Array(5)], [gradient, gradient])
      expectError(() => opt.step(transferred(new Float64Array(5)), gradient), 'ERR_BUFFER', /params/)
      expectError(() => opt.step(resizable(5), gradient), 'ERR_BUFFER', /params/)
    })
  })

  describe('gradients that are not finite', () => {
    it('are refused by entry and step before anything is changed', () => {
      for (const [name, make] of Object.entries(makers)) {
        for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const params = { a: Float64Array.of(1, 2), b: fill(n, randomNormal(1)) }
          const opt = make()
          opt.step(params, { a: Float64Array.of(1, 1), b: new Float64Array(n).fill(1) })
          const before = { params: structuredClone(params), state: opt.state() }
          const b = new Float64Array(n)
          b[70] = wrong
          expectError(
            () => opt.step(params, { a: Float64Array.of(1, 1), b }),
            'ERR_NOT_FINITE',
            `gradients.b[70]: expected a finite number, got ${wrong} at step 1`,
          )
          expect(params, name).to.deep.equal(before.params)
          expect(opt.state()).to.deep.equal(before.state)
        }
      }
    })

    it('pass unseen with checkFinite: false', () => {
      const x = Float64Array.of(1)
      sgd({ checkFinite: false }).step(x, Float64Array.of(Number.NaN))
      expect(x[0]).to.be.NaN
    })

    it('large and small gradients are none', () => {
      for (const size of [1e200, 1e-200]) {
        const x = Float64Array.of(1, 1)
        adam({ learningRate: 0.5, epsilon: 1e-300, clipNorm: 1e300 }).step(x, Float64Array.of(size, -size))
        // v overflows at 1e200, but nothing is refused.
        expect(x.every((entry) => !Number.isNaN(entry))).to.equal(true)
      }
      const y = Float64Array.of(0, 0)
      sgd({ learningRate: 1, clipNorm: 5 }).step(y, Float64Array.of(3e200, -4e200))
      expect(y[0]).to.be.closeTo(-3, 1e-14)
      expect(y[1]).to.be.closeTo(4, 1e-14)
    })
  })

  describe('state', () => {
    it('continues bit by bit from JSON and raw bytes', () => {
      for (const [name, make] of Object.entries(makers)) {
        const next = randomNormal(8)
        const params = { w: fill(70, next), b: Float32Array.from(fill(5, next)) }
        const gradient = () => ({ w: fill(70, next), b: Float32Array.from(fill(5, next)) })
        const first = make({ learningRate: (step: number) => 0.01 / (step + 1) })
        for (let step = 0; step < 4; step++) first.step(params, gradient())
        const { header, arrays } = first.state()
        const copy = structuredClone(params)
        const second = make({ learningRate: (step: number) => 0.01 / (step + 1) })
        second.restore({
          header: JSON.parse(JSON.stringify(header)),
          arrays: arrays.map((array) => array.slice()),
        })
        expect(second.steps).to.equal(4)
        for (let step = 0; step < 4; step++) {
          const g = gradient()
          first.step(params, g)
          second.step(copy, g)
        }
        expect(copy, name).to.deep.equal(params)
      }
    })

    it('is a copy', () => {
      const opt = sgd({ momentum: 0.5 })
      const x = Float64Array.of(0)
      opt.step(x, Float64Array.of(1))
      const state = opt.state()
      opt.step(x, Float64Array.of(1))
      expect(state.arrays[0][0]).to.equal(1)
      opt.restore(state)
      state.arrays[0][0] = 100
      opt.step(x, Float64Array.of(0))
      expect(opt.state().arrays[0][0]).to.equal(0.5)
    })

    it('of another method, or broken, is refused', () => {
      const opt = adam()
      const x = Float64Array.of(1, 2)
      opt.step(x, Float64Array.of(1, 1))
      const { header, arrays } = opt.state()
      expectError(() => lamb().restore({ header, arrays }), 'ERR_OPTION', /state: expected one of 'lamb'.*, got 'adam'/)
      expectError(() => opt.restore({ header, arrays: arrays.slice(1) }), 'ERR_SHAPE', /expected 2 arrays, got 1/)
      const short = [arrays[0], Float64Array.of(1)]
      expectError(
        () => opt.restore({ header, arrays: short }),
        'ERR_SHAPE',
        /state square of params: expected 2 numbers/,
      )
      const narrow = [Float32Array.of(1, 2), arrays[1]]
      expectError(() => opt.restore({ header, arrays: narrow }), 'ERR_SHAPE', /float64/)
      const bad = [Float64Array.of(1, Number.NaN), arrays[1]]
      expectError(() => opt.restore({ header, arrays: bad }), 'ERR_NOT_FINITE', /mean/)
      expectError(() => opt.restore({ header: { ...header, steps: -1 }, arrays }), 'ERR_OPTION', /steps/)
      const broken = (leaves: unknown) => opt.restore({ header: { ...header, leaves } as never, arrays })
      expectError(() => broken(null), 'ERR_OPTION', /leaves: expected an array, got null/)
      expectError(() => broken([null]), 'ERR_OPTION', /leaves\[0\].dtype/)
      expectError(() => broken([{ dtype: 'float64', shape: [2] }]), 'ERR_OPTION', /leaves\[0\].path/)
      expectError(() => broken([{ path: '', dtype: 'float64', shape: 2 }]), 'ERR_SHAPE', /leaves\[0\].shape/)
      expectError(() => opt.restore({} as never), 'ERR_OPTION', /state/)
      expect(opt.steps).to.equal(1)
    })
  })

  describe('the learning rate', () => {
    it('may be a schedule, and may change', () => {
      const x = Float64Array.of(0)
      const g = Float64Array.of(1)
      const opt = sgd({ learningRate: (step) => 10 ** -step })
      for (let step = 0; step < 3; step++) opt.step(x, g)
      expect(x[0]).to.be.closeTo(-1.11, 1e-15)
      opt.learningRate = 5
      opt.step(x, g)
      expect(x[0]).to.be.closeTo(-6.11, 1e-15)
      expect(opt.learningRate).to.equal(5)
    })

    it('is checked', () => {
      const opt = sgd()
      for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => {
          opt.learningRate = wrong
        }).to.throw(/learningRate: expected a finite number > 0/)
      }
      const x = Float64Array.of(1)
      opt.learningRate = () => Number.NaN
      expectError(() => opt.step(x, Float64Array.of(1)), 'ERR_OPTION', /learningRate: .* at step 0, got NaN/)
      expect(x[0]).to.equal(1)
    })
  })

  it('refuse options that make no sense', () => {
    expectError(() => adam({ beta1: 1 }), 'ERR_OPTION', /beta1/)
    expectError(() => adam({ epsilon: 0 }), 'ERR_NOT_POSITIVE', /epsilon/)
    expectError(() => sgd({ momentum: 1.5 }), 'ERR_OPTION', /momentum/)
    expectError(() => sgd({ nesterov: true }), 'ERR_OPTION', /nesterov: expected false without momentum/)
    expectError(() => rmsprop({ alpha: -1 }), 'ERR_OPTION', /alpha/)
    expectError(() => lamb({ weightDecay: -1 }), 'ERR_OPTION', /weightDecay/)
    expectError(() => adamW({ clipNorm: 0 }), 'ERR_NOT_POSITIVE', /clipNorm/)
    expectError(() => adamW({ learningrate: 1 } as object), 'ERR_OPTION', /did you mean 'learningRate'/)
    expectError(() => adamW({ groups: {} } as object), 'ERR_OPTION', /groups: expected an array/)
    expectError(
      () => adamW({ groups: [{ parameters: /x/, beta: 1 }] } as object),
      'ERR_OPTION',
      /groups\[0\]: unknown name 'beta'/,
    )
  })
})
