import { expect } from 'chai'
import {
  categorical,
  createStudy,
  integer,
  medianPruner,
  randomSampler,
  real,
  type Sampler,
  searchSpace,
  sobolSampler,
} from '../../lib/bayes/index.js'
import { memory } from '../../lib/bayes/storage/memory.js'
import { generator, sobol } from '../../lib/random/index.js'
import { expectError, expectRejection, rejection } from '../helpers/errors.js'

const space = { x: real(-1, 1), k: integer(0, 9) }

describe('study, ask and tell', () => {
  it('takes results in any order and knows the best', async () => {
    const study = await createStudy({ space })
    expect(study.best).to.equal(undefined)
    const trials = await study.ask(4)
    expect(trials.map(({ number }) => number)).to.deep.equal([0, 1, 2, 3])
    expect(study.pending.map(({ number }) => number)).to.deep.equal([0, 1, 2, 3])
    await study.tell(trials[2], 3)
    await study.tell(3, { value: 1 })
    await study.tell(trials[0], { value: 2, gradient: { x: 0.5 } })
    await study.tell(trials[1], { failed: 'out of memory' })
    expect(study.pending).to.deep.equal([])
    expect(study.trials.map(({ state, values, error }) => [state, values?.[0], error])).to.deep.equal([
      ...[
        ['complete', 2, undefined],
        ['failed', undefined, 'out of memory'],
      ],
      ...[
        ['complete', 3, undefined],
        ['complete', 1, undefined],
      ],
    ])
    expect(study.trials[0].gradient).to.deep.equal({ x: 0.5 })
    expect(study.best).to.deep.include({ number: 3, value: 1, feasible: true, violation: 0 })
    expect(study.best!.params).to.deep.equal(trials[3].params)
  })

  it('maximizes', async () => {
    const study = await createStudy({ space, direction: 'maximize' })
    for (const value of [3, 7, 5]) await study.tell(await study.ask(), value)
    expect(study.best!.value).to.equal(7)
  })

  it('never calls a point best that breaks the constraints while another keeps them', async () => {
    const study = await createStudy({ space, constraints: 2 })
    const tell = async (value: number, constraints: number[]) => study.tell(await study.ask(), { value, constraints })
    await tell(1, [2, 0.5])
    await tell(9, [1, -3])
    expect(study.best).to.deep.include({ number: 1, value: 9, feasible: false, violation: 1 })
    await tell(5, [0, 0])
    await tell(6, [-1, -1])
    expect(study.best).to.deep.include({ number: 2, feasible: true })
  })

  it('takes the same result twice and refuses another', async () => {
    const study = await createStudy({ space })
    const trial = await study.ask()
    await study.tell(trial, 1)
    await study.tell(trial, { value: 1 })
    await expectRejection(
      study.tell(trial, 2),
      'ERR_TRIAL',
      'trial 0: expected one that is running, got one that is complete',
    )
    await expectRejection(study.tell(7, 2), 'ERR_TRIAL', /^trial: expected one of 1, got number 7/)
    await expectRejection(trial.report(1, 2), 'ERR_TRIAL', /complete/)
    const pruned = await study.ask()
    await study.tell(pruned, { pruned: true })
    await expectRejection(study.tell(pruned, 2), 'ERR_TRIAL', /got one that is pruned/)
    expect(study.trials).to.have.length(2)
  })

  it('refuses results that are none and leaves the trial pending', async () => {
    const study = await createStudy({ space, constraints: 1 })
    const trial = await study.ask()
    const wrong = (result: unknown, code: Parameters<typeof expectRejection>[1], message: RegExp) =>
      expectRejection(study.tell(trial, result as number), code, message)
    await wrong({ value: Number.NaN, constraints: [0] }, 'ERR_NOT_FINITE', /^result.value: .*tell \{ failed: true \}/)
    await wrong({ value: 1, constraints: [Number.POSITIVE_INFINITY] }, 'ERR_NOT_FINITE', /result.constraints\[0\]/)
    await wrong({ value: 1 }, 'ERR_SHAPE', /result.constraints: expected 1 numbers, got undefined/)
    await wrong({ values: [1, 2], constraints: [0] }, 'ERR_SHAPE', /result.values: expected 1 numbers, got 2/)
    await wrong({ value: 1, failed: true }, 'ERR_OPTION', /expected one of value, values, failed/)
    await wrong({}, 'ERR_OPTION', /expected one of value, values, failed/)
    await wrong('1', 'ERR_OPTION', /^result: expected a number/)
    await wrong({ valu: 1 }, 'ERR_OPTION', /did you mean 'value'/)
    await wrong(
      { value: 1, constraints: [0], gradient: { k: 1, y: 2 } },
      'ERR_OPTION',
      /result.gradient: unknown name 'y'/,
    )
    await wrong({ value: 1, constraints: [0], gradient: { x: Number.NaN } }, 'ERR_NOT_FINITE', /result.gradient.x/)
    expect(study.pending).to.have.length(1)
    await study.tell(trial, { value: 1, constraints: [0] })
  })

  it('proposes each point of a finite space once, and says when there is none', async () => {
    for (const sampler of [randomSampler(), sobolSampler()]) {
      const small = { a: integer(0, 3), b: categorical(['x', 'y', 'z']) }
      const study = await createStudy({
        space: searchSpace(small, { where: ({ a, b }) => a !== 0 || b === 'x' }),
        sampler,
      })
      const trials = await study.ask(10)
      expect(new Set(trials.map(({ params: { a, b } }) => `${a}${b}`)).size).to.equal(10)
      await expectRejection(study.ask(), 'ERR_EXHAUSTED', /got none among 12/)
      // A trial that was given up gives its point back.
      await study.tell(trials[4], { cancelled: true })
      expect((await study.ask()).params).to.deep.equal(trials[4].params)
      await expectRejection(study.ask(), 'ERR_EXHAUSTED', /got none among 12/)
      const again = await createStudy({ space: { a: integer(0, 1) }, sampler, duplicates: true })
      expect(await again.ask(7)).to.have.length(7)
    }
  })

  it('evaluates what is enqueued first, and released trials under their number', async () => {
    const study = await createStudy({ space })
    const first = await study.ask()
    expect(await study.enqueue({ x: 0.5, k: 3 })).to.equal(1)
    await study.release(first)
    // By number of when they began to wait: the enqueued one before.
    const [next, then] = await study.ask(2)
    expect([next.number, next.params, next.record.sampler]).to.deep.equal([1, { x: 0.5, k: 3 }, 'enqueued'])
    expect([then.number, then.attempt, then.params]).to.deep.equal([0, 2, first.params])
    await expectRejection(study.tell(first, 1), 'ERR_TRIAL', /running, begun again since/)
    await study.tell(then, 1)
    await expectRejection(study.enqueue({ x: 2, k: 3 }), 'ERR_OPTION', /params.x/)
    expect(await study.add({ x: 0, k: 1 }, 0.5)).to.equal(2)
    expect(study.best!.number).to.equal(2)
  })

  it('gives its samplers all they need and refuses what the space does not allow', async () => {
    const seen: unknown[] = []
    const sampler: Sampler = {
      name: 'mine',
      async ask(history, searched, random) {
        seen.push([history.trials.length, history.seed, random.uniform()])
        return { params: searched.decode([0.5, 0.5]), reason: { why: 'the middle' } }
      },
    }
    const study = await createStudy({ space, sampler, seed: 5 })
    await study.ask(2)
    // Each trial has a stream of its own.
    const uniform = (number: number) => generator(5).split(number).split(0).uniform()
    expect(seen).to.deep.equal([
      [0, 5, uniform(0)],
      [1, 5, uniform(1)],
    ])
    await study.tell(1, 4)
    await study.tell(0, 2)
    expect(study.explain(1)).to.deep.equal({
      ...{
        number: 1,
        state: 'complete',
        sampler: 'mine',
        reason: { why: 'the middle' },
        violation: 0,
        rank: 2,
        regret: 2,
      },
      text: 'trial 1 was proposed by mine (why: the middle); it is complete, number 2 of those that are complete',
    })
    const narrow = searchSpace(space, { where: ({ x }) => x > 0.5 })
    await expectRejection(
      (await createStudy({ space: narrow, sampler })).ask(),
      'ERR_INFEASIBLE',
      /^params: expected a point/,
    )
  })

  it('follows the Sobol sequence, past what is not allowed', async () => {
    const u = sobol({ dimensions: 2, seed: 3 })
    const free = await createStudy({ space: { x: real(0, 1), y: real(0, 1) }, seed: 3 })
    expect((await free.ask(5)).map(({ params: { x, y } }) => [x, y])).to.deep.equal(
      [0, 1, 2, 3, 4].map((i) => Array.from(u.point(i))),
    )
    const half = searchSpace({ x: real(0, 1), y: real(0, 1) }, { linear: [{ weights: { x: 1, y: 1 }, atMost: 1 }] })
    const study = await createStudy({ space: half, seed: 3 })
    const allowed = Array.from({ length: 40 }, (_, i) => Array.from(u.point(i))).filter(([x, y]) => x + y <= 1)
    expect((await study.ask(6)).map(({ params: { x, y } }) => [x, y])).to.deep.equal(allowed.slice(0, 6))
    const thin = searchSpace({ x: real(0, 1), y: real(0, 1) }, { linear: [{ weights: { x: 1, y: 1 }, equals: 1 }] })
    const trial = await (await createStudy({ space: thin })).ask()
    expect(trial.params.x + trial.params.y).to.be.closeTo(1, 1e-9)
    expect(trial.record.reason).to.have.property('replaced')
  })

  it('prunes by what is reported', async () => {
    const study = await createStudy({ space, pruner: medianPruner({ startupTrials: 1 }) })
    const [good, bad] = await study.ask(2)
    await good.report(1, 0.5)
    expect(good.shouldPrune()).to.equal(false)
    await study.tell(good, 0.4)
    const reporting = bad.report(1, 0.7)
    expect(bad.shouldPrune()).to.equal(true) // before it is in the storage
    await reporting
    expect(bad.shouldPrune()).to.equal(true)
    expect(bad.record.reports).to.deep.equal([{ step: 1, value: 0.7 }])
    await expectRejection(bad.report(1, 0.1), 'ERR_OPTION', 'step: expected one above the last, 1, got 1')
    await expectRejection(bad.report(2, Number.NaN), 'ERR_NOT_FINITE', /^value/)
    await expectRejection(bad.report(-1, 1), 'ERR_OPTION', /^step/)
    const pareto = await createStudy({ space, directions: ['minimize', 'minimize'], pruner: medianPruner() })
    const trial = await pareto.ask()
    await trial.report(1, 1)
    expectError(() => trial.shouldPrune(), 'ERR_OPTION', /^pruner: expected one objective, got 2/)
  })

  it('refuses options that are wrong', async () => {
    const wrong = (options: object, message: RegExp) =>
      expectRejection(createStudy({ space, ...options } as never), 'ERR_OPTION', message)
    await wrong({ direction: 'minimise' }, /did you mean 'minimize'/)
    await wrong({ direction: 'minimize', directions: ['minimize'] }, /either direction or directions/)
    await wrong({ directions: [] }, /^directions/)
    await wrong({ constraints: -1 }, /^constraints/)
    await wrong({ seed: 0.5 }, /^seed/)
    await wrong({ sampler: 'random' }, /^sampler/)
    await wrong({ pruner: {} }, /^pruner/)
    await wrong({ storage: 3 }, /^storage/)
    await wrong({ storag: ':memory:' }, /did you mean 'storage'/)
    await expectRejection(createStudy(undefined as never), 'ERR_OPTION', /^options/)
  })

  it('writes each of many calls at once a single time', async () => {
    const storage = memory()
    const events: string[] = []
    const counting = {
      ...storage,
      append: (record: string) => {
        events.push(JSON.parse(record)[1])
        return storage.append(record)
      },
    }
    const study = await createStudy({ space, storage: counting })
    const numbers = await Promise.all(Array.from({ length: 50 }, (_, k) => study.enqueue({ x: k / 50, k: 1 })))
    expect(events.filter((event) => event === 'enqueue')).to.have.length(50)
    expect(numbers.map((number) => study.trials[number].params.x)).to.deep.equal(numbers.map((_, k) => k / 50))
    expect(new Set(numbers).size).to.equal(50)
  })

  it('acknowledges nothing after its storage failed to sync', async () => {
    const full = new Error('disk full')
    let broken = false
    const flush = async () => {
      if (!broken) return
      broken = false // a later sync succeeds, though what came before is lost
      throw full
    }
    const study = await createStudy({ space, storage: { ...memory(), flush } })
    const trial = await study.ask()
    broken = true
    const told = await Promise.all([rejection(study.tell(trial, 1)), rejection(study.tell(trial, 1))])
    expect(told).to.deep.equal([full, full])
    expect(await rejection(study.tell(trial, 1))).to.equal(full)
    expect(await rejection(study.ask())).to.equal(full)
  })

  it('gives what there is when it is asked for more, and releases what it could not give', async () => {
    const finite = await createStudy({ space: { a: integer(0, 3) } })
    expect(await finite.ask(6)).to.have.length(4)
    await expectRejection(finite.ask(2), 'ERR_EXHAUSTED', /got none among 4/)
    const broken = new Error('no idea')
    const sampler: Sampler = {
      name: 'mine',
      ask(history, searched) {
        if (history.trials.length === 2) throw broken
        return { params: searched.decode([0.5, 0.5]) }
      },
    }
    const study = await createStudy({ space, sampler, duplicates: true })
    expect(await rejection(study.ask(3))).to.equal(broken)
    expect(study.trials.map(({ state }) => state)).to.deep.equal(['waiting', 'waiting'])
  })

  it('is of no use after close()', async () => {
    const study = await createStudy({ space })
    await study.close()
    await study.close()
    await expectRejection(study.ask(), 'ERR_STORAGE', /got a call after close/)
  })
})

describe('study.optimize', () => {
  const sphere = ({ x, k }: { x: number; k: number }) => x * x + k

  it('gives what asking and telling by hand gives', async () => {
    const one = await createStudy({ space, seed: 4 })
    const solution = await one.optimize(sphere, { trials: 20 })
    const two = await createStudy({ space, seed: 4 })
    for (let k = 0; k < 20; k++) {
      const trial = await two.ask()
      await two.tell(trial, sphere(trial.params))
    }
    const points = (study: typeof one) => study.trials.map(({ params, values }) => [params, values])
    expect(points(one)).to.deep.equal(points(two))
    const least = Math.min(...two.trials.map(({ params }) => sphere(params)))
    expect(solution).to.deep.include({ status: 'iteration-limit', iterations: 20, failed: 0, pruned: 0 })
    expect(solution.best!.value).to.equal(least)
  })

  it('keeps so many under way at once, and no more', async () => {
    const study = await createStudy({ space })
    let running = 0
    let most = 0
    const ended: number[] = []
    await study.optimize(
      async (params, { number }) => {
        most = Math.max(most, ++running)
        // Later trials end first.
        await new Promise((resolve) => setTimeout(resolve, 10 - (number % 4) * 3))
        running--
        return sphere(params)
      },
      { trials: 12, parallel: 4, onTrial: ({ number }) => ended.push(number) },
    )
    expect(most).to.equal(4)
    expect([...ended].sort((a, b) => a - b)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(study.trials.every(({ state }) => state === 'complete')).to.equal(true)
  })

  it('records what fails, what is pruned and what is no result', async () => {
    const study = await createStudy({ space })
    const solution = await study.optimize(
      async (_, trial) => {
        if (trial.number === 0) throw new Error('exploded')
        if (trial.number === 1) trial.prune()
        if (trial.number === 2) return Number.NaN
        if (trial.number === 3) return undefined as never
        return trial.number
      },
      { trials: 6 },
    )
    expect(solution).to.deep.include({ iterations: 6, failed: 3, pruned: 1 })
    expect(study.trials.map(({ state }) => state)).to.deep.equal([
      ...['failed', 'pruned', 'failed', 'failed', 'complete', 'complete'],
    ])
    expect(study.trials[0].error).to.equal('exploded')
    expect(study.trials[2].error).to.match(/expected a finite number, got NaN/)
    const failing = () => {
      throw new TypeError('x is undefined')
    }
    await expectRejection(
      (await createStudy({ space })).optimize(failing, { trials: 3 }),
      'ERR_ORACLE',
      /3 failures; the last: x is undefined/,
    )
  })

  it('goes on when a trial was ended elsewhere, and when only its own trials failed', async () => {
    const study = await createStudy({ space })
    const solution = await study.optimize(
      async (_, { number }) => {
        if (number === 1) await study.tell(number, 5)
        return number
      },
      { trials: 3 },
    )
    expect(solution.iterations).to.equal(2)
    expect(study.trials.map(({ values }) => values?.[0])).to.deep.equal([0, 5, 2])
    const failing = () => {
      throw new Error('exploded')
    }
    expect(await study.optimize(failing, { trials: 2 })).to.deep.include({ iterations: 2, failed: 2 })
  })

  it('stops at the time limit and gives back what is under way', async () => {
    const study = await createStudy({ space })
    const signals: AbortSignal[] = []
    const endless = (_: unknown, { number, signal }: { number: number; signal: AbortSignal }) => {
      signals.push(signal)
      return number === 0 ? 1 : new Promise<number>(() => {})
    }
    const solution = await study.optimize(endless, { timeLimit: 50, parallel: 2 })
    expect(solution).to.deep.include({ status: 'time-limit', iterations: 1 })
    expect(signals.at(-1)!.aborted).to.equal(true)
    expect(study.trials.map(({ state }) => state)).to.deep.equal(['complete', 'waiting', 'waiting'])
    // The next call goes on with them.
    const numbers: number[] = []
    await study.optimize((_, { number }) => numbers.push(number), { trials: 3 })
    expect(numbers).to.deep.equal([1, 2, 3])
  })

  it('aborts', async () => {
    const study = await createStudy({ space })
    const controller = new AbortController()
    const stop = new Error('enough')
    const run = study.optimize(
      ({ x }, { number, signal }) => {
        if (number < 2) return x
        return new Promise<number>((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
          controller.abort(stop)
        })
      },
      { signal: controller.signal },
    )
    expect(await rejection(run)).to.equal(stop)
    expect(study.trials.map(({ state }) => state)).to.deep.equal(['complete', 'complete', 'waiting'])
    expect(await rejection(study.optimize(() => 1, { signal: AbortSignal.abort(stop) }))).to.equal(stop)
  })

  it('ends when a finite space is exhausted', async () => {
    const study = await createStudy({ space: { k: integer(1, 6) } })
    const solution = await study.optimize(({ k }) => (k - 4) ** 2, { parallel: 3 })
    expect(solution).to.deep.include({ status: 'converged', iterations: 6 })
    expect(solution.best!.params).to.deep.equal({ k: 4 })
    const open = await createStudy({ space })
    await expectRejection(
      open.optimize(() => 1),
      'ERR_OPTION',
      'options: expected trials, timeLimit or signal, got none',
    )
    // Longer than a timer of Node can be set for.
    const long = await open.optimize(() => 1, { timeLimit: 1e12, trials: 2 })
    expect(long).to.deep.include({ status: 'iteration-limit', iterations: 2 })
    await expectRejection(open.optimize(3 as never), 'ERR_OPTION', /^objective/)
    await expectRejection(
      open.optimize(() => 1, { trial: 3 } as never),
      'ERR_OPTION',
      /did you mean 'trials'/,
    )
  })

  it('lets errors outside the objective through', async () => {
    const study = await createStudy({ space })
    const broken = new Error('no room to draw')
    const onTrial = () => {
      throw broken
    }
    expect(await rejection(study.optimize(() => 1, { trials: 5, onTrial, parallel: 2 }))).to.equal(broken)
  })
})

describe('importance', () => {
  it('is that of the analysis of variance, which is known for sums and products', async () => {
    const study = await createStudy({
      space: { a: real(0, 1), b: real(0, 1), c: real(0, 1), d: categorical(['u', 'v']) },
    })
    // Variances 9/12, 1/12, 0 and 0.25 · 1: shares 0.692, 0.077, 0, 0.231.
    await study.optimize(({ a, b, d }) => 3 * a + b + (d === 'u' ? 1 : 0), { trials: 512 })
    const shares = await study.importance({ trees: 16 })
    const total = 9 / 12 + 1 / 12 + 1 / 4
    expect(shares.a).to.be.closeTo(9 / 12 / total, 0.04)
    expect(shares.b).to.be.closeTo(1 / 12 / total, 0.04)
    expect(shares.c).to.be.closeTo(0, 0.02)
    expect(shares.d).to.be.closeTo(1 / 4 / total, 0.04)
    expect(await study.importance({ trees: 16 })).to.deep.equal(shares)
    // Of (a - 1/2)(b - 1/2) neither explains anything alone.
    const product = await createStudy({ space: { a: real(0, 1), b: real(0, 1) } })
    await product.optimize(({ a, b }) => (a - 0.5) * (b - 0.5), { trials: 512 })
    const none = await product.importance({ trees: 16 })
    expect(none.a + none.b).to.be.below(0.15)
    await expectRejection((await createStudy({ space })).importance(), 'ERR_OPTION', /at least 8 complete ones, got 0/)
  })

  it('does not depend on the scale of the objective', async () => {
    const shares = async (scale: number) => {
      const study = await createStudy({ space })
      await study.optimize(({ x, k }) => (x + k / 9) * scale, { trials: 40 })
      return study.importance({ trees: 4 })
    }
    const usual = await shares(1)
    for (const scale of [2 ** 1022, 2 ** -900]) {
      const scaled = await shares(scale)
      expect(scaled.x).to.be.closeTo(usual.x, 1e-9)
      expect(scaled.k).to.be.closeTo(usual.k, 1e-9)
    }
    expect(usual.x).to.be.above(0)
  })

  it('is zero for a constant', async () => {
    const study = await createStudy({ space })
    await study.optimize(() => 3, { trials: 8 })
    expect(await study.importance()).to.deep.equal({ x: 0, k: 0 })
  })
})
