import { expect } from 'chai'
import fc from 'fast-check'
import * as t from '../../lib/tensor/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { check } from '../helpers/property.js'
import { random } from '../helpers/random.js'
import { checkDerivatives, draw } from '../helpers/tensor.js'

/** A shape and, for two operands, which of its axes they have with length 1 and how many leading ones they lack. */
const pair = fc
  .array(fc.integer({ min: 0, max: 9 }), { minLength: 0, maxLength: 4 })
  .chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      ...[0, 1].map(() =>
        fc.tuple(
          fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
          fc.integer({ min: 0, max: shape.length }),
        ),
      ),
    ),
  )

function operandShape(shape: readonly number[], [ones, lacking]: readonly [boolean[], number]): number[] {
  return shape.map((length, axis) => (ones[axis] ? 1 : length)).slice(lacking)
}

/** The entry of an operand at a place of the result. */
function entry(x: t.Tensor, place: readonly number[]): number {
  const own = place.slice(place.length - x.rank)
  return x.data[own.reduce((at, index, axis) => at * x.shape[axis] + (x.shape[axis] === 1 ? 0 : index), 0)]
}

function placeOf(i: number, shape: readonly number[]): number[] {
  const place: number[] = []
  let rest = i
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    place.unshift(rest % shape[axis])
    rest = Math.floor(rest / shape[axis])
  }
  return place
}

describe('broadcasting', () => {
  forEachBackend((backend) => {
    it('gives every entry of any two shapes', () => {
      check(
        fc.property(pair, fc.boolean(), ([shape, first, second], single) => {
          t.withBackend(backend, () => {
            const next = random(shape.length + 1)
            const dtype = single ? 'float32' : 'float64'
            const x = draw(operandShape(shape, first), () => next() + 0.5, dtype)
            const y = draw(operandShape(shape, second), () => next() + 0.5, dtype)
            const product = t.mul(x, y)
            const difference = t.sub(x, y)
            const smaller = t.less(x, y)
            const selected = t.where(smaller, x, y)
            for (let i = 0; i < product.size; i++) {
              const place = placeOf(i, product.shape)
              const [a, b] = [entry(x, place), entry(y, place)]
              const round = single ? Math.fround : (value: number): number => value
              expect(product.data[i]).to.equal(round(a * b))
              expect(difference.data[i]).to.equal(round(a - b))
              expect(smaller.data[i]).to.equal(a < b ? 1 : 0)
              expect(selected.data[i]).to.equal(Math.min(a, b))
            }
          })
        }),
        { runs: 150 },
      )
    })

    it('is differentiated with sums over what was repeated', () => {
      check(
        fc.property(pair, ([shape, first, second]) => {
          t.withBackend(backend, () => {
            const next = random(shape.length + 7)
            const x = draw(operandShape(shape, first), () => next() + 0.5)
            const y = draw(operandShape(shape, second), () => next() + 0.5)
            checkDerivatives((a, b) => t.div(t.add(a, b), t.mul(a, b)), [x, y], next, { second: false })
          })
        }),
        { runs: 60 },
      )
    })
  })
})
