import { expect } from 'chai'
import type { OperatorData } from '../../lib/backend/linear-sparse.js'
import type { Step } from '../../lib/backend/portable/linear/step.js'
import { builtIn, shapeOf } from '../../lib/linear/operator.js'
import { rowsOf } from '../../lib/linear/rows.js'
import { asymmetry } from '../../lib/linear/symmetric.js'
import { generator } from '../../lib/random/index.js'
import { flipped, type Rows, toCsr } from './helpers.js'

const whole = <T>(steps: Step<T>): T => {
  const { value, done } = steps.next()
  expect(done).to.equal(true)
  return value as T
}
const never = { due: () => false }

/** How often the event loop would get its turn. */
function turns(steps: Step<unknown>): number {
  let count = 0
  while (!steps.next().done) count++
  return count
}

function dense(operator: OperatorData): Rows {
  const [rows, columns] = shapeOf(operator)
  const { indptr, indices, data } = whole(rowsOf('matrix', operator, never))
  const out = Array.from({ length: rows }, () => new Array<number>(columns).fill(0))
  for (let i = 0; i < rows; i++) for (let k = indptr[i]; k < indptr[i + 1]; k++) out[i][indices[k]] = data[k]
  return out
}

describe('linear: the entries of operators', () => {
  const random = generator(7)
  /** Few entries, and of few values, so that mirror images are often there and often not. */
  const sparse = (rows: number, columns: number): Rows =>
    Array.from({ length: rows }, () => Array.from({ length: columns }, () => Math.max(0, random.integer(-3, 3))))

  it('are those of the matrix, turned as often as it is', () => {
    const a = sparse(5, 7)
    const csr = builtIn('matrix', toCsr(a))
    const csc = builtIn('matrix', { ...toCsr(flipped(a)), shape: [5, 7], format: 'csc' } as never)
    for (const operator of [
      csr,
      csc,
      builtIn('matrix', a),
      { kind: 'transposed', of: csc.kind === 'transposed' ? csc.of : csc },
    ]) {
      const [rows] = shapeOf(operator as OperatorData)
      expect(dense(operator as OperatorData)).to.deep.equal(rows === 5 ? a : flipped(a))
    }
    expect(dense({ kind: 'transposed', of: builtIn('matrix', a) })).to.deep.equal(flipped(a))
  })

  it('are symmetric where every pair is', () => {
    let symmetric = 0
    for (let trial = 0; trial < 400; trial++) {
      const n = 1 + random.integer(0, 4)
      const a = sparse(n, n)
      // Many are made symmetric, some of them but for one entry.
      if (trial % 4 > 0) for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i][j] = a[j][i]
      if (trial % 4 === 1) a[random.integer(0, n)][random.integer(0, n)] = 1
      const found = whole(asymmetry(whole(rowsOf('matrix', builtIn('matrix', toCsr(a)), never)), never))
      const differs = a.some((row, i) => row.some((value, j) => value !== a[j][i]))
      expect(found !== null, JSON.stringify(a)).to.equal(differs)
      if (found === null) {
        symmetric++
        continue
      }
      const { row, column, upper, lower } = found
      expect(row).to.be.below(column)
      expect([upper, lower], JSON.stringify(a)).to.deep.equal([a[row][column], a[column][row]])
      expect(upper).to.not.equal(lower)
    }
    expect(symmetric).to.be.within(150, 350)
  })

  it('are read in pieces, between which the event loop has its turn', () => {
    const side = 200
    const n = side * side
    const always = { due: () => true }
    const stencil = builtIn('matrix', { kind: 'stencil', grid: [side, side] })
    const csr = { kind: 'csr', ...whole(rowsOf('matrix', stencil, never)) } as const
    const square = builtIn('matrix', { data: new Float64Array(300 * 300), shape: [300, 300] })
    // A turn at least every 40,000 entries.
    const fewest = Math.floor(csr.data.length / 40_000)
    expect(turns(rowsOf('matrix', stencil, always))).to.be.at.least(fewest)
    expect(turns(rowsOf('matrix', { kind: 'transposed', of: csr }, always))).to.be.at.least(2 * fewest)
    expect(turns(rowsOf('matrix', square, always))).to.be.at.least(2)
    expect(turns(asymmetry(csr, always))).to.be.at.least(2 * fewest)
    expect(csr.indptr.length).to.equal(n + 1)
  })
})
