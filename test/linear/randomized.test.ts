import { expect } from 'chai'
import {
  type BuiltInOperator,
  type LanczosOptions,
  lanczos,
  lanczosSync,
  qrSync,
  randomizedSvd,
  randomizedSvdSync,
  svdSync,
  symmetricEigenSync,
} from '../../lib/linear/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, refusing, rejection } from '../helpers/errors.js'
import { fill, randomNormal } from '../helpers/random.js'

interface Matrix {
  data: Float64Array
  shape: [number, number]
}

/** Singular values base^k, in random directions. */
function decaying(m: number, n: number, base: number, seed: number): Matrix {
  const k = Math.min(m, n)
  const u = qrSync({ data: fill(m * k, randomNormal(seed)), shape: [m, k] }).q!.data
  const v = qrSync({ data: fill(n * k, randomNormal(seed + 1)), shape: [n, k] }).q!.data
  const data = new Float64Array(m * n)
  for (let l = 0; l < k; l++) {
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) data[i * n + j] += u[i * k + l] * base ** l * v[j * k + l]
  }
  return { data, shape: [m, n] }
}

function laplacian(n: number): {
  shape: [number, number]
  indptr: Int32Array
  indices: Int32Array
  data: Float64Array
} {
  const [indptr, indices, data] = [[0], [] as number[], [] as number[]]
  for (let i = 0; i < n; i++) {
    for (const j of [i - 1, i, i + 1]) {
      if (j < 0 || j >= n) continue
      indices.push(j)
      data.push(i === j ? 2 : -1)
    }
    indptr.push(indices.length)
  }
  const shape: [number, number] = [n, n]
  return { shape, indptr: Int32Array.from(indptr), indices: Int32Array.from(indices), data: Float64Array.from(data) }
}

const eigenvalue = (k: number, n: number) => 2 - 2 * Math.cos((k * Math.PI) / (n + 1))

function asOracle({ data, shape: [m, n] }: Matrix, wait: boolean) {
  const reply = <T>(value: T) => (wait ? Promise.resolve(value) : value)
  const matvec = (x: Float64Array) =>
    reply(Float64Array.from({ length: m }, (_, i) => x.reduce((sum, value, j) => sum + data[i * n + j] * value, 0)))
  const rmatvec = (y: Float64Array) =>
    reply(Float64Array.from({ length: n }, (_, j) => y.reduce((sum, value, i) => sum + data[i * n + j] * value, 0)))
  return { shape: [m, n] as [number, number], matvec, rmatvec }
}

/** |XᵀX - I| for columns. */
function offOrthonormal(x: Float64Array, columns: number): number {
  let worst = 0
  for (let a = 0; a < columns; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = 0
      for (let i = 0; i < x.length; i += columns) sum += x[i + a] * x[i + b]
      const error = Math.abs(sum - (a === b ? 1 : 0))
      if (!(error <= worst)) worst = error
    }
  }
  return worst
}

describe('linear: randomizedSvd and lanczos', () => {
  forEachBackend((backend) => {
    it('randomizedSvd: the leading triples of the whole decomposition', () => {
      for (const [m, n] of [
        [150, 60],
        [60, 150],
        [80, 80],
      ]) {
        const a = decaying(m, n, 0.8, m)
        const whole = svdSync(a)
        for (const method of ['krylov', 'subspace'] as const) {
          const { s, u, vt, errors, status, residual } = randomizedSvdSync(a, {
            rank: 7,
            method,
            maxIterations: 40,
            backend,
          })
          expect(status).to.equal('converged')
          expect(residual).to.be.at.most(1e-8)
          expect(offOrthonormal(u.data, 7)).to.be.below(1e-13)
          for (let k = 0; k < 7; k++) {
            expect(s[k]).to.be.closeTo(whole.s[k], 1e-12)
            let difference = 0
            for (let i = 0; i < m; i++) {
              let image = -s[k] * u.data[i * 7 + k]
              for (let j = 0; j < n; j++) image += a.data[i * n + j] * vt.data[k * n + j]
              difference += image * image
            }
            expect(Math.sqrt(difference)).to.be.closeTo(errors[k], 1e-12)
          }
        }
      }
    })

    it('randomizedSvd: exact for matrices of low rank, which it shows, and for rank min(m, n)', () => {
      const ones = { data: new Float64Array(200).fill(1), shape: [20, 10] as [number, number] }
      const found = randomizedSvdSync(ones, { rank: 4, backend })
      expect(found.status).to.equal('converged')
      expect(found.s.length).to.be.at.least(1)
      expect(found.s[0]).to.be.closeTo(Math.sqrt(200), 1e-12)
      for (const s of found.s.subarray(1)) expect(s).to.be.below(1e-10)
      const zero = randomizedSvdSync({ data: new Float64Array(6), shape: [2, 3] }, { rank: 2, backend })
      expect([zero.status, zero.s.length]).to.deep.equal(['converged', 0])
      const a = decaying(9, 5, 0.5, 3)
      const all = randomizedSvdSync(a, { rank: 5, backend })
      all.s.forEach((s, k) => {
        expect(s).to.be.closeTo(0.5 ** k, 1e-13)
      })
    })

    it('randomizedSvd: says when it has not converged', () => {
      const flat = { data: fill(100 * 100, randomNormal(1)), shape: [100, 100] as [number, number] }
      const found = randomizedSvdSync(flat, { rank: 5, maxIterations: 1, backend })
      expect([found.status, found.iterations]).to.deep.equal(['iteration-limit', 1])
      const whole = svdSync(flat).s
      found.s.forEach((s, k) => {
        expect(s).to.be.at.most(whole[k] + 1e-12)
        expect(Math.min(...Array.from(whole, (t) => Math.abs(s - t)))).to.be.at.most(found.errors[k])
      })
    })

    it('randomizedSvd and lanczos take functions, also asynchronous ones', async () => {
      const a = decaying(40, 30, 0.7, 5)
      const direct = randomizedSvdSync(a, { rank: 3, backend })
      for (const found of [
        randomizedSvdSync(asOracle(a, false), { rank: 3, backend }),
        await randomizedSvd(asOracle(a, true), { rank: 3, backend }),
      ]) {
        found.s.forEach((s, k) => {
          expect(s).to.be.closeTo(direct.s[k], 1e-12)
        })
      }
      const gram = { data: new Float64Array(900), shape: [30, 30] as [number, number] }
      for (let i = 0; i < 30; i++) {
        for (let j = 0; j < 30; j++) {
          for (let k = 0; k < 40; k++) gram.data[i * 30 + j] += a.data[k * 30 + i] * a.data[k * 30 + j]
        }
      }
      const { values } = await lanczos(asOracle(gram, true), { count: 3, backend })
      values.forEach((value, k) => {
        expect(value).to.be.closeTo(direct.s[2 - k] ** 2, 1e-12)
      })
      const oracle = { shape: [30, 30] as [number, number], matvec: () => [Number.NaN] }
      expectError(() => lanczosSync(oracle, { backend }), 'ERR_ORACLE', /^matrix\.matvec: /)
      await expectRejection(
        randomizedSvd({ shape: [30, 30], matvec: (x) => x }, { rank: 2, backend }),
        'ERR_ORACLE',
        'matrix.rmatvec: expected a function, got undefined',
      )
    })

    it('lanczos: closed forms of the second difference, at every end', () => {
      const n = 400
      const ends: [LanczosOptions['which'], (k: number) => number][] = [
        ['largest', (k) => n - 4 + k],
        ['smallest', (k) => k + 1],
        ['magnitude', (k) => n - 4 + k],
        ['both', (k) => (k < 2 ? k + 1 : n - 3 + k)],
      ]
      for (const [which, place] of ends) {
        const count = which === 'both' ? 4 : 5
        const found = lanczosSync(laplacian(n), { count, which, backend, tolerance: 1e-9 })
        expect(found.status).to.equal('converged')
        expect(offOrthonormal(found.vectors.data, count)).to.be.below(1e-10)
        found.values.forEach((value, k) => {
          expect(value).to.be.closeTo(eigenvalue(place(k), n), 1e-12)
          expect(found.errors[k]).to.be.at.most(4e-9)
        })
      }
    })

    it('lanczos: all pairs of a small matrix, equal eigenvalues, zero', () => {
      const n = 20
      const a = { data: fill(n * n, randomNormal(3)), shape: [n, n] as [number, number] }
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a.data[i * n + j] = a.data[j * n + i]
      const { values } = symmetricEigenSync(a)
      lanczosSync(a, { count: n, backend }).values.forEach((value, k) => {
        expect(value).to.be.closeTo(values[k], 1e-12)
      })
      const identity: BuiltInOperator = { kind: 'low-rank', factor: [[1, 0, 0, 0, 0, 0]], diagonal: 3 }
      const found = lanczosSync(identity, { count: 4, backend })
      Array.from(found.values).forEach((value, k) => {
        expect(value).to.be.closeTo([3, 3, 3, 4][k], 1e-13)
      })
      expect(offOrthonormal(found.vectors.data, 4)).to.be.below(1e-13)
      const zero = lanczosSync({ data: new Float64Array(9), shape: [3, 3] }, { backend })
      expect([zero.status, zero.residual, ...zero.values]).to.deep.equal(['converged', 0, 0, 0, 0])
    })

    it('lanczos: limits and starts', () => {
      const limited = lanczosSync(laplacian(2000), { which: 'smallest', maxIterations: 40, backend })
      expect(limited.status).to.equal('iteration-limit')
      expect(limited.residual).to.be.above(1e-10)
      const n = 50
      const start = Float64Array.from({ length: n }, (_, i) => Math.sin(((i + 1) * Math.PI) / (n + 1)))
      const { values } = lanczosSync(laplacian(n), { count: 1, which: 'smallest', start, backend })
      expect(values[0]).to.be.closeTo(eigenvalue(1, n), 1e-14)
    })

    it('refuses bad input', async () => {
      const [isSvd, isLanczos] = [refusing(randomizedSvd, randomizedSvdSync), refusing(lanczos, lanczosSync)]
      const a = [
        [1, 2],
        [3, 4],
      ]
      const o = { backend }
      await isSvd(a, o, 'ERR_OPTION', 'rank: expected how many triples, got undefined')
      await isSvd(a, { ...o, rank: 3 }, 'ERR_OPTION', /^rank: /)
      await isSvd(a, { ...o, rank: 1, power: 2 }, 'ERR_OPTION', /^options: unknown name 'power'/)
      await isSvd([[1, Number.NaN]], { ...o, rank: 1 }, 'ERR_NOT_FINITE', /^matrix\[0]\[1]/)
      await isLanczos(a, o, 'ERR_SHAPE', /^matrix: expected a symmetric matrix, got /)
      await isLanczos([[1, 2]], o, 'ERR_SHAPE', 'matrix: expected a square matrix, got 1×2')
      await isLanczos([[1]], { ...o, which: 'small' }, 'ERR_OPTION', /did you mean 'smallest'/)
      await isLanczos([[1]], { ...o, start: [1, 2] }, 'ERR_SHAPE', /^start: /)
      await isLanczos([[1]], { ...o, count: 2 }, 'ERR_OPTION', /^count: /)
    })

    it('can be aborted', async () => {
      const controller = new AbortController()
      const running = rejection(lanczos(laplacian(3000), { which: 'smallest', backend, signal: controller.signal }))
      setTimeout(() => controller.abort(new Error('enough')), 20)
      expect(((await running) as Error).message).to.equal('enough')
    })
  })

  it('agrees on both backends', () => {
    const a = decaying(120, 90, 0.85, 2)
    const [one, other] = [
      randomizedSvdSync(a, { rank: 6, backend: 'native', tolerance: 1e-12 }),
      randomizedSvdSync(a, { rank: 6, backend: 'portable', tolerance: 1e-12 }),
    ]
    one.u.data.forEach((x, k) => {
      expect(x).to.be.closeTo(other.u.data[k], 1e-9)
    })
    const [x, y] = [
      lanczosSync(laplacian(100), { count: 3, backend: 'native', tolerance: 1e-12 }),
      lanczosSync(laplacian(100), { count: 3, backend: 'portable', tolerance: 1e-12 }),
    ]
    x.vectors.data.forEach((value, k) => {
      expect(value).to.be.closeTo(y.vectors.data[k], 1e-9)
    })
  })
})
