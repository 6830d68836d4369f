import { expect } from 'chai'
import { kernels } from '../../lib/backend/index.js'
import { type OnlineDictionaryOptions, onlineDictionary, orthogonalDictionarySync } from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { fill, random, randomNormal } from '../helpers/random.js'
import { at, distance, dot, largest, rotations, sparseSamples, times } from './dictionaries.js'

/** Whether s I - Wᵀ W is positive definite, by Cholesky's factors: whether the spectral norm is below √s. */
function isBelow(W: ArrayLike<number>, n: number, s: number): boolean {
  const l = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = i === j ? s : 0
      for (let k = 0; k < n; k++) sum -= at(W, n, k, i) * at(W, n, k, j)
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k]
      if (i > j) l[i * n + j] = sum / l[j * n + j]
      else if (sum > 0) l[j * n + j] = Math.sqrt(sum)
      else return false
    }
  }
  return true
}

/** E |u·x|³ for two independent entries that are Gaussian with probability theta and else 0, by the trapezoidal rule. */
function expectation(u: [number, number], theta: number): number {
  const [h, end] = [0.02, 9]
  const density = (x: number) => (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * h
  let [one, both] = [0, 0]
  for (let x = -end; x <= end; x += h) {
    one += density(x) * (Math.abs(u[0] * x) ** 3 + Math.abs(u[1] * x) ** 3)
    for (let y = -end; y <= end; y += h) both += density(x) * density(y) * Math.abs(u[0] * x + u[1] * y) ** 3
  }
  return theta * (1 - theta) * one + theta * theta * both
}

const rotation = (angle: number) => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)]
  return Float64Array.of(c, -s, s, c)
}

describe('lowrank: what onlineDictionary is to do in theory', () => {
  /** Values at u = (cos, sin) of the angle. */
  const angles = Array.from({ length: 13 }, (_, k) => (k * Math.PI) / 24)
  let expected: number[]
  before(() => {
    expected = angles.map((angle) => expectation([Math.cos(angle), Math.sin(angle)], 0.5))
  })

  forEachBackend((backend) => {
    const learnerOf = (options: OnlineDictionaryOptions) => onlineDictionary({ backend, ...options })

    it('the vertex beats 10,000 matrices of spectral norm 1', () => {
      const n = 4
      const G = fill(n * n, randomNormal(1))
      const job = {
        n,
        threads: 1,
        matrix: G,
        near: rotations(n, 2),
        out: new Float64Array(n * n),
        report: new Float64Array(1),
      }
      kernels(backend).lowrank.dictionary.polar.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
      const best = dot(G, job.out)
      const turns = Array.from({ length: 100 }, (_, k) => rotations(n, 100 + k))
      for (const a of turns) for (const b of turns) expect(dot(G, times(a, b, n))).to.be.at.most(best + 1e-12)
      // Between: a convex combination has norm at most 1, too.
      for (const a of turns)
        expect(
          dot(
            G,
            a.map((x, k) => 0.7 * job.out[k] + 0.3 * x),
          ),
        ).to.be.at.most(best + 1e-12)
    })

    it('the spectral norm of W stays below 1 + 1e-12 at every step', () => {
      const n = 6
      const Y = sparseSamples(rotations(n, 1), n, 240, 0.4, 2)
      for (const batch of [1, 4]) {
        const learner = learnerOf({ atoms: n, seed: 4 })
        for (let r = 0; r < 60; r++) {
          learner.updateSync(Y.subarray(r * batch * n, (r + 1) * batch * n))
          expect(isBelow(learner.relaxed.data, n, (1 + 1e-12) ** 2)).to.equal(true)
        }
        expect(isBelow(learner.relaxed.data, n, 0.01)).to.equal(false)
      }
    })

    const K = 60

    it('two dimensions, p = 3: the expectation by quadrature, and its maximum is where the learner ends', () => {
      // A node for each of K equally likely parts, with the part's E |x|³; the four patterns of zeros come equally often.
      const positive = Array.from({ length: K / 2 }, (_, k) => {
        const [a, b] = [K / 2 + k, K / 2 + k + 1].map((part) => (part < K ? normalQuantile(part / K) : 9))
        const cubes = (x: number) => ((x * x + 2) * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)
        return Math.cbrt(K * (cubes(a) - cubes(b)))
      })
      const nodes = [...positive, ...positive.map((x) => -x)]
      const turned = rotation(0.4)
      const rows: number[] = []
      for (const x of nodes) {
        for (const y of nodes) {
          for (const z of [
            [x, y],
            [x, 0],
            [0, y],
            [0, 0],
          ]) {
            rows.push(turned[0] * z[0] + turned[1] * z[1], turned[2] * z[0] + turned[3] * z[1])
          }
        }
      }
      const samples = Float64Array.from(rows)
      angles.forEach((angle, k) => {
        const learner = learnerOf({ atoms: 2, initial: { data: rotation(0.4 + angle), shape: [2, 2] } })
        const { objective } = learner.gapSync(samples)
        // Both columns are at the same distance from an axis, by symmetry.
        expect(objective).to.be.closeTo(2 * expected[k], 0.005 * objective)
      })
      // Greatest at the axes, which are the columns of D, and less between.
      expect(expected[12]).to.be.closeTo(expected[0], 1e-12)
      for (const value of expected.slice(1, 12)) expect(value).to.be.below(expected[0] - 1e-3)
      const learner = learnerOf({ atoms: 2, batchSize: 8, seed: 3 })
      learner.updateSync(sparseSamples(turned, 2, 16_000, 0.5, 5))
      const { data } = learner.dictionary
      const angle = Math.atan2(data[2], data[0]) - 0.4
      expect(Math.abs(Math.sin(2 * angle))).to.be.below(0.05)
    })

    it('the gradient of a batch is the mean of those of its halves', () => {
      const n = 5
      const Y = sparseSamples(rotations(n, 1), n, 40, 0.4, 2)
      const gradient = (samples: Float64Array) => {
        const learner = learnerOf({ atoms: n, rho: 1, seed: 2 })
        learner.updateSync(samples)
        const { averaged, scale } = learner.state()
        return averaged.map((x) => x * scale ** 3)
      }
      const [first, second] = [gradient(Y.subarray(0, 100)), gradient(Y.subarray(100))]
      const mean = first.map((x, k) => (x + second[k]) / 2)
      expect(largest(gradient(Y), mean)).to.be.below(1e-12)
    })

    it('the averaged gradient is (1 - rho) G + rho g, with rho and gamma 1, 2^(-1/2), 2^(-3/4)', () => {
      const n = 4
      const Y = sparseSamples(rotations(n, 1), n, 60, 0.5, 2)
      const learner = learnerOf({ atoms: n, seed: 2 })
      learner.updateSync(Y.subarray(0, 30 * n))
      const before = learner.state()
      const single = learnerOf({ atoms: n, rho: 1, initial: learner.relaxed })
      single.updateSync(Y.subarray(30 * n))
      learner.updateSync(Y.subarray(30 * n))
      const after = learner.state()
      const own = single.state()
      const g = own.averaged.map((x) => x * (own.scale / before.scale) ** 3)
      const rho = 2 ** -0.5
      expect(
        largest(
          after.averaged,
          before.averaged.map((x, k) => (1 - rho) * x + rho * g[k]),
        ),
      ).to.be.below(1e-12)
      // W moves by gamma towards an orthogonal matrix.
      const gamma = 2 ** -0.75
      const S = after.relaxed.map((x, k) => before.relaxed[k] + (x - before.relaxed[k]) / gamma)
      const square = times(
        Float64Array.from({ length: n * n }, (_, k) => S[(k % n) * n + Math.floor(k / n)]),
        S,
        n,
      )
      square.forEach((x, k) => {
        expect(x).to.be.closeTo(k % (n + 1) === 0 ? 1 : 0, 1e-9)
      })
    })

    it('the gap is <G, S - W>, and falls at least like t^(-1/4)', () => {
      const n = 8
      const learner = learnerOf({ atoms: n, batchSize: 8, seed: 2 })
      const { gaps } = learner.updateSync(sparseSamples(rotations(n, 3), n, 8000, 0.3, 4))
      const points: [number, number][] = []
      let least = Number.POSITIVE_INFINITY
      gaps.forEach((gap, t) => {
        expect(gap).to.be.at.least(-1e-12)
        least = Math.min(least, gap)
        if (t >= 20) points.push([Math.log(t + 1), Math.log(least)])
      })
      const [mx, my] = [0, 1].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length)
      const slope =
        points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) /
        points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0)
      expect(slope).to.be.at.most(-0.25)
    })

    it('sparse samples themselves give a signed permutation', () => {
      const n = 6
      const identity = Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 : 0))
      const learner = learnerOf({ atoms: n, batchSize: 6, seed: 8 })
      learner.updateSync(sparseSamples(identity, n, 9000, 0.3, 9))
      const W = learner.dictionary.data
      for (let i = 0; i < n; i++) {
        const row = Array.from(W.subarray(i * n, (i + 1) * n), Math.abs).sort((a, b) => b - a)
        expect(row[0]).to.be.at.least(0.99)
        expect(row[1]).to.be.at.most(0.1)
      }
    })

    it('unequal variances are warned of once, and not where whitening takes care of them', () => {
      const n = 3
      const normal = randomNormal(3)
      const Y = Float64Array.from({ length: 90 * n }, (_, k) => normal() * (k % n === 0 ? 30 : 1))
      const learner = learnerOf({ atoms: n, batchSize: 10 })
      expect(learner.updateSync(Y).warnings.join()).to.match(/condition .*whiten/)
      expect(learner.updateSync(Y).warnings).to.deep.equal([])
      expect(learnerOf({ atoms: n, batchSize: 10, whiten: true }).updateSync(Y).warnings).to.deep.equal([])
      const even = Y.map((x, k) => (k % n === 0 ? x / 30 : x))
      expect(learnerOf({ atoms: n, batchSize: 10 }).updateSync(even).warnings).to.deep.equal([])
    })

    it('constant weights follow a dictionary that turns; decreasing ones hardly do', () => {
      const n = 6
      const [first, second] = [rotations(n, 1), rotations(n, 2)]
      const Y = sparseSamples(first, n, 6000, 0.3, 3)
      const Z = sparseSamples(second, n, 1500, 0.3, 4)
      const turned = (options: Partial<OnlineDictionaryOptions>) => {
        const learner = learnerOf({ atoms: n, batchSize: 6, seed: 1, ...options })
        learner.updateSync(Y)
        expect(distance(learner.dictionary.data, first, n)).to.be.below(0.1)
        learner.updateSync(Z)
        return distance(learner.dictionary.data, second, n)
      }
      const constant = turned({ rho: 0.1, gamma: 0.05 })
      expect(constant).to.be.below(0.05)
      expect(turned({})).to.be.above(4 * constant)
    })

    it('the state has the same size after any number of samples', () => {
      const n = 4
      const learner = learnerOf({ atoms: n, batchSize: 2 })
      const size = () => Object.values(learner.state()).reduce((sum, x) => sum + (Array.isArray(x) ? x.length : 1), 0)
      const Y = sparseSamples(rotations(n, 1), n, 200, 0.5, 2)
      learner.updateSync(Y)
      const early = size()
      for (let k = 0; k < 10; k++) learner.updateSync(Y)
      expect(size()).to.equal(early)
      expect(learner.samples).to.equal(2200)
    })

    it("a full-batch run of Frank and Wolfe's method, one call or many, is the offline method to 1e-12", () => {
      const n = 5
      const next = random(7)
      const Y = sparseSamples(rotations(n, 1), n, 100, 0.4, Math.floor(100 * next()))
      const offline = orthogonalDictionarySync(Y, { atoms: n, maxIterations: 12, tolerance: 0, seed: 6, backend })
      const learner = learnerOf({ atoms: n, rho: 1, gamma: 1, seed: 6 })
      for (let k = 0; k < offline.iterations; k++) learner.updateSync(Y)
      expect(largest(learner.dictionary.data, offline.dictionary.data)).to.be.below(1e-12)
    })
  })
})

/** By bisection of the distribution function, itself a sum of the density. */
function normalQuantile(level: number): number {
  const h = 1e-3
  let sum = 0
  let x = -9
  while (sum < level) {
    sum += (Math.exp(-((x + h / 2) ** 2) / 2) / Math.sqrt(2 * Math.PI)) * h
    x += h
  }
  return x
}
