import { expect } from 'chai'
import { type SketchKind, type SketchSolveOptions, sketchSolve, sketchSolveSync } from '../../lib/constrained/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, refusing } from '../helpers/errors.js'
import { toCsr } from '../helpers/matrices.js'
import { fill, random } from '../helpers/random.js'

const kinds: SketchKind[] = ['kaczmarz', 'gaussian', 'gaussian-block', 'count-sketch', 'rows', 'blocks']

/** A kind with what it needs for n rows: blocks of a third or so, which overlap. */
function optionsOf(sketch: SketchKind, n: number): SketchSolveOptions {
  if (sketch !== 'blocks') return { sketch, blockSize: 3 }
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)
  const part = Math.ceil(n / 3)
  return { sketch, blocks: [range(0, part + 1), range(part, Math.min(n, 2 * part + 1)), range(2 * part, n)] }
}

/** A symmetric system with a known solution. */
function system(n: number, seed: number) {
  const next = random(seed)
  const matrix = Array.from({ length: n }, () => Array.from(fill(n, next), (x) => x - 0.5))
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) matrix[i][j] = matrix[j][i]
    matrix[i][i] += i % 2 === 0 ? 2 : -2
  }
  const x = fill(n, next)
  const b = matrix.map((row) => row.reduce((sum, value, j) => sum + value * x[j], 0))
  return { matrix, b, x }
}

const squaredError = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Array.from(x).reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0)

describe('constrained: sketchSolve', () => {
  forEachBackend((backend) => {
    for (const sketch of kinds) {
      it(`${sketch}: the solution, dense and sparse, either sampling`, async () => {
        const { matrix, b, x } = system(9, 4)
        for (const form of [matrix, toCsr(matrix)]) {
          for (const sampling of sketch === 'blocks' ? (['uniform'] as const) : (['uniform', 'norm'] as const)) {
            const options: SketchSolveOptions = {
              backend,
              ...optionsOf(sketch, 9),
              sampling,
              tolerance: 1e-10,
              maxIterations: 1e6,
            }
            const solution = await sketchSolve({ matrix: form, b }, options)
            expect(solution.status).to.equal('converged')
            expect(solution.residual).to.be.at.most(1e-10)
            expect(Math.sqrt(squaredError(solution.x, x))).to.be.at.most(1e-8)
          }
        }
      })

      it(`${sketch}: ‖z - z*‖² falls by ‖z⁺ - z‖², sketch by sketch`, () => {
        const { matrix, b, x } = system(8, 7)
        let at: Float64Array = new Float64Array(8)
        for (let k = 0; k < 60; k++) {
          const options: SketchSolveOptions = {
            backend,
            ...optionsOf(sketch, 8),
            tolerance: 0,
            maxIterations: 1,
            drawn: k,
          }
          const next = sketchSolveSync({ matrix, b, x0: at }, options).x
          // A projection: the step is orthogonal to what is left of the error.
          const before = squaredError(at, x)
          expect(squaredError(next, x) + squaredError(next, at)).to.be.closeTo(before, 1e-9 * before + 1e-20)
          at = next
        }
        const whole = sketchSolveSync(
          { matrix, b },
          { backend, ...optionsOf(sketch, 8), tolerance: 0, maxIterations: 60 },
        )
        expect(Math.sqrt(squaredError(whole.x, at))).to.be.at.most(1e-10)
      })
    }

    it('Kaczmarz: ‖z⁺ - z*‖² = ‖z - z*‖² - r_i² / ‖A_i‖² for one of the rows, all alike often', () => {
      const { matrix, b, x } = system(5, 2)
      const drops = matrix.map((row, i) => b[i] ** 2 / row.reduce((sum, value) => sum + value * value, 0))
      const start = squaredError(new Float64Array(5), x)
      const counts = new Array(5).fill(0)
      for (let k = 0; k < 1000; k++) {
        const { x: z } = sketchSolveSync({ matrix, b }, { backend, tolerance: 0, maxIterations: 1, drawn: k })
        const drop = start - squaredError(z, x)
        const row = drops.findIndex((expected) => Math.abs(expected - drop) <= 1e-12)
        expect(row).to.be.at.least(0)
        counts[row]++
      }
      for (const count of counts) expect(count).to.be.within(140, 260)
    })

    it('a block of all rows solves at once; dependent rows do no harm', () => {
      const { matrix, b, x } = system(6, 5)
      const once = sketchSolveSync({ matrix, b }, { backend, sketch: 'rows', blockSize: 6, maxIterations: 1 })
      expect(Math.sqrt(squaredError(once.x, x))).to.be.at.most(1e-9)
      const twice = [...matrix, ...matrix]
      const options: SketchSolveOptions = { backend, sketch: 'rows', blockSize: 12, maxIterations: 1 }
      const solution = sketchSolveSync({ matrix: twice, b: [...b, ...b] }, options)
      expect(Math.sqrt(squaredError(solution.x, x))).to.be.at.most(1e-6)
    })

    it('given blocks: their equations hold after the step; dependent rows are refused', () => {
      const { matrix, b } = system(9, 3)
      const blocks = [[4, 1, 7, 2, 0, 3, 5, 6, 8]]
      const whole = sketchSolveSync({ matrix, b }, { backend, sketch: 'blocks', blocks, maxIterations: 1 })
      matrix.forEach((row, i) => {
        expect(row.reduce((sum, value, j) => sum + value * whole.x[j], 0)).to.be.closeTo(b[i], 1e-8)
      })
      const twice = { matrix: [...matrix, matrix[0]], b: [...b, b[0]] }
      const dependent: SketchSolveOptions = {
        backend,
        sketch: 'blocks',
        blocks: [...blocks, [0, 9]],
        maxIterations: 50,
      }
      expectError(
        () => sketchSolveSync(twice, dependent),
        'ERR_SINGULAR',
        /blocks\[1\]: expected linearly independent rows/,
      )
    })

    it('says when sketches or rounding are the limit', () => {
      const { matrix, b } = system(6, 5)
      const short = sketchSolveSync({ matrix, b }, { backend, maxIterations: 3 })
      expect(short.status).to.equal('iteration-limit')
      expect(short.iterations).to.equal(3)
      expect(sketchSolveSync({ matrix, b }, { backend, tolerance: 0, maxIterations: 1e6 }).status).to.equal('stalled')
    })

    it('bad input', async () => {
      const refuses = refusing(sketchSolve, sketchSolveSync)
      const good = { matrix: [[1]], b: [1] }
      await refuses(null, { backend }, 'ERR_SHAPE', /problem: expected \{ matrix, b \}, got null/)
      await refuses({ ...good, b: [1, 2] }, { backend }, 'ERR_SHAPE', /b: expected 1 numbers/)
      await refuses({ ...good, matrix: [[Number.NaN]] }, { backend }, 'ERR_NOT_FINITE', /matrix: expected finite/)
      await refuses(good, { backend, sketch: 'kacmarz' }, 'ERR_OPTION', /did you mean 'kaczmarz'/)
      await refuses(good, { backend, sketch: 'blocks' }, 'ERR_OPTION', /blocks: expected sets of rows/)
      await refuses(good, { backend, blocks: [[0]] }, 'ERR_OPTION', /blocks: expected none without/)
      await refuses(good, { backend, sketch: 'blocks', blocks: [] }, 'ERR_OPTION', /blocks: expected sets of rows/)
      await refuses(
        good,
        { backend, sketch: 'blocks', blocks: [[0]], sampling: 'norm' },
        'ERR_OPTION',
        /sampling: expected 'uniform'/,
      )
      await refuses(good, { backend, sketch: 'blocks', blocks: [[]] }, 'ERR_OPTION', /blocks\[0\]: expected rows/)
      await refuses(
        good,
        { backend, sketch: 'blocks', blocks: [[0, 1]] },
        'ERR_OPTION',
        /blocks: expected rows below 1/,
      )
      await refuses(
        good,
        { backend, sketch: 'blocks', blocks: [[0.5]] },
        'ERR_OPTION',
        /blocks\[0\]\[0\]: expected a row/,
      )
      const two = {
        matrix: [
          [1, 0],
          [0, 1],
        ],
        b: [1, 2],
      }
      await refuses(two, { backend, sketch: 'blocks', blocks: [[0]] }, 'ERR_OPTION', /every row in one of them/)
      await refuses(good, { backend, seed: -1 }, 'ERR_OPTION', /seed: expected a whole number/)
    })
  })

  it('both backends draw and compute the same', () => {
    const { matrix, b } = system(20, 9)
    for (const sketch of kinds) {
      const [x, y] = (['native', 'portable'] as const).map(
        (backend) =>
          sketchSolveSync(
            { matrix, b },
            { backend, ...optionsOf(sketch, 20), blockSize: 5, seed: 5, tolerance: 0, maxIterations: 40 },
          ).x,
      )
      expect(Math.sqrt(squaredError(x, y))).to.be.at.most(1e-10)
    }
  })
})
