import { expect } from 'chai'
import fc from 'fast-check'
import { type PointMetric, pointCloud, sinkhorn, sinkhornBatch, sinkhornSync } from '../../lib/transport/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectRejection } from '../helpers/errors.js'
import { checkAsync } from '../helpers/property.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { columnSums, largestDifference, normalized, rowSums, total } from '../helpers/transport.js'

const metrics: PointMetric[] = ['sqeuclidean', 'euclidean', 'cityblock', 'cosine']
const epsilons = { sqeuclidean: 0.04, euclidean: 0.03, cityblock: 0.03, cosine: 0.01 }

const uniform = (n: number, d: number, seed: number): { data: Float64Array; shape: [number, number] } => ({
  data: fill(n * d, random(seed)),
  shape: [n, d],
})
/** In a strip of length 4, where blocks are far from each other. */
const strip = (n: number, seed: number): { data: Float64Array; shape: [number, number] } => ({
  data: fill(n * 2, random(seed)).map((v, k) => (k % 2 ? 0.3 * v : 4 * v)),
  shape: [n, 2],
})
const around = (n: number, d: number, seed: number): { data: Float64Array; shape: [number, number] } => ({
  data: fill(n * d, randomNormal(seed)),
  shape: [n, d],
})
const weights = (n: number, seed: number) => normalized(fill(n, random(seed)).map((w) => 0.05 + w))

/** The plan of the potentials, entry by entry. */
function planOf(
  metric: PointMetric,
  x: Float64Array,
  y: Float64Array,
  d: number,
  f: Float64Array,
  g: Float64Array,
  epsilon: number,
) {
  const plan = new Float64Array(f.length * g.length)
  for (let i = 0; i < f.length; i++) {
    for (let j = 0; j < g.length; j++) {
      let [squares, sides, product, xx, yy] = [0, 0, 0, 0, 0]
      for (let k = 0; k < d; k++) {
        const [u, v] = [x[i * d + k], y[j * d + k]]
        squares += (u - v) ** 2
        sides += Math.abs(u - v)
        product += u * v
        xx += u * u
        yy += v * v
      }
      const cost = {
        ...{ sqeuclidean: squares, euclidean: Math.sqrt(squares), cityblock: sides },
        cosine: 1 - product / Math.sqrt(xx * yy),
      }[metric]
      plan[i * g.length + j] = Math.exp((f[i] + g[j] - cost) / epsilon)
    }
  }
  return plan
}

describe('transport: truncation', () => {
  forEachBackend((backend) => {
    for (const metric of metrics) {
      it(`leaves out what has no mass and finds the same plan: ${metric}`, async () => {
        const [n, m] = [260, 230]
        const [x, y] = metric === 'cosine' ? [around(n, 2, 1), around(m, 2, 2)] : [strip(n, 1), strip(m, 2)]
        const problem = { cost: pointCloud(x, y, { cost: metric }), a: weights(n, 3), b: weights(m, 4) }
        const epsilon = epsilons[metric]
        const options = { epsilon, tolerance: 1e-11, backend, certificate: false }
        const full = await sinkhorn(problem, { ...options, truncation: false })
        const truncated = await sinkhorn(problem, { ...options, truncation: true })
        expect([full.status, truncated.status]).to.deep.equal(['converged', 'converged'])
        expect(full.skipped).to.equal(0)
        expect(truncated.skipped).to.be.within(0.1, 0.99)
        const [p, q] = [full.plan().data, truncated.plan().data] as Float64Array[]
        expect(largestDifference(p, q)).to.be.below(1e-12)
        expect(truncated.value).to.be.closeTo(full.value, 1e-11)
        // By hand, with every entry.
        const { f, g } = truncated.potentials
        const plan = planOf(metric, x.data, y.data, x.shape[1], f, g, epsilon)
        expect(total(rowSums(plan, n, m).map((r, i) => Math.abs(r - problem.a[i])))).to.be.below(1e-10)
        expect(total(columnSums(plan, n, m).map((s, j) => Math.abs(s - problem.b[j])))).to.be.below(1e-10)
      })
    }

    // One sweep from any potentials is one by hand, to the share that may be left out: f by rows, then g by columns.
    it('no sweep loses an entry above the threshold, whatever it starts from', async () => {
      const cases = fc.tuple(
        fc.constantFrom(...metrics),
        fc.integer({ min: 33, max: 150 }),
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 5 }),
        fc.constantFrom(1e-3, 1e-2, 0.1),
        fc.constantFrom(0, 0.02, 1),
        fc.integer({ min: 1, max: 1e6 }),
      )
      await checkAsync(
        fc.asyncProperty(cases, async ([metric, n, m, d, epsilon, spread, seed]) => {
          const [x, y] = [around(n, d, seed), around(m, d, seed + 1)]
          const next = random(seed + 2)
          const start = { f: fill(n, next).map((v) => spread * v), g: fill(m, next).map((v) => spread * v) }
          const [a, b] = [weights(n, seed + 3), weights(m, seed + 4)]
          const solution = await sinkhorn(
            { cost: pointCloud(x, y, { cost: metric }), a, b },
            {
              ...{ epsilon, backend, truncation: true, acceleration: 'none', certificate: false },
              ...{ maxIterations: 1, tolerance: 0, warmStart: start },
            },
          )
          const logs = planOf(metric, x.data, y.data, d, new Float64Array(n), new Float64Array(m), 1).map(Math.log)
          const f = start.f.map((_, i) => {
            const row = Array.from({ length: m }, (_, j) => (start.g[j] + logs[i * m + j]) / epsilon)
            return epsilon * (Math.log(a[i]) - softmax(row))
          })
          const g = start.g.map((_, j) => {
            const column = Array.from({ length: n }, (_, i) => (f[i] + logs[i * m + j]) / epsilon)
            return epsilon * (Math.log(b[j]) - softmax(column))
          })
          // In units of epsilon; a cost near 1 has lost some digits by its logarithm.
          const allowed = 1e-11 + 1e-13 / epsilon
          expect(largestDifference(solution.potentials.f, f) / epsilon).to.be.below(allowed)
          expect(largestDifference(solution.potentials.g, g) / epsilon).to.be.below(allowed)
        }),
        { runs: 60 },
      )
    })

    it('takes weights of any size and points without weight', async () => {
      const [a, b] = [weights(300, 5).map((w, i) => (i % 5 ? w : w * 1e-9)), weights(280, 6)]
      for (let j = 0; j < 280; j += 7) b[j] = 0
      const problem = { cost: pointCloud(strip(300, 7), strip(280, 8)), a: normalized(a), b: normalized(b) }
      const options = { epsilon: 0.03, tolerance: 1e-10, backend }
      const full = await sinkhorn(problem, { ...options, truncation: false })
      const truncated = await sinkhorn(problem, { ...options, truncation: true })
      expect(truncated.status).to.equal('converged')
      expect(truncated.skipped).to.be.above(0)
      const [p, q] = [full.plan().data, truncated.plan().data] as Float64Array[]
      expect(largestDifference(p, q)).to.be.below(1e-11)
      expect(truncated.certificate!.gap).to.be.closeTo(full.certificate!.gap, 1e-8)
    })

    it('goes on from potentials, in the order of the caller', async () => {
      const problem = { cost: pointCloud(uniform(200, 2, 9), uniform(170, 2, 10)) }
      const options = { epsilon: 0.004, tolerance: 1e-9, backend, truncation: true }
      const first = await sinkhorn(problem, options)
      const again = sinkhornSync(problem, { ...options, warmStart: first.potentials })
      expect(again.status).to.equal('converged')
      expect(again.iterations).to.be.at.most(2)
      expect(again.value).to.be.closeTo(first.value, 1e-9)
    })

    it('is on above 500 points of few coordinates, in single precision too', async () => {
      const small = await sinkhorn(
        { cost: pointCloud(uniform(100, 2, 11), uniform(100, 2, 12)) },
        { epsilon: 0.01, backend },
      )
      expect(small.skipped).to.equal(0)
      const problem = { cost: pointCloud(uniform(600, 2, 13), uniform(520, 2, 14)) }
      const options = { epsilon: 0.002, tolerance: 1e-4, backend }
      const double = await sinkhorn(problem, options)
      const single = await sinkhorn(problem, { ...options, precision: 'float32' })
      for (const { status, skipped } of [double, single]) {
        expect(status).to.equal('converged')
        expect(skipped).to.be.above(0.2)
      }
      expect(single.value).to.be.closeTo(double.value, 1e-4)
      const wide = await sinkhorn(
        { cost: pointCloud(uniform(501, 12, 15), uniform(20, 12, 16)) },
        { epsilon: 0.5, tolerance: 1e-3, backend, truncation: true },
      )
      expect(wide.skipped).to.equal(0)
    })

    // 1024 rich rows at 0; the poor one, at 2, is a block of its own, and the targets at -D are just below what counts.
    it('forms a row in full whose sum is below the margin, though all columns are sound', async () => {
      const [n, m, height] = [1025, 64, 2]
      const share = 2e-7
      const lost = 0.25e-16 / share
      const D = -Math.log(lost) / (2 * height)
      const x = Float64Array.from({ length: n }, (_, i) => (i === n - 1 ? height : 0))
      const y = Float64Array.from({ length: m }, (_, j) => (j < 32 ? 0 : -D))
      const f = new Float64Array(n).fill(Math.log(1 / n / m))
      f[n - 1] = Math.log(share / n / 32) + height ** 2
      const solution = await sinkhorn(
        { cost: pointCloud({ data: x, shape: [n, 1] }, { data: y, shape: [m, 1] }) },
        {
          ...{ epsilon: 1, backend, truncation: true, acceleration: 'none', certificate: false },
          ...{ maxIterations: 1, tolerance: 0, warmStart: { f, g: y.map((v) => v * v) } },
        },
      )
      const expected = Math.log(1 / n / 32) + height ** 2 - Math.log1p(lost)
      expect(Math.abs(solution.potentials.f[n - 1] - expected)).to.be.below(2e-11)
    })

    // Targets at 7 get e^-49 of the sources at 0, which is left out, and e^-210 of those at 21.5, which is formed.
    it('sweeps again in full where a column has lost its mass', async () => {
      const x = Float64Array.from({ length: 64 }, (_, i) => (i < 32 ? 0 : 21.5))
      const y = Float64Array.from({ length: 64 }, (_, j) => (j < 32 ? 0 : j < 63 ? 7 : 21.5))
      const f = Float64Array.from(x, (v) => Math.log(v === 0 ? 1 / 64 / 32 : 1 / 64))
      const solution = await sinkhorn(
        { cost: pointCloud({ data: x, shape: [64, 1] }, { data: y, shape: [64, 1] }) },
        {
          ...{ epsilon: 1, backend, truncation: true, acceleration: 'none', certificate: false },
          ...{ maxIterations: 1, tolerance: 0, warmStart: { f, g: new Float64Array(64) } },
        },
      )
      for (let j = 32; j < 63; j++) expect(solution.potentials.g[j]).to.be.closeTo(49, 1e-10)
    })

    it('refuses what is neither true nor false, and batches', async () => {
      const problem = { cost: pointCloud(uniform(5, 2, 1), uniform(5, 2, 2)) }
      const options = { epsilon: 1, backend, truncation: 1 as unknown as boolean }
      await expectRejection(sinkhorn(problem, options), 'ERR_OPTION', /truncation/)
      await expectRejection(sinkhornBatch([problem], { epsilon: 1, truncation: true }), 'ERR_OPTION', /truncation/)
    })
  })
})

function softmax(values: number[]): number {
  const most = values.reduce((x, y) => Math.max(x, y))
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
}
