import { expect } from 'chai'
import { kernels } from '../../lib/backend/index.js'
import type { ErrorCode } from '../../lib/core/index.js'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { fill, random } from '../helpers/random.js'
import { checkDerivatives, draw } from '../helpers/tensor.js'

type Pair = [re: Float64Array, im: Float64Array]

/** Σ_j x_j exp(∓2πi jk / n) by the definition, along lines that lie `stride` apart. */
function dft([re, im]: Pair, n: number, inner = 1, sign = -1): Pair {
  const cos = Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n))
  const sin = Array.from({ length: n }, (_, k) => sign * Math.sin((2 * Math.PI * k) / n))
  const out: Pair = [new Float64Array(re.length), new Float64Array(re.length)]
  for (let start = 0; start < re.length; start++) {
    if (Math.floor(start / inner) % n !== 0) continue
    for (let k = 0; k < n; k++) {
      let [x, y] = [0, 0]
      for (let j = 0; j < n; j++) {
        const [c, s, at] = [cos[(j * k) % n], sin[(j * k) % n], start + j * inner]
        x += re[at] * c - im[at] * s
        y += re[at] * s + im[at] * c
      }
      out[0][start + k * inner] = x
      out[1][start + k * inner] = y
    }
  }
  return out
}

/** The largest difference, relative to the size of the numbers. */
function gap(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [most, size] = [0, 1]
  expect(a.length).to.equal(b.length)
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i])
    most = difference > most || Number.isNaN(difference) ? difference : most
    size = Math.max(size, Math.abs(b[i]))
  }
  return most / size
}

const lengths = [...Array.from({ length: 200 }, (_, i) => i + 1), 256, 500, 509, 1000, 1009]

describe('Fourier transforms of tensors', () => {
  forEachBackend((backend) => {
    const kernel = () => kernels(backend).tensor

    it('are the sums of their definition, for all lengths', () => {
      const next = random(1)
      for (const n of lengths) {
        // One line, and more than fit side by side.
        for (const lines of n > 200 ? [1, 3] : [1, 13]) {
          const z: Pair = [fill(lines * n, () => next() - 0.5), fill(lines * n, () => next() - 0.5)]
          const out: Pair = [new Float64Array(lines * n), new Float64Array(lines * n)]
          kernel().fft(out[0], out[1], z[0], z[1], lines, n, 1, 2)
          const expected = dft(z, n)
          for (const part of [0, 1] as const) {
            expect(
              gap(
                out[part],
                expected[part].map((x) => 2 * x),
              ),
              `${lines} × ${n}`,
            ).to.be.below(1e-13 * Math.sqrt(n))
          }
        }
      }
    })

    it('of real numbers are their first modes, and turn back', () => {
      const next = random(2)
      for (const n of lengths) {
        for (const lines of n > 200 ? [1, 3] : [1, 13]) {
          const x = fill(lines * n, () => next() - 0.5)
          const modes = (n >> 1) + 1
          const out: Pair = [new Float64Array(lines * modes), new Float64Array(lines * modes)]
          kernel().rfft(out[0], out[1], x, lines, n, 2, 0.25)
          const all = dft([x, new Float64Array(lines * n)], n)
          const back = new Float64Array(lines * n)
          const firsts = all.map((part) =>
            Float64Array.from({ length: lines * modes }, (_, i) => part[Math.floor(i / modes) * n + (i % modes)]),
          )
          const weight = (i: number): number => (i % modes === 0 || 2 * (i % modes) === n ? 2 : 0.5)
          for (const part of [0, 1] as const) {
            const expected = firsts[part].map((value, i) => value * weight(i))
            expect(gap(out[part], expected), `${lines} × ${n}`).to.be.below(1e-13 * Math.sqrt(n))
          }
          // Imaginary parts that the modes of real numbers do not have are not read.
          for (let i = 0; i < firsts[1].length; i++) if (weight(i) === 2) firsts[1][i] = 7
          kernel().irfft(back, firsts[0], firsts[1], lines, n, 1 / n, 1)
          expect(gap(back, x), `back ${lines} × ${n}`).to.be.below(1e-13)
          // Weights of the modes: half of a real field's modes twice is the whole.
          kernel().irfft(back, out[0], out[1], lines, n, 0.5 / n, 4)
          expect(gap(back, x), `weighed ${lines} × ${n}`).to.be.below(1e-13)
        }
      }
    })

    it('run along any axis', () => {
      const next = random(3)
      for (const [outer, n, inner] of [
        [3, 8, 5],
        [2, 12, 19],
        [1, 7, 33],
        [5, 1009, 2],
        [1, 5000, 3],
      ]) {
        const size = outer * n * inner
        const z: Pair = [fill(size, () => next() - 0.5), fill(size, () => next() - 0.5)]
        const out: Pair = [new Float64Array(size), new Float64Array(size)]
        kernel().fft(out[0], out[1], z[0], z[1], outer, n, inner, 1)
        if (n < 5000) {
          const expected = dft(z, n, inner)
          for (const part of [0, 1]) expect(gap(out[part], expected[part])).to.be.below(1e-13 * Math.sqrt(n))
        }
        const back: Pair = [new Float64Array(size), new Float64Array(size)]
        kernel().fft(back[1], back[0], out[1], out[0], outer, n, inner, 1 / n)
        for (const part of [0, 1]) expect(gap(back[part], z[part])).to.be.below(1e-13)
      }
    })

    it('over two and three axes, forth and back', () => {
      const next = random(4)
      t.withBackend(backend, () => {
        for (const shape of [
          [2, 6, 10],
          [4, 5, 9],
          [3, 8, 8],
        ]) {
          const x = draw(shape, () => next() - 0.5)
          const zero = new Float64Array(x.size)
          const [, , n] = shape
          const rows = dft([x.data as Float64Array, zero], n)
          const planes = dft(rows, shape[1], n)
          const all = dft(planes, shape[0], n * shape[1])
          for (const [dimensions, expected] of [
            [2, planes],
            [3, all],
          ] as const) {
            const full = t.fft(x, { dimensions })
            expect(gap(full.re.data, expected[0])).to.be.below(1e-13)
            expect(gap(full.im.data, expected[1])).to.be.below(1e-13)
            const half = t.rfft(x, { dimensions })
            const kept: t.Range[] = [undefined, undefined, [0, (n >> 1) + 1]]
            expect(gap(half.re.data, t.slice(full.re, kept).data)).to.be.below(1e-13)
            expect(gap(half.im.data, t.slice(full.im, kept).data)).to.be.below(1e-13)
            const back = t.irfft(half, { dimensions, length: n })
            expect(back.shape).to.deep.equal(shape)
            expect(gap(back.data, x.data)).to.be.below(1e-14)
            const both = t.ifft(full, { dimensions })
            expect(gap(both.re.data, x.data)).to.be.below(1e-14)
            expect(gap(both.im.data, zero)).to.be.below(1e-14)
            // Parseval
            const energy = t.sum(t.squaredModulus(full)).item()
            const count = shape.slice(-dimensions).reduce((product, length) => product * length, 1)
            expect(energy / count).to.be.closeTo(t.sum(t.square(x)).item(), 1e-12 * energy)
          }
        }
      })
    })

    it('in float32', () => {
      const next = random(5)
      t.withBackend(backend, () => {
        for (const [rows, n] of [
          [1, 1009],
          [9, 96],
          [40, 31],
          [5, 254],
        ]) {
          const x = draw([rows, n], () => next() - 0.5, 'float32')
          const wide = t.rfft(t.cast(x, 'float64'))
          const modes = t.rfft(x)
          expect(modes.re.dtype).to.equal('float32')
          expect(gap(modes.re.data, wide.re.data)).to.be.below(2e-6)
          expect(gap(modes.im.data, wide.im.data)).to.be.below(2e-6)
          expect(gap(t.irfft(modes, { length: n }).data, x.data)).to.be.below(2e-6)
          const full = t.fft({ re: x, im: t.mul(2, x) })
          const both = t.fft({ re: t.cast(x, 'float64'), im: t.mul(2, t.cast(x, 'float64')) })
          expect(gap(full.re.data, both.re.data)).to.be.below(2e-6)
          expect(gap(full.im.data, both.im.data)).to.be.below(2e-6)
        }
      })
    })

    it('are differentiated', () => {
      const next = random(6)
      const joined = ({ re, im }: t.ComplexTensor): t.Tensor => t.concat([re, im], -1)
      const cases: [name: string, f: (...x: t.Tensor[]) => t.Tensor, ...shapes: number[][]][] = [
        ['fft', (re, im) => t.mul(joined(t.fft({ re, im })), t.add(joined({ re, im }), 1)), [9, 10], [9, 10]],
        ['fft of real numbers', (x) => t.square(joined(t.fft(x, { dimensions: 2 }))), [9, 8]],
        ['ifft', (re, im) => t.square(joined(t.ifft({ re, im }, { dimensions: 2 }))), [8, 9], [8, 9]],
        ['rfft of an even length', (x) => t.square(joined(t.rfft(x))), [8, 12]],
        ['rfft of an odd length', (x) => t.square(joined(t.rfft(x, { dimensions: 2 }))), [8, 11]],
        ['rfft in three dimensions', (x) => t.square(joined(t.rfft(x, { dimensions: 3 }))), [3, 4, 6]],
        ['irfft to an even length', (re, im) => t.square(t.irfft({ re, im }, { dimensions: 2 })), [9, 8], [9, 8]],
        ['irfft to an odd length', (re, im) => t.square(t.irfft({ re, im }, { length: 15 })), [9, 8], [9, 8]],
        ['irfft of real modes', (re) => t.square(t.irfft(re)), [9, 8]],
        [
          'a symbol',
          (x, re, im) => t.square(t.applySymbol(x, { re, im }, { dimensions: 2 })),
          [2, 9, 8],
          [9, 5],
          [9, 5],
        ],
        [
          'products of complex numbers',
          (re, im, x) => joined(t.complexMul(t.conjugate({ re, im }), t.complexMul(t.sin(x), { re: im, im: re }))),
          [9, 8],
          [9, 8],
          [8],
        ],
        [
          'quotients of complex numbers',
          (re, im, x) => joined(t.complexDiv({ re, im }, { re: t.add(x, 3), im })),
          [9, 8],
          [9, 8],
          [9, 8],
        ],
        [
          'sums of complex numbers',
          (re, im) => joined(t.complexSub(t.complexAdd({ re, im }, { re: im, im }), { re: im, im: re })),
          [9, 8],
          [9, 8],
        ],
        [
          'products mode by mode',
          (a, b, c, d) => joined(t.modeMatmul({ re: a, im: b }, { re: c, im: d })),
          [3, 4, 5, 2],
          [3, 4, 5, 2],
          [4, 3, 5, 2],
          [4, 3, 5, 2],
        ],
      ]
      t.withBackend(backend, () => {
        for (const [name, f, ...shapes] of cases) {
          const inputs = shapes.map((shape) => draw(shape, () => 2 * next() - 1))
          try {
            checkDerivatives(f, inputs, () => 2 * next() - 1)
          } catch (error) {
            throw new Error(name, { cause: error })
          }
        }
      })
    })

    it('have the transposes of the textbook', () => {
      // y = rfft(x): x̄ = n irfft(g̃) with g̃ = g at the first mode and at n/2, half of it between.
      const next = random(7)
      t.withBackend(backend, () => {
        for (const n of [64, 65]) {
          const x = draw([2, n], next)
          const modes = (n >> 1) + 1
          const g = { re: draw([2, modes], next), im: draw([2, modes], next) }
          const pulled = t.vjp((y: t.Tensor) => t.rfft(y), x).pullback(g)
          const weights = t.tensor(Array.from({ length: modes }, (_, k) => (k === 0 || 2 * k === n ? 1 : 0.5)))
          const expected = t.mul(n, t.irfft(t.complexMul(g, weights), { length: n }))
          expect(gap(pulled.data, expected.data)).to.be.below(1e-14)
          // x = irfft(z): z̄ = m/n rfft(x̄) with m = 1 at those two, whose imaginary parts get 0, and 2 between.
          const back = t.vjp((z: t.ComplexTensor) => t.irfft(z, { length: n }), g).pullback(x)
          const forward = t.complexMul(t.rfft(x), t.div(1 / n, weights))
          expect(gap(back.re.data, forward.re.data)).to.be.below(1e-14)
          expect(gap(back.im.data, forward.im.data)).to.be.below(1e-14)
          expect(back.im.data[0]).to.equal(0)
          if (n === 64) expect(back.im.data[modes - 1]).to.equal(0)
        }
      })
    })

    it('turn derivatives into products with a symbol', () => {
      t.withBackend(backend, () => {
        const n = 48
        const points = t.mul((2 * Math.PI) / n, t.arange(0, n))
        const x = t.add(t.expandDims(t.sin(points), 1), t.cos(t.mul(3, points)))
        const k = t.mul(n, t.fftFrequencies(n))
        const last = t.mul(n, t.fftFrequencies(n, { real: true }))
        const laplacian = t.neg(t.add(t.expandDims(t.square(k), 1), t.square(last)))
        const expected = t.neg(t.add(t.expandDims(t.sin(points), 1), t.mul(9, t.cos(t.mul(3, points)))))
        expect(gap(t.applySymbol(x, laplacian, { dimensions: 2 }).data, expected.data)).to.be.below(1e-13)
        const slope = t.applySymbol(x, { re: t.zerosLike(last), im: last })
        const turned = t.mul(-3, t.sin(t.mul(3, points)))
        expect(gap(slope.data, t.broadcastTo(turned, [n, n]).data)).to.be.below(1e-12)
      })
    })

    it('multiply channels mode by mode', () => {
      const next = random(8)
      t.withBackend(backend, () => {
        const [batch, i, o, modes] = [3, 4, 2, 700]
        const pair = (shape: number[]): t.ComplexTensor => ({ re: draw(shape, next), im: draw(shape, next) })
        const [z, w] = [pair([batch, i, modes]), pair([i, o, modes])]
        const out = t.modeMatmul(z, w)
        const [re, im] = [new Float64Array(batch * o * modes), new Float64Array(batch * o * modes)]
        for (let b = 0; b < batch; b++) {
          for (let to = 0; to < o; to++) {
            for (let m = 0; m < modes; m++) {
              for (let from = 0; from < i; from++) {
                const [a, c, at] = [(b * i + from) * modes + m, (from * o + to) * modes + m, (b * o + to) * modes + m]
                re[at] += z.re.data[a] * w.re.data[c] - z.im.data[a] * w.im.data[c]
                im[at] += z.re.data[a] * w.im.data[c] + z.im.data[a] * w.re.data[c]
              }
            }
          }
        }
        expect(out.re.shape).to.deep.equal([batch, o, modes])
        expect(gap(out.re.data, re)).to.be.below(1e-14)
        expect(gap(out.im.data, im)).to.be.below(1e-14)
      })
    })

    it('of nothing are nothing', () => {
      t.withBackend(backend, () => {
        const empty = t.zeros([0, 6])
        expect(t.rfft(empty).re.shape).to.deep.equal([0, 4])
        expect(t.irfft(t.rfft(empty)).shape).to.deep.equal([0, 6])
        expect(t.fft(empty).im.shape).to.deep.equal([0, 6])
        const none = { re: t.zeros([0, 2, 3]), im: t.zeros([0, 2, 3]) }
        const weights = { re: t.ones([2, 4, 3]), im: t.ones([2, 4, 3]) }
        expect(t.modeMatmul(none, weights).re.shape).to.deep.equal([0, 4, 3])
        const slope = t.grad((w: t.ComplexTensor) => t.sum(t.modeMatmul(none, w).re))(weights)
        expect(Math.max(...slope.re.data)).to.equal(0)
      })
    })
  })

  it('refuse what does not fit, with names and shapes', () => {
    const x = t.zeros([3, 4])
    const bad: [ErrorCode, RegExp, () => unknown][] = [
      ['ERR_SHAPE', /fft: expected 3 last axes.*\[3, 4\]/, () => t.fft(x, { dimensions: 3 })],
      ['ERR_SHAPE', /rfft: expected 1 last axes of one number or more.*\[3, 0\]/, () => t.rfft(t.zeros([3, 0]))],
      ['ERR_OPTION', /rfft: expected 1, 2 or 3/, () => t.rfft(x, { dimensions: 4 })],
      ['ERR_SHAPE', /irfft: .*n = 9.*\[3, 4\]/, () => t.irfft(x, { length: 9 })],
      ['ERR_DTYPE', /rfft: .*int32 \[2\]/, () => t.rfft(t.tensor([1, 2], { dtype: 'int32' }))],
      ['ERR_SHAPE', /fft: expected { re, im }/, () => t.fft({ re: x } as unknown as t.ComplexTensor)],
      ['ERR_SHAPE', /ifft: .*\[3, 4\] and \[4\]/, () => t.ifft({ re: x, im: t.zeros([4]) })],
      ['ERR_SHAPE', /modeMatmul: .*\[3, 4\] and \[3, 4\]/, () => t.modeMatmul({ re: x, im: x }, { re: x, im: x })],
      ['ERR_OPTION', /fftFrequencies: /, () => t.fftFrequencies(0)],
    ]
    for (const [code, message, call] of bad) expectError(call, code, message)
  })
})
