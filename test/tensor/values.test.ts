import { expect } from 'chai'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { random } from '../helpers/random.js'
import { draw, expectNear } from '../helpers/tensor.js'

/** Large enough for the native kernels; odd, so that no vector length divides it. */
const length = 97

/** Repeated to a length that native kernels take. */
function repeated(values: readonly number[]): number[] {
  return Array.from({ length }, (_, i) => values[i % values.length])
}

// From mpmath 1.2 with 30 digits.
const normalPoints = [-30, -9.5, -2.5, -0.3, 0.1, 0.46, 0.5, 1, 2.7, 3.9, 4.5, 5.5]
const erfcValues = [
  ...[2, 2, 1.999593047982555, 1.3286267594591274, 0.887537083981715, 0.5153446099983203, 0.4795001221869535],
  ...[0.15729920705028513, 0.0001343327399405242, 3.4792248597231765e-8, 1.9661604415428876e-10, 7.357847917974398e-15],
]
const logNdtrValues = [
  ...[-454.3212439563432, -48.30601929896523, -5.08164827727869, -0.9621028181688507, -0.6165050101150263],
  ...[-0.38972677335677647, -0.3689464152886564, -0.17275377902344988, -0.003472997683837466, -4.8097500683844425e-5],
  ...[-3.397678896834466e-6, -1.8989562646189464e-8],
]
const inverseMillsValues = [
  ...[30.033259667433676, 9.603050090384283, 2.822744797663907, 0.9981659688584833, 0.7353317485057806],
  ...[0.5299292563934743, 0.5091604338370335, 0.2875999709391784, 0.010457189616877733, 0.0001986650264542293],
  ...[1.5983795414617587e-5, 1.0769760247056311e-7],
]
const gammaPoints = [-2.5, -0.3, 0.01, 0.5, 1, 1.5, 2, 3.7, 12.5, 250]
const lgammaValues = [
  ...[-0.056243716497674054, 1.4648400508576025, 4.599479878042022, 0.5723649429247001, 0, -0.12078223763524522, 0],
  ...[1.428072326665388, 18.734347511936445, 1128.5237708729908],
]
const digammaValues = [
  ...[1.103156640645243, 2.113309779635399, -100.56088545786868, -1.9635100260214235, -0.5772156649015329],
  ...[0.03648997397857652, 0.42278433509846713, 1.1671535393615113, 2.4851956512749123, 5.519459584531046],
]
const trigammaValues = [
  ...[9.539246644989124, 13.945160267805722, 10001.621213528313, 4.934802200544679, 1.6449340668482264],
  ...[0.9348022005446793, 0.6449340668482264, 0.3100378576700383, 0.08328522460157838, 0.004008010666632534],
]
const polygamma3Values = [
  ...[194.74787621918762, 766.6198904191685, 600000006.2510618, 97.40909103400244, 6.493939402266829],
  ...[1.4090910340024372, 0.49393940226682914, 0.058279217956563614, 0.0011534128049134052, 1.2877004798361634e-7],
]
// Left of 0, and far left.
const leftPoints = [-1e6 - 0.25, -123456.625, -1000.5, -20.1, -4.5, -0.001]
const leftValues = {
  1: [
    19.739207802179468, 11.562952705823887, 9.868605400173442, 103.30730494582464, 9.67026201409973, 1000001.6473414317,
  ],
  2: [
    124.02510672119828, -30.093537114940073, -9.98002747002644e-7, 1998.657305231049, -0.03960894752130204,
    1999999997.5893795,
  ],
  3: [
    1558.545456544039, 345.72498014480243, 194.81818206601088, 60014.25166236423, 194.802491475329, 6000000000006.519,
  ],
  6: [11791224.761240596, -671147.396833338, -1.1928230496799157e-16, 7199998859.900058, -0.007183016009278391, 7.2e23],
}

const special = [0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
const usual = [-30, -5.5, -1, -0.6, -0.5, -0.2, -1e-9, 1e-9, 0.01, 0.3, 0.5, 0.7, 1, 2, 9, 40]

const unary: [string, (x: t.Tensor) => t.Tensor, (x: number) => number, number[]][] = [
  ['neg', t.neg, (x) => -x, [...usual, ...special]],
  ['exp', t.exp, Math.exp, [...usual, ...special]],
  ['log', t.log, Math.log, [...usual.filter((x) => x > 0), ...special]],
  ['log1p', t.log1p, Math.log1p, [...usual.filter((x) => x >= -1), 0, Number.NaN, Number.POSITIVE_INFINITY]],
  ['expm1', t.expm1, Math.expm1, [...usual, ...special]],
  ['sqrt', t.sqrt, Math.sqrt, [...usual.filter((x) => x > 0), ...special]],
  ['rsqrt', t.rsqrt, (x) => 1 / Math.sqrt(x), [...usual.filter((x) => x > 0), Number.NaN, Number.POSITIVE_INFINITY]],
  ['reciprocal', t.reciprocal, (x) => 1 / x, [...usual, ...special]],
  ['square', t.square, (x) => x * x, [...usual, ...special]],
  ['abs', t.abs, Math.abs, [...usual, ...special]],
  ['sign', t.sign, Math.sign, [...usual, ...special]],
  ['floor', t.floor, Math.floor, [...usual, ...special]],
  ['sin', t.sin, Math.sin, [...usual, 0, Number.NaN]],
  ['cos', t.cos, Math.cos, [...usual, 0, Number.NaN]],
  ['tanh', t.tanh, Math.tanh, [...usual, ...special]],
  ['sigmoid', t.sigmoid, (x) => 1 / (1 + Math.exp(-x)), [...usual, ...special]],
  [
    'softplus',
    t.softplus,
    (x) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x))),
    [...usual, ...special],
  ],
  ['relu', t.relu, (x) => Math.max(x, 0), usual],
  ['leakyRelu', (x) => t.leakyRelu(x, 0.1), (x) => (x > 0 ? x : 0.1 * x), usual],
  ['silu', t.silu, (x) => x / (1 + Math.exp(-x)), usual],
  ['pow -1.5', (x) => t.pow(x, -1.5), (x) => x ** -1.5, usual.filter((x) => x > 0)],
  ['clamp', (x) => t.clamp(x, -0.5, 0.7), (x) => Math.min(0.7, Math.max(-0.5, x)), usual],
]

const tabulated: [string, (x: t.Tensor) => t.Tensor, number[], number[]][] = [
  ['erf', t.erf, normalPoints, erfcValues.map((value) => 1 - value)],
  ['erfc', t.erfc, normalPoints, erfcValues],
  ['logNdtr', t.logNdtr, normalPoints, logNdtrValues],
  ['inverseMills', t.inverseMills, normalPoints, inverseMillsValues],
  ['lgamma', t.lgamma, gammaPoints, lgammaValues],
  ['digamma', t.digamma, gammaPoints, digammaValues],
  ['trigamma', (x) => t.polygamma(1, x), gammaPoints, trigammaValues],
  ['polygamma 3', (x) => t.polygamma(3, x), gammaPoints, polygamma3Values],
  ['gelu', t.gelu, normalPoints, normalPoints.map((x, i) => x * Math.exp(logNdtrValues[i]))],
]

describe('values of tensor operations', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)

    it(
      'polygamma left of 0',
      on(() => {
        for (const [order, values] of Object.entries(leftValues)) {
          expectNear(t.polygamma(Number(order), t.tensor(repeated(leftPoints))), repeated(values), 2e-13)
        }
        // The recurrence ψ⁽ⁿ⁾(x + 1) = ψ⁽ⁿ⁾(x) + (-1)ⁿ n! / xⁿ⁺¹ across 0, and a double pole that is far away.
        for (const order of [1, 2, 5]) {
          const x = t.tensor(repeated([-0.7, -0.3, -0.25, -0.1]))
          const factorial = [1, 1, 2, 6, 24, 120][order] * (order % 2 === 0 ? 1 : -1)
          const next = t.add(t.polygamma(order, x), t.mul(factorial, t.pow(x, -1 - order)))
          expectNear(t.polygamma(order, t.add(x, 1)), next.data, 1e-8)
        }
        const far = t.polygamma(1, t.tensor(repeated([-1e300, -(2 ** 51) - 0.5])))
        expectNear(far, repeated([Number.POSITIVE_INFINITY, Math.PI ** 2]), 1e-15)
      }),
    )

    it(
      'the slope of logNdtr far to the left, in float32',
      on(() => {
        const x = t.tensor(repeated([-9, -50, -1e4]), { dtype: 'float32' })
        const slope = t.grad((y: t.Tensor) => t.sum(t.logNdtr(y)))(x)
        expectNear(slope, repeated([9.108523105002869, 50.019984031905636, 10000.000099999997]), 1e-7)
      }),
    )

    for (const [name, f, plain, points] of unary) {
      it(
        name,
        on(() => {
          const x = repeated(points)
          expectNear(f(t.tensor(x)), x.map(plain), 1e-14)
          const short = Float32Array.from(x)
          expectNear(f(t.tensor(short)), Float32Array.from(short, plain), 2e-6)
          expectNear(f(t.tensor(points)), points.map(plain), 1e-14)
        }),
      )
    }

    for (const [name, f, points, values] of tabulated) {
      it(
        name,
        on(() => {
          const relative = (came: t.Tensor, expected: number[], tolerance: number): void => {
            expected.forEach((value, i) => {
              const bound = tolerance * Math.max(Math.abs(value), name === 'lgamma' ? 1 : 1e-300)
              expect(came.data[i], `at ${points[i % points.length]}`).to.be.closeTo(value, bound)
            })
          }
          relative(f(t.tensor(repeated(points))), repeated(values), 2e-13)
          relative(f(t.tensor(points)), values, 2e-13)
          expectNear(f(t.tensor(Float32Array.from(repeated(points)))), repeated(values), 5e-5)
        }),
      )
    }

    it(
      'reductions against plain sums, over every set of axes',
      on(() => {
        const next = random(3)
        const shape = [3, 5, 7]
        const x = draw(shape, () => 4 * next() - 2)
        const kinds: [(x: t.Tensor, axes?: t.Axes) => t.Tensor, (values: number[]) => number][] = [
          [t.sum, (values) => values.reduce((a, b) => a + b, 0)],
          [t.mean, (values) => values.reduce((a, b) => a + b, 0) / values.length],
          [t.max, (values) => Math.max(...values)],
          [t.min, (values) => Math.min(...values)],
          [t.prod, (values) => values.reduce((a, b) => a * b, 1)],
          [t.norm, (values) => Math.hypot(...values)],
          [t.logSumExp, (values) => Math.log(values.reduce((a, b) => a + Math.exp(b), 0))],
        ]
        for (const axes of [[0], [1], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2], []]) {
          const groups = new Map<string, number[]>()
          for (let i = 0; i < x.size; i++) {
            const place = [Math.floor(i / 35), Math.floor(i / 7) % 5, i % 7]
            const key = place.filter((_, axis) => !axes.includes(axis)).join()
            groups.set(key, [...(groups.get(key) ?? []), x.data[i]])
          }
          for (const [f, plain] of kinds) {
            expectNear(f(x, axes), [...groups.values()].map(plain), 1e-13)
            const single = t.cast(x, 'float32')
            expectNear(f(single, axes), [...groups.values()].map(plain), 1e-5)
          }
        }
      }),
    )

    it(
      'sums of float32 numbers are kept in float64',
      on(() => {
        const x = t.full([1 << 17], 0.1, { dtype: 'float32' })
        expect(t.sum(x).item()).to.equal(Math.fround(Math.fround(0.1) * (1 << 17)))
        const columns = t.full([1 << 14, 8], 0.1, { dtype: 'float32' })
        expect(t.sum(columns, 0).data[3]).to.equal(Math.fround(Math.fround(0.1) * (1 << 14)))
      }),
    )

    it(
      'norm and logSumExp stay in range',
      on(() => {
        expect(t.norm(t.full([100], 1e200)).item()).to.be.closeTo(1e201, 1e188)
        expect(t.norm(t.full([100], 1e-200)).item()).to.be.closeTo(1e-199, 1e-212)
        expect(t.logSumExp(t.full([100], 1e3)).item()).to.be.closeTo(1e3 + Math.log(100), 1e-12)
        expect(t.logSumExp(t.full([100], Number.NEGATIVE_INFINITY)).item()).to.equal(Number.NEGATIVE_INFINITY)
        expect(t.max(t.tensor(repeated([1, Number.NaN, 3]))).item()).to.be.NaN
        expect(t.logSumExp(t.tensor(repeated([1, Number.NaN, 3]))).item()).to.be.NaN
      }),
    )

    it(
      'matmul of every transposition against triple loops',
      on(() => {
        const next = random(11)
        const [m, n, k] = [9, 11, 10]
        for (const dtype of ['float64', 'float32'] as const) {
          for (const transposeA of [false, true]) {
            for (const transposeB of [false, true]) {
              const a = draw([3, ...(transposeA ? [k, m] : [m, k])], () => next() - 0.5, dtype)
              const b = draw([3, ...(transposeB ? [n, k] : [k, n])], () => next() - 0.5, dtype)
              const expected: number[] = []
              for (let p = 0; p < 3; p++) {
                for (let i = 0; i < m; i++) {
                  for (let j = 0; j < n; j++) {
                    let sum = 0
                    for (let l = 0; l < k; l++) {
                      const left = a.data[p * m * k + (transposeA ? l * m + i : i * k + l)]
                      sum += left * b.data[p * n * k + (transposeB ? j * k + l : l * n + j)]
                    }
                    expected.push(sum)
                  }
                }
              }
              expectNear(t.matmul(a, b, { transposeA, transposeB }), expected, dtype === 'float64' ? 1e-14 : 1e-6)
            }
          }
        }
      }),
    )

    it(
      'einsum against sums over all letters',
      on(() => {
        const next = random(5)
        const lengths: Record<string, number> = { a: 2, b: 3, c: 4, d: 5 }
        for (const expression of [
          'abc,cd->abd',
          'abc,abd->cd',
          'ab,cd->dbca',
          'abc,abc->',
          'abc,cb->ab',
          'abc->ca',
          'ab,bc,cd->da',
        ]) {
          const [left, output] = expression.split('->')
          const inputs = left.split(',')
          const operands = inputs.map((letters) =>
            draw(
              [...letters].map((letter) => lengths[letter]),
              next,
            ),
          )
          const letters = [...new Set(left.replaceAll(',', ''))]
          const sums = new Map<string, number>()
          const place: Record<string, number> = {}
          const visit = (depth: number): void => {
            if (depth < letters.length) {
              for (let i = 0; i < lengths[letters[depth]]; i++) {
                place[letters[depth]] = i
                visit(depth + 1)
              }
              return
            }
            const factor = (x: t.Tensor, names: string): number =>
              x.data[[...names].reduce((at, letter) => at * lengths[letter] + place[letter], 0)]
            const product = operands.reduce((value, x, i) => value * factor(x, inputs[i]), 1)
            const key = [...output].map((letter) => place[letter]).join()
            sums.set(key, (sums.get(key) ?? 0) + product)
          }
          visit(0)
          const result = t.einsum(expression, ...operands)
          expect(result.shape).to.deep.equal([...output].map((letter) => lengths[letter]))
          const expected = Array.from({ length: result.size }, (_, i) => {
            let rest = i
            const key = [...output].reverse().map((letter) => {
              const index = rest % lengths[letter]
              rest = Math.floor(rest / lengths[letter])
              return index
            })
            return sums.get(key.reverse().join()) as number
          })
          expectNear(result, expected, 1e-13)
        }
      }),
    )

    it(
      'losses, softmax and distances by their definitions',
      on(() => {
        const next = random(8)
        const x = draw([12, 9], () => 6 * next() - 3)
        const rows = Array.from({ length: 12 }, (_, i) => [...x.data.slice(9 * i, 9 * i + 9)])
        const shares = rows.map((row) => {
          const total = row.reduce((sum, value) => sum + Math.exp(value), 0)
          return row.map((value) => Math.exp(value) / total)
        })
        const labels = rows.map((_, i) => (5 * i) % 9)
        expectNear(t.softmax(x), shares.flat(), 1e-14)
        expectNear(t.logSoftmax(x), shares.flat().map(Math.log), 1e-13)
        const losses = shares.map((row, i) => -Math.log(row[labels[i]]))
        expectNear(t.crossEntropy(x, labels, { reduction: 'none' }), losses, 1e-13)
        const mean = losses.reduce((a, b) => a + b, 0) / 12
        expect(t.crossEntropy(x, labels).item()).to.be.closeTo(mean, 1e-13)
        expect(t.crossEntropy(x, t.oneHot(labels, 9)).item()).to.be.closeTo(mean, 1e-13)
        const y = draw([12, 9], next)
        const gaps = [...x.data].map((value, i) => value - y.data[i])
        expect(t.mse(x, y, { reduction: 'sum' }).item()).to.be.closeTo(
          gaps.reduce((sum, r) => sum + r * r, 0),
          1e-11,
        )
        const robust = gaps.map((r) => (Math.abs(r) <= 0.8 ? r * r : 1.6 * Math.abs(r) - 0.64) / 2)
        expectNear(t.huber(x, y, { delta: 0.8, reduction: 'none' }), robust, 1e-14)
        const between = rows.flatMap((a) =>
          Array.from({ length: 12 }, (_, j) => a.reduce((sum, value, k) => sum + (value - y.data[9 * j + k]) ** 2, 0)),
        )
        expectNear(t.squaredDistances(x, y), between, 1e-13)
      }),
    )

    it(
      'places and orders',
      on(() => {
        const next = random(4)
        const x = draw([6, 13], () => Math.floor(9 * next()))
        for (let i = 0; i < 6; i++) {
          const row = [...x.data.slice(13 * i, 13 * i + 13)]
          expect(t.argmax(x).data[i]).to.equal(row.indexOf(Math.max(...row)))
          expect(t.argmin(x).data[i]).to.equal(row.indexOf(Math.min(...row)))
          const sorted = [...row].sort((a, b) => a - b)
          expect([...t.sort(x).data.slice(13 * i, 13 * i + 13)]).to.deep.equal(sorted)
          expect([...t.topK(x, 4).values.data.slice(4 * i, 4 * i + 4)]).to.deep.equal(sorted.reverse().slice(0, 4))
          let sum = 0
          expect([...t.cumsum(x).data.slice(13 * i, 13 * i + 13)]).to.deep.equal(row.map((value) => (sum += value)))
        }
      }),
    )

    it(
      'shapes against entries one by one',
      on(() => {
        const x = t.reshape(t.arange(0, 120), [4, 5, 6])
        const at = (i: number, j: number, k: number): number => (i * 5 + j) * 6 + k
        const entries = (shape: [number, number, number], f: (i: number, j: number, k: number) => number): number[] => {
          const out: number[] = []
          for (let i = 0; i < shape[0]; i++)
            for (let j = 0; j < shape[1]; j++) for (let k = 0; k < shape[2]; k++) out.push(f(i, j, k))
          return out
        }
        expectNear(
          t.transpose(x),
          entries([6, 5, 4], (i, j, k) => at(k, j, i)),
          0,
        )
        expectNear(
          t.transpose(x, [1, 0, 2]),
          entries([5, 4, 6], (i, j, k) => at(j, i, k)),
          0,
        )
        expectNear(
          t.slice(x, [undefined, [4, 0, -2], [1, 6, 2]]),
          entries([4, 2, 3], (i, j, k) => at(i, 4 - 2 * j, 1 + 2 * k)),
          0,
        )
        expectNear(
          t.flip(x, [0, 2]),
          entries([4, 5, 6], (i, j, k) => at(3 - i, j, 5 - k)),
          0,
        )
        expectNear(
          t.roll(x, 2, 1),
          entries([4, 5, 6], (i, j, k) => at(i, (j + 3) % 5, k)),
          0,
        )
        expectNear(
          t.tile(x, [1, 2, 1]),
          entries([4, 10, 6], (i, j, k) => at(i, j % 5, k)),
          0,
        )
        expectNear(
          t.gather(x, [3, 0], 2),
          entries([4, 5, 2], (i, j, k) => at(i, j, k === 0 ? 3 : 0)),
          0,
        )
        const padded = t.pad(
          x,
          [
            [0, 1],
            [2, 0],
            [1, 1],
          ],
          -7,
        )
        const inside = (i: number, j: number, k: number): boolean => i < 4 && j >= 2 && k >= 1 && k < 7
        expectNear(
          padded,
          entries([5, 7, 8], (i, j, k) => (inside(i, j, k) ? at(i, j - 2, k - 1) : -7)),
          0,
        )
        expectNear(
          t.concat([x, x], 1),
          entries([4, 10, 6], (i, j, k) => at(i, j % 5, k)),
          0,
        )
        expectNear(
          t.stack([t.slice(x, [0]), t.slice(x, [2])], 2),
          entries([5, 6, 2], (i, j, k) => at(2 * k, i, j)),
          0,
        )
      }),
    )

    it(
      'empty tensors',
      on(() => {
        const none = t.zeros([0, 3])
        expect(t.sum(none).item()).to.equal(0)
        expect(t.sum(none, 0).toArray()).to.deep.equal([0, 0, 0])
        expect(t.prod(none, 0).toArray()).to.deep.equal([1, 1, 1])
        expect(t.add(none, t.zeros([3])).shape).to.deep.equal([0, 3])
        expect(t.exp(none).shape).to.deep.equal([0, 3])
        expect(t.matmul(none, t.zeros([3, 2])).shape).to.deep.equal([0, 2])
        expect(t.matmul(t.zeros([2, 0]), t.zeros([0, 2])).toArray()).to.deep.equal([
          [0, 0],
          [0, 0],
        ])
        expect(t.softmax(none).shape).to.deep.equal([0, 3])
        expect(t.transpose(none).shape).to.deep.equal([3, 0])
        expect(t.concat([none, t.ones([1, 3])]).toArray()).to.deep.equal([[1, 1, 1]])
        expect(t.grad((x: t.Tensor) => t.sum(t.square(x)))(none).shape).to.deep.equal([0, 3])
        expect(t.grad((x: t.Tensor) => t.sum(t.matmul(t.ones([2, 0]), x)))(none).shape).to.deep.equal([0, 3])
      }),
    )
  })

  it('products over an inner length of 0 are 0', () => {
    const [a, b] = [t.zeros([2, 3, 0]), t.zeros([0, 4])]
    expect(t.matmul(a, b).shape).to.deep.equal([2, 3, 4])
    expect([...t.matmul(a, b).data]).to.deep.equal(new Array(24).fill(0))
    expect(t.grad((x: t.Tensor) => t.sum(t.matmul(x, b)))(a).shape).to.deep.equal([2, 3, 0])
  })
})
