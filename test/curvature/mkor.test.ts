import { expect } from 'chai'
import {
  convolutionStatistics,
  denseStatistics,
  type LayerStatistics,
  type MkorEvent,
  type MkorOptions,
  mkor,
} from '../../lib/curvature/index.js'
import { sgd } from '../../lib/descent/index.js'
import { fromData } from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { relativeError } from '../helpers/fisher.js'
import {
  combined,
  identity,
  inner,
  inverse,
  product,
  type Rows,
  symmetricEigen,
  times,
  toRows,
} from '../helpers/matrices.js'
import { fill, randomNormal } from '../helpers/random.js'

const [inputs, outputs] = [5, 3]

/** L⁻¹ and R⁻¹ of the first layer, from the state. */
function factorsOf(optimizer: ReturnType<typeof mkor>): [Rows, Rows] {
  const { header, arrays } = optimizer.state()
  const [o, i] = header.factors[0]!
  return [toRows(arrays[0], o), toRows(arrays[1], i)]
}

const outer = (v: ArrayLike<number>): Rows => Array.from(v, (a) => Array.from(v, (b) => a * b))

describe('curvature: mkor', () => {
  forEachBackend((backend) => {
    const next = randomNormal(1)
    const vector = (n: number) => fill(n, next)
    const layer = { weight: 'w' }
    const make = (options: Partial<MkorOptions> = {}) =>
      mkor({ base: sgd({ learningRate: 0.1 }), layers: [layer], interval: 1, storage: 'float64', backend, ...options })
    const params = () => ({ w: fromData(new Float64Array(inputs * outputs), [inputs, outputs]) })
    const tree = (data: Float64Array) => ({ w: fromData(data, [inputs, outputs]) })
    const statistics = (): LayerStatistics => ({ input: vector(inputs), outputGradient: vector(outputs) })

    it('keeps the exact inverse of the moving average', () => {
      const n = 40
      const optimizer = mkor({
        base: sgd(),
        layers: [layer],
        interval: 1,
        storage: 'float64',
        stabilizer: false,
        backend,
      })
      const w = new Float64Array(n * n)
      const g = fill(n * n, next)
      let average = identity(n)
      for (let t = 0; t < 500; t++) {
        const v = fill(n, next).map((value, j) => value * 10 ** (j / n))
        optimizer.step({ w }, { w: g }, [{ input: v, outputGradient: v }])
        average = combined(
          average.map((row) => row.map((value) => 0.95 * value)),
          0.05,
          outer(v),
        )
      }
      const [left, right] = factorsOf(optimizer)
      for (const x of [left, right]) {
        expect(relativeError(x.flat(), inverse(average).inverse.flat())).to.be.at.most(1e-10)
        expect(x.map((_, j) => x.map((row) => row[j]))).to.deep.equal(x)
        expect(Math.min(...symmetricEigen(x).values)).to.be.above(0)
      }
    })

    it('has the printed formula and that of the package', () => {
      for (const [update, next] of [
        [
          'printed',
          (x: Rows, v: Float64Array): Rows => {
            const y = times(x, v)
            const s = inner(v, y)
            const factor = 0.2 / (0.8 ** 2 * (1 + 0.8 * 0.2 * s))
            return combined(
              x.map((row) => row.map((value) => 0.8 * value)),
              factor,
              outer(y),
            )
          },
        ],
        [
          'package',
          (x: Rows, v: Float64Array): Rows => {
            const mixed = combined(
              x.map((row) => row.map((value) => 0.95 * value)),
              0.05,
              identity(x.length),
            )
            const y = times(mixed, v)
            return combined(mixed, -1 / (1 + inner(v, y)), outer(y))
          },
        ],
      ] as const) {
        const optimizer = make({ update, decay: 0.8 })
        let [left, right] = [identity(outputs), identity(inputs)]
        const stabilized = (x: Rows) =>
          Math.max(...x.flat().map(Math.abs)) > 2
            ? combined(
                x.map((row) => row.map((value) => 0.9 * value)),
                0.1,
                identity(x.length),
              )
            : x
        for (let t = 0; t < 6; t++) {
          const own = { input: vector(inputs), outputGradient: vector(outputs) }
          optimizer.step(params(), tree(vector(inputs * outputs)), [own])
          left = next(stabilized(left), own.outputGradient)
          right = next(stabilized(right), own.input)
        }
        const [l, r] = factorsOf(optimizer)
        expect(relativeError(l.flat(), left.flat()), update).to.be.at.most(1e-12)
        expect(relativeError(r.flat(), right.flat()), update).to.be.at.most(1e-12)
      }
      expectError(
        () => make({ update: 'printed', stabilizer: false }),
        'ERR_OPTION',
        /^update: expected a stabilizer for 'printed'/,
      )
    })

    it('is K-FAC where a batch is one sample, with biases and in both layouts', () => {
      for (const isInputsFirst of [true, false]) {
        const optimizer = mkor({
          base: sgd({ learningRate: 1 }),
          layers: [{ weight: 'w', bias: 'b', layout: isInputsFirst ? 'inputs-first' : 'outputs-first' }],
          ...{ interval: 1, storage: 'float64', stabilizer: false, backend },
        })
        let [l, r] = [identity(outputs), identity(inputs + 1)]
        const [w, b] = [new Float64Array(inputs * outputs), new Float64Array(outputs)]
        for (let t = 0; t < 8; t++) {
          const a = vector(inputs)
          const g = vector(outputs)
          // The gradient of a sample: g aᵀ and g.
          const rows = isInputsFirst
            ? Array.from(a, (x) => Array.from(g, (y) => x * y))
            : Array.from(g, (y) => Array.from(a, (x) => x * y))
          const before = [w.slice(), b.slice()]
          optimizer.step({ w, b }, { w: Float64Array.from(rows.flat()), b: g.slice() }, [
            { input: a, outputGradient: g },
          ])
          const folded = [...a, 1]
          l = combined(
            l.map((row) => row.map((value) => 0.95 * value)),
            0.05,
            outer(g),
          )
          r = combined(
            r.map((row) => row.map((value) => 0.95 * value)),
            0.05,
            outer(folded),
          )
          const whole = Array.from(g, (y) => folded.map((x) => x * y))
          const direction = product(product(inverse(l).inverse, whole), inverse(r).inverse)
          const scale = Math.hypot(...whole.flat()) / Math.hypot(...direction.flat())
          for (let o = 0; o < outputs; o++) {
            for (let i = 0; i < inputs; i++) {
              const at = isInputsFirst ? i * outputs + o : o * inputs + i
              expect(before[0][at] - w[at]).to.be.closeTo(scale * direction[o][i], 1e-11)
            }
            expect(before[1][o] - b[o]).to.be.closeTo(scale * direction[o][inputs], 1e-11)
          }
        }
      }
    })

    it('keeps the norm of gradients and goes down them, in every storage', () => {
      for (const storage of ['float64', 'float32', 'float16'] as const) {
        const optimizer = make({ storage, interval: 2, base: sgd({ learningRate: 1 }) })
        for (let t = 0; t < 20; t++) {
          const gradient = vector(inputs * outputs).map((value) => value * 10 ** (10 - t))
          const w = params()
          optimizer.step(w, tree(gradient), optimizer.wantsStatistics ? [statistics()] : undefined)
          const change = w.w.data.map((value) => -value) as Float64Array
          expect(Math.hypot(...change) / Math.hypot(...gradient)).to.be.closeTo(1, 1e-6)
          expect(inner(change, gradient)).to.be.above(0)
        }
        const bytes = { float64: 8, float32: 4, float16: 2 }[storage]
        expect(optimizer.memoryBytes).to.equal(bytes * (inputs ** 2 + outputs ** 2))
      }
    })

    it('rounds to the nearest half precision number', () => {
      const wide = make({ storage: 'float64' })
      const half = make({ storage: 'float16', stabilizer: { threshold: 1e-3, weight: 1 } })
      const own = statistics()
      wide.step(params(), tree(vector(15)), [own])
      half.step(params(), tree(vector(15)), [own])
      const [exact, rounded] = [wide.state().arrays, half.state().arrays]
      exact.slice(0, 2).forEach((array, k) => {
        array.forEach((value, i) => {
          // 11 binary digits, and no finer than 2^-24.
          const unit = Math.max(2 ** (Math.floor(Math.log2(Math.abs(value))) - 10), 2 ** -24)
          expect(Math.abs(rounded[k][i] - value)).to.be.at.most(unit / 2 + 1e-7 * Math.abs(value))
          expect(rounded[k][i] / unit).to.equal(Math.round(rounded[k][i] / unit))
        })
      })
    })

    it('with statistics of zeros becomes the base optimizer', () => {
      const optimizer = make({ base: sgd({ learningRate: 1 }) })
      const zeros = { input: new Float64Array(inputs), outputGradient: new Float64Array(outputs) }
      for (let t = 0; t < 60; t++) optimizer.step(params(), tree(vector(15)), [zeros])
      for (const x of factorsOf(optimizer)) {
        x.forEach((row, i) => {
          row.forEach((value, j) => {
            expect(value).to.equal(i === j ? x[0][0] : 0)
          })
        })
        expect(x[0][0]).to.be.within(1, 2.2)
      }
      const gradient = vector(15)
      const w = params()
      optimizer.step(w, tree(gradient), [zeros])
      expect(
        relativeError(
          w.w.data.map((value) => -value),
          gradient,
        ),
      ).to.be.at.most(1e-14)
    })

    it('with a decay of 1 leaves the factors, and clamps statistics', () => {
      const still = make({ decay: 1 })
      still.step(params(), tree(vector(15)), [statistics()])
      const [left, right] = factorsOf(still)
      expect([left, right]).to.deep.equal([identity(outputs), identity(inputs)])
      const own = { input: fill(inputs, () => 1e6), outputGradient: fill(outputs, () => -1e6) }
      const clamped = { input: fill(inputs, () => 7), outputGradient: fill(outputs, () => -7) }
      const states = [own, clamped].map((given) => {
        const optimizer = make({ clip: 7 })
        optimizer.step(params(), tree(Float64Array.from({ length: 15 }, (_, i) => i)), [given])
        return optimizer.state()
      })
      expect(states[0]).to.deep.equal(states[1])
    })

    it('takes statistics every so many steps, of rank r one after the other', () => {
      const [one, two] = [statistics(), statistics()]
      const both = {
        input: [Array.from(one.input as Float64Array), Array.from(two.input as Float64Array)],
        outputGradient: [
          Array.from(one.outputGradient as Float64Array),
          Array.from(two.outputGradient as Float64Array),
        ],
      }
      const twice = make()
      twice.step(params(), tree(vector(15)), [one])
      twice.step(params(), tree(vector(15)), [two])
      const once = make({ interval: 3, warmUp: 2 })
      const asked: boolean[] = []
      once.step(params(), tree(vector(15)), [both])
      expect(factorsOf(once)).to.deep.equal(factorsOf(twice))
      for (let t = 1; t < 8; t++) {
        asked.push(once.wantsStatistics)
        const before = factorsOf(once)
        once.step(params(), tree(vector(15)), [statistics()])
        const isSame = JSON.stringify(factorsOf(once)) === JSON.stringify(before)
        expect(isSame).to.equal(!asked[t - 1])
      }
      expect(asked).to.deep.equal([true, false, true, false, false, true, false])
    })

    it('leaves other leaves, and layers of first order, to the base', () => {
      const build = () => ({ w: new Float64Array(15), last: new Float64Array(4), c: new Float64Array(2) })
      const optimizer = make({ layers: [layer, { weight: 'last', firstOrder: true }], base: sgd({ learningRate: 1 }) })
      const gradients = { w: vector(15), last: vector(4), c: vector(2) }
      const given = build()
      optimizer.step(given, gradients, [statistics(), null])
      expect(
        relativeError(
          given.last,
          gradients.last.map((x) => -x),
        ),
      ).to.equal(0)
      expect(
        relativeError(
          given.c,
          gradients.c.map((x) => -x),
        ),
      ).to.equal(0)
      expect(
        relativeError(
          given.w,
          gradients.w.map((x) => -x),
        ),
      ).to.be.above(0.01)
      optimizer.learningRate = 0.25
      expect(optimizer.learningRate).to.equal(0.25)
    })

    it('tells of layers that are too large, and of useless statistics', () => {
      const events: MkorEvent[] = []
      const large = make({ maxDim: 4, onEvent: (event) => events.push(event), base: sgd({ learningRate: 1 }) })
      const w = params()
      const gradient = vector(15)
      large.step(w, tree(gradient), [statistics()])
      expect(events).to.deep.equal([{ type: 'first-order', layer: 'w', dimension: 5, step: 0 }])
      expect(
        relativeError(
          w.w.data.map((x) => -x),
          gradient,
        ),
      ).to.equal(0)
      events.length = 0
      const optimizer = make({ maxBadSteps: 3, onEvent: (event) => events.push(event) })
      optimizer.step(params(), tree(gradient), [statistics()])
      const before = factorsOf(optimizer)
      const bad = { input: fill(inputs, () => Number.NaN), outputGradient: vector(outputs) }
      optimizer.step(params(), tree(gradient), [bad])
      optimizer.step(params(), tree(gradient), [bad])
      expect(factorsOf(optimizer)).to.deep.equal(before)
      expect(events).to.deep.equal([
        { type: 'skipped-statistics', layer: 'w', step: 1, inARow: 1 },
        { type: 'skipped-statistics', layer: 'w', step: 2, inARow: 2 },
      ])
      const state = optimizer.state()
      expectError(
        () => optimizer.step(params(), tree(gradient), [bad]),
        'ERR_NOT_FINITE',
        /^statistics: .*3 refreshes in a row/,
      )
      expect(optimizer.state()).to.deep.equal(state)
      optimizer.step(params(), tree(gradient), [statistics()])
      expect(optimizer.state().header.badSteps).to.equal(0)
    })

    it('begins a factor anew that grew beyond use', () => {
      const events: MkorEvent[] = []
      const grown = make({ update: 'printed', storage: 'float32', onEvent: (event) => events.push(event) })
      const own = { input: fill(inputs, () => 50), outputGradient: fill(outputs, () => 50) }
      for (let t = 0; t < 200; t++) {
        const w = params()
        grown.step(w, tree(fill(15, () => 1)), [own])
        expect(w.w.data.every(Number.isFinite)).to.equal(true)
      }
      expect(events.map(({ type }) => type)).to.include('reset')
    })

    it('goes on bit by bit from a state', () => {
      for (const storage of ['float64', 'float32', 'float16'] as const) {
        const build = () => make({ storage, interval: 2, base: sgd({ learningRate: 0.1, momentum: 0.9 }) })
        const data = Array.from({ length: 10 }, () => ({ gradient: vector(15), own: [statistics()] }))
        const run = (optimizer: ReturnType<typeof mkor>, w: ReturnType<typeof params>, from: number, to: number) => {
          for (let k = from; k < to; k++) optimizer.step(w, tree(data[k].gradient.slice()), data[k].own)
        }
        const [first, w] = [build(), params()]
        run(first, w, 0, 5)
        const state = structuredClone(first.state())
        const copy = tree(Float64Array.from(w.w.data))
        run(first, w, 5, 10)
        const second = build()
        second.restore(state)
        run(second, copy, 5, 10)
        expect(copy.w.data).to.deep.equal(w.w.data)
        expect(second.state()).to.deep.equal(first.state())
        expect(JSON.parse(JSON.stringify(state.header))).to.deep.equal(state.header)
      }
    })

    it('takes statistics as the means over a batch, checked by finite differences', () => {
      // loss = mean over the batch of ½|tanh(x W) - y|², by the outputs of the layer x W.
      const batch = 4
      const x = vector(batch * inputs)
      const w = vector(inputs * outputs)
      const y = vector(batch * outputs)
      const sample = (n: number, shift: number, by: number): number => {
        let sum = 0
        for (let o = 0; o < outputs; o++) {
          let z = o === shift ? by : 0
          for (let i = 0; i < inputs; i++) z += x[n * inputs + i] * w[i * outputs + o]
          sum += (Math.tanh(z) - y[n * outputs + o]) ** 2 / 2
        }
        return sum
      }
      const slope = (n: number, o: number) => (sample(n, o, 1e-5) - sample(n, o, -1e-5)) / 2e-5
      const rows = Array.from({ length: batch }, (_, n) => Array.from({ length: outputs }, (_, o) => slope(n, o)))
      const mean = Array.from({ length: outputs }, (_, o) => rows.reduce((sum, row) => sum + row[o], 0) / batch)
      const given = { data: x, shape: [batch, inputs] }
      const ofMean = denseStatistics(
        given,
        rows.map((row) => row.map((value) => value / batch)),
      )
      const ofSum = denseStatistics(given, rows, { reduction: 'sum' })
      for (const { input, outputGradient } of [ofMean, ofSum]) {
        expect(relativeError(outputGradient, mean)).to.be.at.most(1e-12)
        for (let i = 0; i < inputs; i++) {
          expect(input[i]).to.be.closeTo((x[i] + x[inputs + i] + x[2 * inputs + i] + x[3 * inputs + i]) / 4, 1e-14)
        }
      }
      expectError(() => denseStatistics([[1]], [[1], [2]]), 'ERR_SHAPE', /^outputGradients: expected 1 rows/)
    })

    it('takes a convolution as a dense layer on patches', () => {
      const [n, c, height, width, filters, stride, padding] = [2, 2, 5, 4, 3, 2, 1]
      const x = vector(n * c * height * width)
      const [down, across] = [3, 2]
      const g = vector(n * filters * down * across)
      const patches: number[][] = []
      const gradients: number[][] = []
      for (let s = 0; s < n; s++) {
        for (let i = 0; i < down; i++) {
          for (let j = 0; j < across; j++) {
            const patch: number[] = []
            for (let k = 0; k < c; k++) {
              for (let a = 0; a < 3; a++) {
                for (let b = 0; b < 3; b++) {
                  const [p, q] = [i * stride + a - padding, j * stride + b - padding]
                  patch.push(
                    p < 0 || q < 0 || p >= height || q >= width ? 0 : x[((s * c + k) * height + p) * width + q],
                  )
                }
              }
            }
            patches.push(patch)
            gradients.push(Array.from({ length: filters }, (_, f) => g[((s * filters + f) * down + i) * across + j]))
          }
        }
      }
      const batch = {
        inputs: x,
        shape: [n, c, height, width],
        outputGradients: g,
        filters,
        kernel: [3, 3],
        stride,
        padding,
      } as const
      const { input, outputGradient } = convolutionStatistics(batch, { reduction: 'sum' })
      const expected = denseStatistics(patches, gradients, { reduction: 'sum' })
      expect(relativeError(input, expected.input)).to.be.at.most(1e-14)
      expect(relativeError(outputGradient, expected.outputGradient)).to.be.at.most(1e-14)
      const ofMean = convolutionStatistics(batch)
      expect(
        relativeError(
          ofMean.outputGradient,
          outputGradient.map((value) => n * value),
        ),
      ).to.be.at.most(1e-14)
      expectError(
        () => convolutionStatistics({ ...batch, kernel: [9, 3] }),
        'ERR_SHAPE',
        /^kernel: expected at most 7×6/,
      )
      expectError(() => convolutionStatistics({ ...batch, inputs: [1] }), 'ERR_SHAPE', /^inputs: expected 80 numbers/)
    })

    it('refuses what it cannot use', () => {
      for (const decay of [0, 1.1, Number.NaN]) expectError(() => make({ decay }), 'ERR_OPTION', /^decay: /)
      expectError(() => make({ interval: 0 }), 'ERR_OPTION', /^interval: /)
      expectError(() => make({ stabilizer: { threshold: 0 } }), 'ERR_NOT_POSITIVE', /^stabilizer\.threshold: /)
      expectError(() => make({ stabilizer: { weight: 1.5 } }), 'ERR_OPTION', /^stabilizer\.weight: /)
      expectError(() => make({ base: {} as never }), 'ERR_OPTION', /^base: /)
      expectError(() => make({ layers: [layer, layer] }), 'ERR_OPTION', /^layers\[1\]\.weight: /)
      expectError(() => make({ storage: 'int8' as never }), 'ERR_OPTION', /^storage: /)
      const optimizer = make()
      const gradient = tree(vector(15))
      const step = (given: unknown) => () => optimizer.step(params(), gradient, given as never)
      expectError(step(undefined), 'ERR_ORACLE', /^statistics: expected those of 1 layers at step 0, got undefined/)
      expectError(step([null]), 'ERR_ORACLE', /^statistics\[0\]: /)
      expectError(
        step([{ input: vector(4), outputGradient: vector(3) }]),
        'ERR_SHAPE',
        /^statistics\[0\]: .*got 4 inputs and 3 outputs/,
      )
      expectError(step([{ input: vector(5), outputGradient: vector(3), rank: 1 }]), 'ERR_OPTION', /unknown name 'rank'/)
      expectError(
        () => optimizer.step([new Float64Array(1)], [new Float64Array(1)], []),
        'ERR_SHAPE',
        /^params: expected a leaf 'w'/,
      )
      const nan = tree(vector(15))
      nan.w.data[4] = Number.NaN
      expectError(() => optimizer.step(params(), nan, [statistics()]), 'ERR_NOT_FINITE', /^gradients\.w\[4\]: /)
      expect(optimizer.steps).to.equal(0)
      expectError(() => optimizer.restore(sgd().state()), 'ERR_OPTION', /^state: expected one of 'mkor'/)
    })
  })
})
