import { expect } from 'chai'
import { kernels } from '../../lib/backend/index.js'
import {
  type OnlineDictionary,
  onlineDictionary,
  orthogonalDictionary,
  orthogonalDictionarySync,
} from '../../lib/lowrank/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { fill, randomNormal } from '../helpers/random.js'
import {
  at,
  distance,
  dot,
  expectOrthogonal,
  largest,
  objective,
  rotations,
  sparseSamples,
  times,
} from './dictionaries.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

describe('lowrank: onlineDictionary', () => {
  forEachBackend((backend) => {
    for (const power of [3, 4] as const) {
      it(`p = ${power}: the gradient is that of finite differences`, () => {
        const n = 5
        const Y = sparseSamples(rotations(n, 1), n, 40, 0.4, 2)
        const W = rotations(n, 3).map((x) => 0.9 * x)
        const learner = onlineDictionary({ atoms: n, power, initial: { data: W, shape: [n, n] }, backend })
        const found = learner.updateSync(Y)
        const { averaged, scale } = learner.state()
        const G = averaged.map((x) => x * scale ** power)
        expect(found.objective).to.be.closeTo(objective(W, Y, n, power), 1e-9 * found.objective)
        for (let k = 0; k < n * n; k++) {
          const moved = (by: number) =>
            objective(
              Float64Array.from(W, (x, l) => (l === k ? x + by : x)),
              Y,
              n,
              power,
            )
          expect(G[k]).to.be.closeTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 1e-6 * (1 + Math.abs(G[k])))
        }
        // gamma_1 = 1: W is the vertex, which beats all other orthogonal matrices.
        const S = learner.relaxed.data
        expectOrthogonal(S, n)
        expect(found.gap).to.be.closeTo(dot(G, S) - dot(G, W), 1e-9)
        for (let k = 0; k < 300; k++) expect(dot(G, rotations(n, 100 + k))).to.be.at.most(dot(G, S) + 1e-9)
      })
    }

    for (const n of [3, 20, 64, 80]) {
      it(`polar factors of ${n} × ${n}, also of rank-deficient matrices`, () => {
        const polar = (matrix: Float64Array, near: Float64Array) => {
          const job = { n, threads: 2, matrix, near, out: new Float64Array(n * n), report: new Float64Array(1) }
          kernels(backend).lowrank.dictionary.polar.runSync(job, { timeLimit: Number.POSITIVE_INFINITY })
          return job
        }
        const [u, v, near] = [rotations(n, 1), rotations(n, 2), rotations(n, 3)]
        const withValues = (value: (k: number) => number) => {
          const scaled = Float64Array.from(v, (x, at) => x * value(Math.floor(at / n)))
          return times(u, scaled, n)
        }
        for (const value of [(k: number) => 1 + k / n, (k: number) => 10 ** ((-6 * k) / n)]) {
          const { out, report } = polar(withValues(value), near)
          expect(report[0]).to.equal(1)
          expect(largest(out, times(u, v, n))).to.be.below(1e-9)
        }
        const deficient = polar(
          withValues((k) => (k < n / 2 ? 1 + k : 0)),
          near,
        )
        expect(deficient.report[0]).to.equal(0)
        expectOrthogonal(deficient.out, n)
        expect(
          dot(
            deficient.out,
            withValues((k) => (k < n / 2 ? 1 + k : 0)),
          ),
        ).to.be.closeTo(
          Array.from({ length: n }, (_, k) => (k < n / 2 ? 1 + k : 0)).reduce((a, b) => a + b),
          1e-8,
        )
        const zero = polar(new Float64Array(n * n), near)
        expect(largest(zero.out, near)).to.be.below(1e-9)
      })
    }

    it('finds the dictionary up to order and signs, and every column has one large entry', () => {
      const n = 10
      const D = rotations(n, 5)
      const learner = onlineDictionary({ atoms: n, batchSize: 10, seed: 1, backend })
      const found = learner.updateSync(sparseSamples(D, n, 20_000, 0.3, 7))
      expect(found.iterations).to.equal(2000)
      expect(distance(learner.relaxed.data, D, n)).to.be.below(0.004)
      const W = learner.dictionary.data
      expectOrthogonal(W, n)
      for (let j = 0; j < n; j++) {
        const column = Array.from({ length: n }, (_, k) =>
          Math.abs(Array.from({ length: n }, (_, i) => at(W, n, i, j) * at(D, n, i, k)).reduce((a, b) => a + b)),
        )
        expect(Math.max(...column)).to.be.at.least(0.99)
      }
      // The spectral norm: |W z|² <= |z|² for many z.
      const relaxed = learner.relaxed.data
      for (let k = 0; k < 50; k++) {
        const z = fill(n, randomNormal(k))
        const image = Array.from({ length: n }, (_, i) => dot(relaxed.subarray(i * n, (i + 1) * n), z))
        expect(dot(image, image)).to.be.at.most(dot(z, z) * (1 + 1e-12))
      }
    })

    it('Gaussian samples are not identifiable, and a warning says so', () => {
      const n = 20
      const learner = onlineDictionary({ atoms: n, batchSize: 20, backend })
      const { warnings } = learner.updateSync(fill(n * 8000, randomNormal(3)))
      expect(warnings.join()).to.match(/kurtosis/)
      expect(distance(learner.dictionary.data, rotations(n, 9), n)).to.be.above(0.3)
    })

    it('two dimensions: the angle of a scan', async () => {
      const Y = sparseSamples(rotations(2, 4), 2, 4000, 0.3, 5)
      const { dictionary } = await orthogonalDictionary(Y, { atoms: 2, backend })
      let best = 0
      for (let k = 0; k < 500; k++) {
        const [c, s] = [Math.cos((k * Math.PI) / 1000), Math.sin((k * Math.PI) / 1000)]
        best = Math.max(best, objective([c, -s, s, c], Y, 2, 3))
      }
      const found = objective(dictionary.data, Y, 2, 3)
      expect(found).to.be.at.least(best * (1 - 1e-9))
      expect(found).to.be.at.most(best * (1 + 1e-4))
    })

    it('turned samples from a turned start give a turned W, also where gradients are rank-deficient', () => {
      const n = 6
      const [Q, start] = [rotations(n, 11), rotations(n, 12)]
      const Y = sparseSamples(rotations(n, 13), n, 60, 0.4, 14)
      const turned = new Float64Array(Y.length)
      for (let r = 0; r < 60; r++) {
        for (let i = 0; i < n; i++)
          turned[r * n + i] = dot(Q.subarray(i * n, (i + 1) * n), Y.subarray(r * n, (r + 1) * n))
      }
      const from = (data: Float64Array, samples: Float64Array) => {
        const learner = onlineDictionary({ atoms: n, batchSize: 2, initial: { data, shape: [n, n] }, backend })
        const update = learner.updateSync(samples)
        expect(update.rankDeficient).to.be.above(0)
        return learner.relaxed.data
      }
      expect(largest(from(times(Q, start, n), turned), times(Q, from(start, Y), n))).to.be.below(1e-9)
    })

    it('full steps on all samples are the power method, whose objective never falls', () => {
      const n = 8
      const Y = sparseSamples(rotations(n, 1), n, 500, 0.3, 2)
      for (const power of [3, 4] as const) {
        const solution = orthogonalDictionarySync(Y, {
          atoms: n,
          power,
          maxIterations: 30,
          tolerance: 0,
          seed: 3,
          backend,
        })
        const online = onlineDictionary({ atoms: n, power, rho: 1, gamma: 1, seed: 3, backend })
        for (let k = 0; k < solution.iterations; k++) online.updateSync(Y)
        expect(largest(online.dictionary.data, solution.dictionary.data)).to.be.below(1e-9)
        solution.history.slice(1).forEach((value, k) => {
          expect(value).to.be.at.least(solution.history[k] * (1 - 1e-12))
        })
        expectOrthogonal(solution.dictionary.data, n)
      }
      const codes = orthogonalDictionarySync(Y, {
        atoms: n,
        method: 'threshold',
        keep: 3,
        seed: 3,
        tolerance: 1e-8,
        backend,
      })
      codes.history.slice(1).forEach((value, k) => {
        expect(value).to.be.at.most(codes.history[k] * (1 + 1e-12))
      })
    })

    it('saved and restored, it goes on bit for bit', () => {
      const n = 7
      const Y = sparseSamples(rotations(n, 1), n, 400, 0.3, 2)
      for (const whiten of [false, true]) {
        const learner = onlineDictionary({ atoms: n, batchSize: 5, whiten, rho: { exponent: 0.6 }, backend })
        learner.updateSync(Y.subarray(0, 200 * n))
        const copy = onlineDictionary.fromState(JSON.parse(JSON.stringify(learner.state())), { backend })
        for (const one of [learner, copy]) one.updateSync(Y.subarray(200 * n))
        expect(copy.state()).to.deep.equal(learner.state())
      }
    })

    it('codes are the largest coefficients, and decode gives the sample back', async () => {
      const n = 6
      const learner = onlineDictionary({ atoms: n, backend })
      const Y = fill(3 * n, randomNormal(4))
      learner.updateSync(Y)
      const W = learner.dictionary.data
      const z = Array.from({ length: n }, (_, j) =>
        dot(
          Array.from({ length: n }, (_, i) => at(W, n, i, j)),
          Y.subarray(0, n),
        ),
      )
      const code = await learner.encode(Y.subarray(0, n), { keep: 2 })
      const kept = new Set([...z.keys()].sort((a, b) => Math.abs(z[b]) - Math.abs(z[a])).slice(0, 2))
      z.forEach((value, j) => {
        expect(code[j]).to.be.closeTo(kept.has(j) ? value : 0, 1e-12)
      })
      const thin = learner.encodeSync(Y.subarray(0, n), { threshold: 0.5 })
      z.forEach((value, j) => {
        expect(thin[j]).to.be.closeTo(Math.abs(value) >= 0.5 ? value : 0, 1e-12)
      })
      const matrix = { data: Y, shape: [3, n] }
      const back = learner.decodeSync((await learner.encode(matrix)) as Wrong) as {
        data: Float64Array
        shape: number[]
      }
      expect(back.shape).to.deep.equal([3, n])
      expect(largest(back.data, Y)).to.be.below(1e-12)
    })

    it('whitening finds a dictionary that is not orthogonal', () => {
      const n = 6
      const A = times(
        rotations(n, 1),
        Float64Array.from({ length: n * n }, (_, k) => (k % (n + 1) === 0 ? 1 + k / n : 0)),
        n,
      )
      const D = times(A, rotations(n, 2), n)
      const learner = onlineDictionary({ atoms: n, batchSize: 12, whiten: true, backend })
      const Y = sparseSamples(D, n, 24_000, 0.3, 5)
      learner.updateSync(Y)
      // The codes of D's columns have one large entry each.
      for (let k = 0; k < n; k++) {
        const code = Array.from(learner.encodeSync(Float64Array.from({ length: n }, (_, i) => at(D, n, i, k))))
        const total = Math.sqrt(dot(code, code))
        expect(Math.max(...code.map(Math.abs)) / total).to.be.at.least(0.97)
      }
      const y = Y.slice(0, n)
      expect(largest(learner.decodeSync(learner.encodeSync(y)) as Float64Array, y)).to.be.below(1e-9)
    })

    it('streams of any batches are regrouped, end when calm, and stop when aborted', async () => {
      const n = 5
      const D = rotations(n, 1)
      const Y = sparseSamples(D, n, 3001, 0.3, 2)
      const whole = onlineDictionary({ atoms: n, batchSize: 4, backend })
      whole.updateSync(Y)
      const streamed = onlineDictionary({ atoms: n, batchSize: 4, backend })
      async function* parts() {
        for (let r = 0; r < 3001; r += 7) yield Y.subarray(r * n, Math.min(3001, r + 7) * n)
      }
      const update = await streamed.updateStream(parts(), { tolerance: 0 })
      expect([update.status, update.iterations, update.samples]).to.deep.equal(['iteration-limit', 751, 3001])
      expect(largest(streamed.relaxed.data, whole.relaxed.data)).to.be.below(1e-9)
      const calm = await onlineDictionary({ atoms: n, batchSize: 4, backend }).updateStream(parts(), {
        tolerance: 0.05,
      })
      expect(calm.status).to.equal('converged')
      expect(calm.residual).to.be.at.most(0.05)
      expect((await streamed.updateStream(parts(), { maxIterations: 3 })).iterations).to.equal(3)
      const controller = new AbortController()
      const reason = new Error('enough')
      async function* hanging() {
        yield Y.subarray(0, 4 * n)
        setTimeout(() => controller.abort(reason), 5)
        await new Promise(() => {})
      }
      expect(await rejection(streamed.updateStream(hanging(), { signal: controller.signal }))).to.equal(reason)
      const codes: number[] = []
      for await (const code of streamed.encodeStream([Y.subarray(0, n)], { keep: 1 }))
        codes.push(...(code as Float64Array))
      expect(codes.filter((x) => x !== 0)).to.have.length(1)
    })

    it('zeros are skipped, a gradient of 0 leaves W as it is, rows that are not finite may be', () => {
      const n = 4
      const learner = onlineDictionary({ atoms: n, invalid: 'skip', backend })
      const before = learner.state()
      expect(learner.updateSync(new Float64Array(3 * n)).skipped).to.equal(1)
      expect(learner.state().relaxed).to.deep.equal(before.relaxed)
      const found = learner.updateSync([1, 2, 3, 4, Number.NaN, 1, 1, 1, 4, 3, 2, 1])
      expect([found.invalid, found.samples, found.rankDeficient]).to.deep.equal([1, 2, 1])
      const zero = onlineDictionary({ atoms: n, initial: { data: new Float64Array(n * n), shape: [n, n] }, backend })
      expect(zero.updateSync([1, 2, 3, 4]).degenerate).to.equal(1)
      expect(zero.isSingular).to.equal(true)
    })

    it('float32 products agree to their precision, and units do not matter', () => {
      const n = 8
      const Y = sparseSamples(rotations(n, 1), n, 400, 0.3, 2)
      const learn = (samples: Float64Array | Float32Array, precision: 'float32' | 'float64') => {
        const learner = onlineDictionary({ atoms: n, batchSize: 20, precision, backend })
        learner.updateSync(samples)
        return learner.relaxed.data
      }
      const exact = learn(Y, 'float64')
      expect(largest(learn(Float32Array.from(Y), 'float32'), exact)).to.be.below(1e-4)
      expect(
        largest(
          learn(
            Y.map((x) => x * 2 ** 200),
            'float64',
          ),
          exact,
        ),
      ).to.be.below(1e-9)
      expect(
        largest(
          learn(
            Y.map((x) => x * 2 ** -200),
            'float64',
          ),
          exact,
        ),
      ).to.be.below(1e-9)
    })

    it('refuses what is wrong, and stays as it was', async () => {
      const make = (options: Wrong) => () => onlineDictionary({ backend, ...options })
      expectError(make({}), 'ERR_OPTION', /^atoms: expected/)
      expectError(make({ atoms: 0 }), 'ERR_OPTION', /^atoms: expected/)
      expectError(make({ atoms: 3, atom: 3 }), 'ERR_OPTION', /did you mean 'atoms'/)
      expectError(make({ atoms: 3, power: 5 }), 'ERR_OPTION', /^power: expected 3 or 4, got 5/)
      expectError(make({ atoms: 3, rho: 2 }), 'ERR_OPTION', /^rho: expected a number in \(0, 1\]/)
      expectError(make({ atoms: 3, gamma: { exponent: 1.5 } }), 'ERR_OPTION', /^gamma\.exponent: expected/)
      expectError(make({ atoms: 3, rho: { scale: 0 } }), 'ERR_NOT_POSITIVE', /^rho\.scale: expected/)
      const wide = { data: Float64Array.of(2, 0, 0, 1), shape: [2, 2] }
      expectError(
        make({ atoms: 2, initial: wide }),
        'ERR_OPTION',
        /^initial: expected a matrix of spectral norm at most 1, got 2/,
      )
      const learner: OnlineDictionary = onlineDictionary({ atoms: 3, backend })
      learner.updateSync([1, 2, 3])
      const before = learner.state()
      const refused = async (batch: Wrong, code: Wrong, message: RegExp) => {
        expectError(() => learner.updateSync(batch), code, message)
        await expectRejection(learner.update(batch), code, message)
        expect(learner.state()).to.deep.equal(before)
      }
      await refused([1, 2], 'ERR_SHAPE', /^batch: expected samples of 3 numbers, got 2 numbers/)
      await refused(new Float64Array(0), 'ERR_SHAPE', /^batch: expected samples of 3 numbers, got 0 numbers/)
      await refused([[1, 2]], 'ERR_SHAPE', /^batch: expected at least one row of 3 numbers, got 1×2/)
      await refused([1, 2, Number.NaN], 'ERR_NOT_FINITE', /^batch\[0\]\[2\]: expected a finite number, got NaN/)
      await refused(
        [
          [1, 2, 3],
          [1, 1e80, 3],
        ],
        'ERR_NOT_FINITE',
        /^batch\[1\]\[1\]: expected a magnitude/,
      )
      await refused(null, 'ERR_SHAPE', /^batch: expected/)
      expectError(() => onlineDictionary.fromState({} as Wrong), 'ERR_OPTION', /^state: expected type/)
      expectError(() => learner.encodeSync([1, 2, 3], { keep: 4 }), 'ERR_OPTION', /^keep: expected/)
      expectError(() => learner.encodeSync([1, 2, 3], { keep: 1, threshold: 1 }), 'ERR_OPTION', /^options: expected/)
      expectError(() => orthogonalDictionarySync([0, 0], { atoms: 2, backend }), 'ERR_SINGULAR', /^samples: expected/)
      const wrong = { atoms: 2, method: 'threshold', backend } as Wrong
      expectError(() => orthogonalDictionarySync([1, 0], wrong), 'ERR_OPTION', /^keep: expected/)
    })
  })

  it('both backends take the same steps', () => {
    for (const [n, whiten] of [
      [9, false],
      [9, true],
      [66, false],
    ] as const) {
      const Y = sparseSamples(rotations(n, 1), n, 4 * n, 0.3, 2)
      const [native, portable] = (['native', 'portable'] as const).map((backend) => {
        const learner = onlineDictionary({ atoms: n, batchSize: n, whiten, backend })
        learner.updateSync(Y)
        return learner.relaxed.data
      })
      expect(largest(native, portable)).to.be.below(1e-9)
    }
  })

  it('the number of threads changes nothing', () => {
    const n = 80
    const Y = sparseSamples(rotations(n, 1), n, 6 * n, 0.3, 2)
    const learn = (threads: number) => {
      const learner = onlineDictionary({ atoms: n, batchSize: 2 * n, threads, backend: 'native' })
      learner.updateSync(Y)
      return [...learner.relaxed.data]
    }
    expect(learn(2)).to.deep.equal(learn(1))
  })
})
