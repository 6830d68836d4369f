import { expect } from 'chai'
import fc from 'fast-check'
import {
  type ExpertTrace,
  type PlaceAffinitySolution,
  placeAffinity,
  placeAffinitySync,
  syntheticTrace,
} from '../../lib/moe/index.js'
import { forEachBackend } from '../helpers/backends.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'
import { random, shuffled } from '../helpers/random.js'

// biome-ignore lint/suspicious/noExplicitAny: values that the types forbid.
type Wrong = any

/** The mean part of the steps that stay on their device, counted over the tokens. */
function localityOf({ data, shape }: ExpertTrace, placement: ArrayLike<number>[]): number {
  const [layers, tokens, k] = Array.from(shape)
  let local = 0
  for (let l = 0; l + 1 < layers; l++) {
    for (let t = 0; t < tokens; t++) {
      for (let r = 0; r < k; r++) {
        for (let q = 0; q < k; q++) {
          const here = placement[l][data[(l * tokens + t) * k + r]]
          const next = placement[l + 1][data[((l + 1) * tokens + t) * k + q]]
          if (here === next) local++
        }
      }
    }
  }
  return local / ((layers - 1) * tokens * k * k)
}

function workOf({ data, shape }: ExpertTrace, layer: number, placement: ArrayLike<number>, devices: number): number[] {
  const [, tokens, k] = Array.from(shape)
  const work = Array(devices).fill(0)
  for (let i = layer * tokens * k; i < (layer + 1) * tokens * k; i++) work[placement[data[i]]] += 1 / (tokens * k)
  return work
}

function placements(experts: number, devices: number): number[][] {
  const all = (n: number): number[][] =>
    n === 0 ? [[]] : all(n - 1).flatMap((p) => Array.from({ length: devices }, (_, g) => [...p, g]))
  const least = Math.floor(experts / devices)
  return all(experts).filter((p) => {
    const sizes = Array.from({ length: devices }, (_, g) => p.filter((h) => h === g).length)
    return sizes.every((size) => size === least || size === least + 1)
  })
}

function expectSound(solution: PlaceAffinitySolution, trace: ExpertTrace, experts: number, devices: number): void {
  const [layers] = Array.from(trace.shape)
  expect(solution.placement.length).to.equal(layers)
  for (const p of solution.placement) {
    expect(p.length).to.equal(experts)
    const sizes = Array.from({ length: devices }, (_, g) => p.filter((h) => h === g).length)
    for (const size of sizes) expect(size).to.be.within(Math.floor(experts / devices), Math.ceil(experts / devices))
  }
  expect(solution.locality).to.be.closeTo(localityOf(trace, solution.placement), 1e-9)
  expect(solution.links.reduce((sum, x) => sum + x, 0) / (layers - 1)).to.be.closeTo(solution.locality, 1e-9)
  expect(solution.gap).to.be.closeTo(solution.bound - solution.locality, 1e-12)
  expect(solution.gap).to.be.at.least(-1e-9)
  const work = solution.placement.flatMap((p, l) => workOf(trace, l, p, devices))
  for (const [i, part] of work.entries()) expect(solution.load[i]).to.be.closeTo(part, 1e-9)
  expect(solution.imbalance).to.be.closeTo(Math.max(...work) * devices, 1e-9)
}

function randomTrace(layers: number, tokens: number, experts: number, k: number, seed: number): ExpertTrace {
  const next = random(seed)
  const data = Array.from({ length: layers * tokens }, () => shuffled(experts, next).slice(0, k)).flat()
  return { data, shape: [layers, tokens, k], experts }
}

describe('moe: placeAffinity', () => {
  forEachBackend((backend) => {
    const small = fc.record({
      layers: fc.integer({ min: 2, max: 3 }),
      experts: fc.integer({ min: 2, max: 5 }),
      most: fc.integer({ min: 1, max: 3 }),
      k: fc.integer({ min: 1, max: 2 }),
      seed: fc.nat(1e6),
      loadLimit: fc.option(fc.double({ min: 1, max: 1.5, noNaN: true }), { nil: undefined }),
    })

    it('exact is the best of all by trying them; the ascent and its bound enclose it', () => {
      check(
        fc.property(small, ({ layers: depth, experts, most, k, seed, loadLimit }) => {
          const devices = Math.min(most, experts)
          const layers = devices === 3 ? 2 : depth // fewer placements to try
          const trace = randomTrace(layers, 12, experts, k, seed)
          const keeps = (p: number[], l: number) =>
            loadLimit === undefined || Math.max(...workOf(trace, l, p, devices)) <= (loadLimit / devices) * (1 + 1e-12)
          const all = placements(experts, devices)
          let best = -1
          const visit = (chosen: number[][]) => {
            if (chosen.length === layers) best = Math.max(best, localityOf(trace, chosen))
            else for (const p of all) if (keeps(p, chosen.length)) visit([...chosen, p])
          }
          visit([])
          const options = { devices, backend, ...(loadLimit !== undefined && { loadLimit }) }
          const ascent = placeAffinitySync(trace, options)
          expectSound(ascent, trace, experts, devices)
          if (best < 0) {
            expectError(
              () => placeAffinitySync(trace, { ...options, method: 'exact' }),
              'ERR_INFEASIBLE',
              /^loadLimit: /,
            )
            expect(ascent.feasible).to.equal(false)
            return
          }
          const exact = placeAffinitySync(trace, { ...options, method: 'exact' })
          expectSound(exact, trace, experts, devices)
          expect(exact.locality).to.be.closeTo(best, 1e-9)
          expect([exact.status, exact.feasible]).to.deep.equal(['converged', true])
          expect(ascent.bound).to.be.at.least(best - 1e-9)
          if (ascent.feasible) expect(ascent.locality).to.be.at.most(best + 1e-9)
          if (loadLimit === undefined) {
            expect(ascent.feasible).to.equal(true)
            expect(ascent.locality).to.be.at.least(0.93 * best)
          }
        }),
        { runs: 60 },
      )
    })

    it('on ten synthetic traces: far better than by number, near the exact', () => {
      for (let seed = 0; seed < (backend === 'native' ? 10 : 3); seed++) {
        const wide = syntheticTrace({ tokens: 1024, experts: 16, layers: 8, k: 1, seed }).trace
        const found = placeAffinitySync(wide, { devices: 4, backend })
        expectSound(found, wide, 16, 4)
        expect(found.locality).to.be.at.least(2 * found.contiguous)
        expect(found.locality).to.be.within(0.5, 0.75)
        expect(found.contiguous).to.be.within(0.15, 0.35)
        const narrow = syntheticTrace({ tokens: 1024, experts: 8, layers: 8, k: 1, seed }).trace
        const exact = placeAffinitySync(narrow, { devices: 2, method: 'exact', backend })
        const ascent = placeAffinitySync(narrow, { devices: 2, backend })
        expect(ascent.locality).to.be.within(0.985 * exact.locality, exact.locality + 1e-9)
        expect(ascent.bound).to.be.at.least(exact.locality)
        expect(exact.locality).to.be.at.least(1.25 * exact.contiguous)
      }
    })

    it('a limit on the work of a device is kept where it can be, and costs locality', () => {
      let kept = 0
      for (let seed = 0; seed < 6; seed++) {
        const { trace } = syntheticTrace({ tokens: 512, experts: 8, layers: 5, k: 2, seed })
        const free = placeAffinitySync(trace, { devices: 2, backend })
        const limited = placeAffinitySync(trace, { devices: 2, loadLimit: 1.15, backend })
        expectSound(limited, trace, 8, 2)
        expect(limited.imbalance).to.be.below(free.imbalance)
        expect(limited.locality).to.be.at.most(free.locality + 1e-9)
        if (!limited.feasible) continue
        kept++
        expect(limited.imbalance).to.be.at.most(1.15 + 1e-9)
        const exact = placeAffinitySync(trace, { devices: 2, loadLimit: 1.15, method: 'exact', backend })
        expect(limited.locality).to.be.within(0.9 * exact.locality, exact.locality + 1e-9)
      }
      expect(kept).to.be.at.least(3)
    })
  })

  it('all on one device is all local, an expert per device too if steps are', () => {
    const trace = randomTrace(3, 20, 4, 2, 5)
    const one = placeAffinitySync(trace, { devices: 1 })
    expect([one.locality, one.gap, one.status]).to.deep.equal([1, 0, 'converged'])
    const steps: ExpertTrace = { data: [0, 1, 2, 3, 2, 3, 0, 1, 1, 0, 3, 2], shape: [3, 4, 1] }
    const perfect = placeAffinitySync(steps, { devices: 4, starts: 1 })
    expect(perfect.locality).to.be.closeTo(1, 1e-12)
  })

  it('leaves no device without experts, though none wants to go there', () => {
    // All of layer 1 follows two experts of layer 0, which may share a device that takes two.
    const data = [...Array.from({ length: 40 }, (_, t) => t % 2), ...Array.from({ length: 40 }, (_, t) => t % 4)]
    const trace: ExpertTrace = { data, shape: [2, 40, 1], experts: 4 }
    expectSound(placeAffinitySync(trace, { devices: 3 }), trace, 4, 3)
  })

  it('another order of the experts changes nothing else', () => {
    const trace = randomTrace(3, 40, 6, 2, 6)
    const order = shuffled(6, random(7))
    const renamed = { ...trace, data: Array.from(trace.data, (e) => order[e]) }
    const [one, two] = [trace, renamed].map((t) => placeAffinitySync(t, { devices: 3, method: 'exact' }))
    expect(two.locality).to.be.closeTo(one.locality, 1e-12)
  })

  it('the same on the calling thread and off it; out of time; aborted', async () => {
    const { trace } = syntheticTrace({ tokens: 300, experts: 24, layers: 12, k: 2, seed: 3 })
    const { elapsed: _, ...expected } = placeAffinitySync(trace, { devices: 4, seed: 5 })
    const { elapsed, ...came } = await placeAffinity(trace, { devices: 4, seed: 5 })
    expect(came).to.deep.equal(expected)
    expect(elapsed).to.be.at.least(0)
    const cut = await placeAffinity(trace, { devices: 4, timeLimit: 1e-6 })
    expect(cut.status).to.equal('time-limit')
    expectSound(cut, trace, 24, 4)
    const reason = new Error('enough')
    const controller = new AbortController()
    const running = placeAffinity(trace, { devices: 4, starts: 1000, signal: controller.signal })
    setImmediate(() => controller.abort(reason))
    expect(await rejection(running)).to.equal(reason)
  })

  it('refuses bad traces and options', async () => {
    const good: ExpertTrace = { data: [0, 1, 1, 2, 2, 0, 0, 2], shape: [2, 2, 2] }
    const bad: [Wrong, Wrong, string, RegExp][] = [
      [null, { devices: 1 }, 'ERR_SHAPE', /^trace: expected \{ data, shape, experts \}, got null$/],
      [
        { ...good, shape: [2, 4] },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace.shape: expected \[layers, tokens, k\], got \[2,4\]$/,
      ],
      [{ ...good, shape: [2, 0, 2] }, { devices: 1 }, 'ERR_SHAPE', /^trace: expected at least one request, got 2×0×2$/],
      [{ ...good, data: [0] }, { devices: 1 }, 'ERR_SHAPE', /^trace.data: expected 2×2×2 experts, got 1$/],
      [
        { ...good, data: [0, 1, 1, 2, 2, -1, 0, 2] },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace.data\[1\]\[0\]\[1\]: .+ got -1$/,
      ],
      [
        { ...good, data: [0, 1, 1, 2, 2, 0.5, 0, 2] },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace.data\[1\]\[0\]\[1\]: .+ got 0.5$/,
      ],
      [
        { ...good, data: [0, 1, 1, 2, 2, 0, 0, 0] },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace.data\[1\]\[1\]\[1\]: .+ 0 twice$/,
      ],
      [
        { ...good, experts: 2 },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace.data\[0\]\[1\]\[1\]: expected an expert from 0 to 1, got 2$/,
      ],
      [{ ...good, expert: 2 }, { devices: 1 }, 'ERR_OPTION', /did you mean 'experts'\?$/],
      [
        { data: [0, 1], shape: [1, 1, 2] },
        { devices: 1 },
        'ERR_SHAPE',
        /^trace: expected two layers or more, got one$/,
      ],
      [good, {}, 'ERR_OPTION', /^devices: expected a whole number/],
      [good, { devices: 4 }, 'ERR_INFEASIBLE', /^devices: expected at most 3 \(the experts\), got 4$/],
      [good, { devices: 2, loadLimit: 0.9 }, 'ERR_OPTION', /^loadLimit: expected a number >= 1, got 0.9$/],
      [
        { ...good, experts: 12 },
        { devices: 4, method: 'exact' },
        'ERR_OPTION',
        /^method: expected at most 5000 placements/,
      ],
      [good, { devices: 2, device: 1 }, 'ERR_OPTION', /did you mean 'devices'\?$/],
    ]
    for (const [trace, options, code, message] of bad) {
      expectError(() => placeAffinitySync(trace, options), code as 'ERR_SHAPE', message)
      await expectRejection(placeAffinity(trace, options), code as 'ERR_SHAPE', message)
    }
  })
})
