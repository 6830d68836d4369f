import { expect } from 'chai'
import { generator } from '../../../lib/random/index.js'
import * as t from '../../../lib/tensor/index.js'
import { forEachBackend } from '../../helpers/backends.js'
import { expectError } from '../../helpers/errors.js'
import { random } from '../../helpers/random.js'
import { draw } from '../../helpers/tensor.js'

type Rows = number[][]

describe('Fourier layers', () => {
  forEachBackend((backend) => {
    const on = (body: () => void) => () => t.withBackend(backend, body)

    it(
      'multiply the lowest modes by complex matrices, in one axis: against the plain sums',
      on(() => {
        for (const n of [8, 9]) {
          const layer = t.spectralLayer(2, 3, [3])
          const params = layer.init(generator(1))
          const x = draw([1, 2, n], random(2))
          const y = layer.apply(params, x)
          const [input] = x.toArray() as Rows[]
          for (let o = 0; o < 3; o++) {
            for (let j = 0; j < n; j++) {
              let sum = 0
              for (let k = 0; k < 3; k++) {
                let [re, im] = [0, 0]
                for (let i = 0; i < 2; i++) {
                  let [xr, xi] = [0, 0]
                  for (let p = 0; p < n; p++) {
                    xr += input[i][p] * Math.cos((2 * Math.PI * k * p) / n)
                    xi -= input[i][p] * Math.sin((2 * Math.PI * k * p) / n)
                  }
                  const [wr, wi] = [params.re, params.im].map((w) => t.slice(w, [i, o, k]).item())
                  re += xr * wr - xi * wi
                  im += xr * wi + xi * wr
                }
                const angle = (2 * Math.PI * k * j) / n
                // Every mode but the first stands for its conjugate too.
                sum += ((k === 0 ? 1 : 2) * (re * Math.cos(angle) - (k === 0 ? 0 : im * Math.sin(angle)))) / n
              }
              expect(y.data[o * n + j]).to.be.closeTo(sum, 1e-12)
            }
          }
        }
      }),
    )

    it(
      'do not depend on the grid, in two and three axes',
      on(() => {
        /** Σ of waves with frequencies in -1 … 1, on a grid. */
        const field = (lengths: number[]): t.Tensor => {
          const x = t.zeros([1, 1, ...lengths])
          for (let i = 0; i < x.size; i++) {
            let rest = i
            const at = lengths.map(() => 0)
            for (let a = lengths.length - 1; a >= 0; a--) {
              at[a] = (2 * Math.PI * (rest % lengths[a])) / lengths[a]
              rest = Math.floor(rest / lengths[a])
            }
            x.data[i] = 0.3 + Math.cos(at[0] - at[1]) + 0.5 * Math.sin(at[0] + at[at.length - 1] + 1)
          }
          return x
        }
        for (const [coarse, fine] of [
          [
            [6, 4],
            [12, 8],
          ],
          [
            [4, 6, 5],
            [8, 12, 10],
          ],
        ]) {
          const layer = t.fourierLayer({ channels: 1, modes: coarse.map(() => 2), activation: 'tanh' })
          const params = layer.init(generator(3))
          const [y, z] = [layer.apply(params, field(coarse)), layer.apply(params, field(fine))]
          const every = t.slice(z, [undefined, undefined, ...fine.map((n): [number, number, number] => [0, n, 2])])
          expect(every.shape).to.deep.equal(y.shape)
          for (let i = 0; i < y.size; i++) expect(every.data[i]).to.be.closeTo(y.data[i], 1e-12)
          // The field is in the modes: the layer does not just leave it out.
          expect(t.norm(t.sub(y, y.data[0])).item()).to.be.greaterThan(0.1)
        }
      }),
    )

    it(
      'have the gradient of their values',
      on(() => {
        for (const lengths of [[6], [5, 6], [4, 4, 4]]) {
          const layer = t.fourierLayer({ channels: 2, modes: lengths.map(() => 2) })
          const params = layer.init(generator(4))
          const x = draw([2, 2, ...lengths], random(5))
          const weights = draw(x.shape, random(6))
          const f = (at: { params: t.FourierParams; x: t.Tensor }): t.Tensor =>
            t.sum(t.mul(weights, layer.apply(at.params, at.x)))
          const { passed, error } = t.gradCheck(f, { params, x }, { step: 1e-4, tolerance: 1e-8 })
          expect(passed, `error ${error}`).to.equal(true)
        }
      }),
    )
  })

  it('refuse grids without room for the modes, and other channels', () => {
    const layer = t.spectralLayer(2, 2, [3, 3])
    const params = layer.init(generator(0))
    for (const shape of [
      [1, 2, 5, 6],
      [1, 2, 6, 3],
      [1, 3, 8, 8],
      [1, 2, 8],
    ]) {
      expectError(
        () => layer.apply(params, t.ones(shape)),
        'ERR_SHAPE',
        /spectralLayer: expected .* \[3, 3\] modes, got/,
      )
    }
    expect(layer.apply(params, t.ones([1, 2, 6, 4])).shape).to.deep.equal([1, 2, 6, 4])
    expectError(() => t.spectralLayer(1, 1, [2, 2, 2, 2]), 'ERR_OPTION', /modes: expected one to three lengths/)
  })
})
