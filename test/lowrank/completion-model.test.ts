import { expect } from 'chai'
import fc from 'fast-check'
import { type CompletionOptions, completeMatrixSync, completionModel } from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError } from '../helpers/errors.js'
import { planted } from '../helpers/planted.js'
import { check } from '../helpers/property.js'
import { random } from '../helpers/random.js'

describe('lowrank: completed matrices', () => {
  forEachBackend((backend) => {
    it('topK finds the best columns, those left out aside', () => {
      check(
        fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 30 }), fc.boolean(), (n, k, biases) => {
          const m = 6
          const data = planted(m, Math.max(n, 2), { values: [1], share: 0.6, noise: 1, seed: n + 1 })
          if (data.problem.values.length === 0) return
          const columns = data.n
          const solution = completeMatrixSync(data.problem, {
            rank: 1,
            biases,
            regularization: 0.1,
            maxIterations: 3,
            backend,
          })
          const rows = [5, 0, 3, 3]
          const wanted = Math.min(k, columns)
          const seen = rows.map((row) => [...data.problem.columns].filter((_, e) => data.problem.rows[e] === row))
          const next = random(n)
          const lists = rows.map(() => Array.from({ length: columns }, (_, j) => j).filter(() => next() < 0.3))
          for (const [exclude, left] of [
            [false, rows.map(() => [] as number[])],
            [true, seen],
            [lists, lists],
          ] as const) {
            const best = solution.topK(rows, wanted, { exclude })
            rows.forEach((row, q) => {
              const scores = [
                ...solution.predict(
                  new Array(columns).fill(row),
                  Array.from({ length: columns }, (_, j) => j),
                ),
              ]
              const expected = scores
                .map((score, column) => ({ score, column }))
                .filter(({ column }) => !left[q].includes(column))
                .sort((a, b) => b.score - a.score)
                .slice(0, wanted)
              for (let c = 0; c < wanted; c++) {
                const at = q * wanted + c
                if (c >= expected.length) {
                  expect(best.columns[at]).to.equal(-1)
                  expect(best.scores[at]).to.equal(Number.NEGATIVE_INFINITY)
                } else {
                  // Ties may come in any order.
                  expect(best.scores[at]).to.be.closeTo(expected[c].score, 1e-12)
                  expect(scores[best.columns[at]]).to.be.closeTo(expected[c].score, 1e-12)
                }
              }
              const own = [...best.columns.subarray(q * wanted, (q + 1) * wanted)].filter((column) => column >= 0)
              expect(new Set(own).size).to.equal(own.length)
            })
          }
        }),
      )
    })

    it('topK puts the lower of equal columns first', () => {
      for (const [n, values, k] of [
        [6, [2, 3, 3, 1, 3, 2], 5],
        // More equal ones than are wanted, spread over all.
        [23_000, [1, 4, 2, 4, 3], 40],
      ] as const) {
        const v = Array.from({ length: n }, (_, j) => values[(7 * j) % values.length])
        const model = completionModel(
          {
            ...{ format: 'extrema/completion', version: 1, shape: [2, n], rank: 1, u: [1, 0.5], v },
            ...{ regularization: 0, nonNegative: false },
          },
          { backend },
        )
        const expected = Array.from({ length: n }, (_, j) => j).sort((i, j) => v[j] - v[i] || i - j)
        const { columns, scores } = model.topK([0, 1], k)
        for (const row of [0, 1]) {
          expect([...columns.subarray(row * k, row * k + k)]).to.deep.equal(expected.slice(0, k))
          expect([...scores.subarray(row * k, row * k + k)]).to.deep.equal(
            expected.slice(0, k).map((j) => v[j] / (1 + row)),
          )
        }
      }
    })

    it('topK over many blocks of columns', () => {
      const n = 5000
      const u = Array.from({ length: 70 * 3 }, (_, k) => Math.sin(k))
      const v = Array.from({ length: n * 3 }, (_, k) => Math.cos(k * k))
      const model = completionModel(
        {
          format: 'extrema/completion',
          version: 1,
          shape: [70, n],
          rank: 3,
          u,
          v,
          regularization: 0,
          nonNegative: false,
        },
        { backend },
      )
      const rows = Array.from({ length: 70 }, (_, i) => i)
      for (const k of [1, 20, 100, 3000]) {
        const { columns, scores } = model.topK(rows, k)
        for (const row of [0, 33, 69]) {
          const all = Float64Array.from(
            { length: n },
            (_, j) => u[3 * row] * v[3 * j] + u[3 * row + 1] * v[3 * j + 1] + u[3 * row + 2] * v[3 * j + 2],
          )
          const sorted = all.slice().sort().reverse()
          for (let c = 0; c < k; c++) {
            expect(scores[row * k + c]).to.be.closeTo(sorted[c], 1e-12)
            expect(all[columns[row * k + c]]).to.be.closeTo(sorted[c], 1e-12)
          }
        }
      }
    })

    it('foldIn of a row of the data is that row', () => {
      const data = planted(50, 40, { values: [1, 0.6], share: 0.6, noise: 0.2, seed: 3 })
      const next = random(1)
      const counts = data.problem.values.map((value) => Math.max(0, Math.round(3 * value)))
      const weights = data.problem.values.map(() => 0.5 + next())
      const cases: [object, CompletionOptions][] = [
        [data.problem, { rank: 2 }],
        [data.problem, { rank: 3, regularization: 1 }],
        [
          { ...data.problem, weights },
          { rank: 2, regularization: 0.5, biases: true },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 2, confidence: 3, regularization: 1 },
        ],
        [
          { ...data.problem, values: data.problem.values.map(Math.abs) },
          { rank: 2, nonNegative: true },
        ],
        [
          { ...data.problem, values: counts },
          { rank: 2, confidence: 3, regularization: 1, nonNegative: true },
        ],
      ]
      for (const [given, options] of cases) {
        const problem = given as typeof data.problem & { weights?: Float64Array }
        const solution = completeMatrixSync(problem, { tolerance: 1e-12, maxIterations: 5000, ...options, backend })
        for (const row of [0, 17, 49]) {
          const entries = [...problem.rows.keys()].filter((k) => problem.rows[k] === row)
          const columns = entries.map((k) => problem.columns[k])
          const folded = solution.foldIn({
            columns,
            values: entries.map((k) => problem.values[k]),
            ...(problem.weights && { weights: entries.map((k) => problem.weights?.[k] ?? 1) }),
          })
          const all = Array.from({ length: 40 }, (_, j) => j)
          const expected = solution.predict(new Array(40).fill(row), all)
          folded.predict(all).forEach((value, j) => {
            expect(value, JSON.stringify(options)).to.be.closeTo(expected[j], 1e-7)
          })
          expect(folded.underdetermined).to.equal(false)
          const best = folded.topK(3, { exclude: true })
          const known = solution.topK([row], 3, { exclude: [columns] })
          expect([...best.columns]).to.deep.equal([...known.columns])
          expect(best.scores[0]).to.be.closeTo(known.scores[0], 1e-7)
        }
      }
    })

    it('foldIn of too few ratings fits them with least norm, of none is zero', () => {
      const data = planted(30, 20, { values: [1, 0.9, 0.8] })
      const solution = completeMatrixSync(data.problem, { rank: 3, backend })
      const folded = solution.foldIn({ columns: [4], values: [2] })
      expect(folded.underdetermined).to.equal(true)
      expect(folded.predict([4])[0]).to.be.closeTo(2, 1e-10)
      // u in the span of the one row of V.
      const row = solution.v.data.subarray(12, 15)
      const squares = row.reduce((sum, x) => sum + x * x, 0)
      folded.u.forEach((x, c) => {
        expect(x).to.be.closeTo((2 * row[c]) / squares, 1e-12)
      })
      expect([...solution.foldIn({ columns: [], values: [] }).u]).to.deep.equal([0, 0, 0])
    })

    it('goes through JSON', () => {
      const data = planted(20, 15, { values: [1, 0.5], noise: 0.1, share: 0.8 })
      for (const biases of [false, true]) {
        const solution = completeMatrixSync(data.problem, { rank: 2, biases, regularization: 0.3, backend })
        const model = completionModel(JSON.parse(JSON.stringify(solution)), { backend })
        expect([...model.predict([3, 19], [14, 0])]).to.deep.equal([...solution.predict([3, 19], [14, 0])])
        expect(model.topK([3], 5)).to.deep.equal(solution.topK([3], 5))
        const row = { columns: [1, 2, 3, 4], values: [1, 0, -1, 2] }
        expect([...model.foldIn(row).u]).to.deep.equal([...solution.foldIn(row).u])
        expectError(() => model.topK([3], 5, { exclude: true }), 'ERR_OPTION', /exclude: expected lists of columns/)
      }
    })

    it('refuses what is wrong', () => {
      const solution = completeMatrixSync(planted(6, 5, { values: [1] }).problem, { rank: 1, backend })
      expectError(() => solution.predict([6], [0]), 'ERR_SHAPE', 'rows[0]: expected an index from 0 to 5, got 6')
      expectError(() => solution.predict([0], [-1]), 'ERR_SHAPE', 'columns[0]: expected an index from 0 to 4, got -1')
      expectError(() => solution.predict([0], [0, 1]), 'ERR_SHAPE', 'columns: expected 1 indices to match rows, got 2')
      expectError(() => solution.predict([0.5], [0]), 'ERR_SHAPE', 'rows[0]: expected a whole number, got 0.5')
      expectError(() => solution.topK([0], 6), 'ERR_OPTION', 'k: expected a whole number from 1 to 5, got 6')
      expectError(() => solution.topK([9], 1), 'ERR_SHAPE', /rows\[0\]: expected an index/)
      expectError(() => solution.topK([0], 1, { excluded: true } as object), 'ERR_OPTION', /did you mean 'exclude'/)
      expectError(() => solution.topK([0, 1], 1, { exclude: [[0]] }), 'ERR_SHAPE', /exclude: expected true or 2 lists/)
      expectError(() => solution.topK([0], 1, { exclude: [[5]] }), 'ERR_SHAPE', /exclude\[0\]\[0\]: expected an index/)
      expectError(() => solution.foldIn({ columns: [0], values: [Number.NaN] }), 'ERR_NOT_FINITE', /values\[0\]/)
      expectError(() => solution.foldIn({ columns: [0, 0], values: [1, 1] }), 'ERR_SHAPE', /every column once/)
      expectError(() => solution.foldIn({ columns: [0], values: [1, 2] }), 'ERR_SHAPE', /columns: expected 2 entries/)
      expectError(() => solution.foldIn({ columns: [0], values: [1], weights: [-1] }), 'ERR_OPTION', /weights\[0\]/)
      expectError(() => completionModel({} as never), 'ERR_SHAPE', /model: expected the JSON of a completed matrix/)
      const json = solution.toJSON()
      expectError(
        () => completionModel({ ...json, u: json.u.slice(1) }),
        'ERR_SHAPE',
        'model.u: expected 6 numbers to match the shape, got 5',
      )
      expect(solution.topK([], 2).columns.length).to.equal(0)
    })
  })
})
