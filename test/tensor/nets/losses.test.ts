import { expect } from 'chai'
import * as t from '../../../lib/tensor/index.js'
import { forEachBackend } from '../../helpers/backends.js'
import { expectError } from '../../helpers/errors.js'
import { random } from '../../helpers/random.js'
import { checkDerivatives, draw } from '../../helpers/tensor.js'

describe('binaryCrossEntropy and accuracy', () => {
  forEachBackend((backend) => {
    it('is -t log σ(x) - (1 - t) log(1 - σ(x)), with its derivatives', () => {
      t.withBackend(backend, () => {
        const next = random(3)
        const x = draw([90], () => 8 * next() - 4)
        const y = draw([90], next)
        const losses = t.binaryCrossEntropy(x, y, { reduction: 'none' })
        for (let i = 0; i < 90; i++) {
          const p = 1 / (1 + Math.exp(-x.data[i]))
          expect(losses.data[i]).to.be.closeTo(-y.data[i] * Math.log(p) - (1 - y.data[i]) * Math.log(1 - p), 1e-13)
        }
        checkDerivatives((logits) => t.binaryCrossEntropy(logits, y), [x], next)
      })
    })
  })

  it('keeps its digits for large logits, and its slope at 0', () => {
    const x = t.tensor([50, -50, 800, -800, 0])
    const y = t.tensor([1, 0, 0, 1, 1])
    const [right, other, far, away, half] = t.binaryCrossEntropy(x, y, { reduction: 'none' }).data
    // log(1 + e^-50) = e^-50 - e^-100 / 2 …
    for (const value of [right, other]) expect(value / Math.exp(-50)).to.be.closeTo(1, 1e-14)
    expect([far, away]).to.deep.equal([800, 800])
    expect(half).to.be.closeTo(Math.LN2, 1e-15)
    const slopes = t.grad((z: t.Tensor) => t.binaryCrossEntropy(z, y, { reduction: 'sum' }))(x)
    expect([...slopes.data.slice(2)]).to.deep.equal([1, -1, -0.5])
  })

  it('accuracy counts rows whose largest entry is the right one', () => {
    const logits = t.tensor([
      [0, 2, 1],
      [3, 3, 1],
      [0, 0, 5],
      [1, 0, 0],
    ])
    expect(t.accuracy(logits, Int32Array.of(1, 0, 2, 2))).to.equal(0.75)
    expect(t.accuracy(t.reshape(logits, [2, 2, 3]), t.tensor(Int32Array.of(1, 1, 0, 0)).view([2, 2]))).to.equal(0.5)
    expectError(() => t.accuracy(logits, Int32Array.of(1, 0, 3, 2)), 'ERR_SHAPE', /from 0 to 2, got 3/)
    expectError(
      () => t.accuracy(logits, Int32Array.of(1, 0)),
      'ERR_SHAPE',
      /accuracy: expected rows .*, got \[4, 3\] and \[2\]/,
    )
  })

  it('refuse targets outside [0, 1] and other shapes', () => {
    const x = t.ones([2])
    expectError(() => t.binaryCrossEntropy(x, t.tensor([0, 1.5])), 'ERR_OPTION', /targets in \[0, 1\], got 1.5/)
    expectError(() => t.binaryCrossEntropy(x, t.tensor([0, Number.NaN])), 'ERR_OPTION', /got NaN/)
    expectError(() => t.binaryCrossEntropy(x, t.ones([3])), 'ERR_SHAPE', /\[2\] and \[3\]/)
  })
})
