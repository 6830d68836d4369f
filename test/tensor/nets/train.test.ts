import path from 'node:path'
import { expect } from 'chai'
import { adam } from '../../../lib/descent/index.js'
import { generator } from '../../../lib/random/index.js'
import * as t from '../../../lib/tensor/index.js'
import { forEachBackend } from '../../helpers/backends.js'
import { runChild, withFolder } from '../../helpers/children.js'
import { expectError, expectRejection, rejection } from '../../helpers/errors.js'
import { leavesOf, momentum } from '../../helpers/momentum.js'
import { random } from '../../helpers/random.js'
import { draw } from '../../helpers/tensor.js'
import { loader, loss, net, points, trainingProblem } from '../../helpers/training-problem.js'

type Batch = { x: t.Tensor; y: t.Tensor }

const bits = (tree: unknown): number[][] => leavesOf(tree).map(({ data }) => [...data])

describe('train', () => {
  forEachBackend((backend) => {
    it('takes the steps of gradient descent: linear regression against plain loops', async () => {
      const x = draw([12, 3], random(1))
      const y = draw([12], random(2))
      const data = t.dataLoader({ x, y }, { batchSize: 5 })
      const params = { w: t.zeros([3]), b: t.zeros([]) }
      const seen: number[] = []
      const solution = await t.train(
        { params, data, loss: (p, batch) => t.mse(t.add(t.matmul(batch.x, p.w), p.b), batch.y) },
        { optimizer: momentum(0.1, 0), epochs: 3, backend, onStep: (info) => seen.push(info.loss) },
      )
      let [w, b] = [[0, 0, 0], 0]
      const losses: number[] = []
      for (let k = 0; k < 9; k++) {
        const rows = [0, 1, 2, 3, 4].map((i) => (k % 3) * 5 + i).filter((i) => i < 12)
        const errors = rows.map((i) => w.reduce((sum, wj, j) => sum + wj * x.data[3 * i + j], b) - y.data[i])
        losses.push(errors.reduce((sum, e) => sum + e * e, 0) / rows.length)
        const slope = (j: number): number =>
          errors.reduce((sum, e, r) => sum + 2 * e * x.data[3 * rows[r] + j], 0) / rows.length
        const slopes = [0, 1, 2].map(slope)
        b -= 0.1 * (errors.reduce((sum, e) => sum + 2 * e, 0) / rows.length)
        w = w.map((wj, j) => wj - 0.1 * slopes[j])
      }
      losses.forEach((value, k) => {
        expect(seen[k]).to.be.closeTo(value, 1e-13)
      })
      w.forEach((wj, j) => {
        expect(solution.params.w.data[j]).to.be.closeTo(wj, 1e-13)
      })
      expect(solution.params.b.item()).to.be.closeTo(b, 1e-13)
      expect([solution.status, solution.iterations, solution.backend]).to.deep.equal(['iteration-limit', 9, backend])
      // Batches count by their samples.
      const mean = (5 * losses[6] + 5 * losses[7] + 2 * losses[8]) / 12
      expect(solution.history[2].loss).to.be.closeTo(mean, 1e-13)
      expect(params.w.data[0]).to.equal(0)
    })

    it('goes on from any checkpoint bit for bit, with dropout, running statistics, shuffling and momentum', async () => {
      const options = () => ({ optimizer: momentum(0.1), epochs: 4, seed: 9, backend })
      const validation = { data: t.dataLoader(points(30, 8), { batchSize: 7 }) }
      const kept: t.TrainCheckpoint<unknown>[] = []
      const whole = await t.train(trainingProblem(), {
        ...options(),
        validation,
        checkpointEvery: 3,
        onCheckpoint: (checkpoint) => {
          kept.push(checkpoint)
        },
      })
      expect(kept.map(({ step }) => step)).to.deep.equal([3, 6, 9, 12, 15, 18])
      for (const resume of [kept[0], kept[2], kept[4]]) {
        const rest = await t.train(trainingProblem(), { ...options(), validation, resume: resume as never })
        expect(bits(rest.params)).to.deep.equal(bits(whole.params))
        expect(bits(rest.state)).to.deep.equal(bits(whole.state))
        expect(bits(rest.checkpoint?.params)).to.deep.equal(bits(whole.checkpoint?.params))
        expect(rest.history).to.deep.equal(whole.history)
        expect(rest.checkpoint?.optimizer).to.deep.equal(whole.checkpoint?.optimizer)
      }
      const more = await t.train(trainingProblem(), { ...options(), validation, epochs: 6, resume: whole.checkpoint })
      const long = await t.train(trainingProblem(), { ...options(), validation, epochs: 6 })
      expect(bits(more.checkpoint?.params)).to.deep.equal(bits(long.checkpoint?.params))
    })

    it('stops at a loss or gradient that is no number, with the best parameters so far', async () => {
      const good: number[][][] = []
      let [bad, epochs] = [Number.POSITIVE_INFINITY, 0]
      const data = loader()
      const failing = {
        params: { w: t.tensor([1, 2]) },
        data: { batches: data.batches, batch: (epoch: number, index: number) => data.batch(epoch, index) },
        loss(p: { w: t.Tensor }) {
          const value = t.sum(t.square(p.w))
          return bad-- <= 0 ? t.div(value, 0) : value
        },
      }
      const options = (): t.TrainOptions<{ w: t.Tensor }, Batch> => ({
        optimizer: momentum(0.1),
        backend,
        onCheckpoint: ({ params }) => {
          good.push(bits(params))
          if (++epochs === 2) bad = 2
        },
      })
      const solution = await t.train(failing, options())
      expect(solution.status).to.equal('stalled')
      expect(solution.notFinite).to.deep.include({ what: 'loss', step: 2 * data.batches + 3, epoch: 3, index: 2 })
      expect(solution.checkpoint).to.equal(undefined)
      const least = solution.history[1].loss < solution.history[0].loss ? 1 : 0
      expect(bits(solution.params)).to.deep.equal(good[least])
      bad = 1
      await expectRejection(
        t.train(failing, { ...options(), onNotFinite: 'throw' }),
        'ERR_NOT_FINITE',
        /^loss: expected a finite number, got Infinity at step 2$/,
      )
      // √0 has an infinite slope.
      const steep = {
        ...failing,
        params: { w: t.tensor([1]) },
        loss: (p: { w: t.Tensor }) => t.sum(t.sqrt(t.sub(p.w, 1))),
      }
      const stopped = await t.train(steep, { optimizer: momentum(0.1), backend })
      expect(stopped.notFinite?.what).to.equal('loss')
      expect(stopped.bestEpoch).to.equal(0)
      expect(bits(stopped.params)).to.deep.equal([[1]])
    })
  })

  it('goes on after a process that was killed while it saved, as if nothing had happened', async () => {
    const whole = await t.train(trainingProblem(), { optimizer: momentum(0.1), epochs: 6 })
    await withFolder(async (folder) => {
      for (const turns of ['0', '4']) {
        const file = path.join(folder, turns)
        const { signal } = await runChild('../../tensor/children/training', { args: [file, turns] })
        expect(signal).to.equal('SIGKILL')
        const resume = await t.load<NonNullable<typeof whole.checkpoint>>(file)
        expect([2, 3]).to.include(resume.epoch)
        const rest = await t.train(trainingProblem(), { optimizer: momentum(0.1), epochs: 6, resume })
        expect(bits(rest.params)).to.deep.equal(bits(whole.params))
        expect(bits(rest.state)).to.deep.equal(bits(whole.state))
        expect(rest.history).to.deep.equal(whole.history)
      }
    })
  })

  it('goes on with an optimizer of the package, and stops at its refusal of a gradient', async () => {
    const options = () => ({ optimizer: adam({ learningRate: 1e-2 }), epochs: 3 })
    let kept: t.TrainCheckpoint<unknown> | undefined
    const whole = await t.train(trainingProblem(), {
      ...options(),
      checkpointEvery: 7,
      onCheckpoint: (checkpoint) => {
        kept ??= checkpoint
      },
    })
    await withFolder(async (folder) => {
      await t.save(path.join(folder, 'file'), kept)
      const resume = await t.load<never>(path.join(folder, 'file'))
      expect(bits((await t.train(trainingProblem(), { ...options(), resume })).params)).to.deep.equal(
        bits(whole.params),
      )
    })
    const steep = {
      params: { w: t.tensor([1]) },
      data: loader(),
      loss: (p: { w: t.Tensor }) => t.sum(t.sqrt(t.sub(p.w, 1))),
    }
    const stopped = await t.train(steep, options())
    expect(stopped.notFinite).to.deep.include({ what: 'gradient', step: 1, epoch: 1, index: 0 })
    expect([stopped.status, stopped.iterations, bits(stopped.params)]).to.deep.equal(['stalled', 0, [[1]]])
  })

  it('restores the best parameters by validation, and stops when patience runs out', async () => {
    const metrics = [5, 3, 4, 2, 2.5, 2.1, 2, 9, 9]
    let next = 0
    const kept: number[][][] = []
    const solution = await t.train(trainingProblem(), {
      optimizer: momentum(0.05),
      epochs: 50,
      patience: 3,
      validation: { data: t.dataLoader(points(8, 2), { batchSize: 8 }), metric: () => metrics[next++] },
      onCheckpoint: ({ params }) => {
        kept.push(bits(params))
      },
    })
    expect([solution.status, solution.bestEpoch, solution.residual]).to.deep.equal(['stalled', 4, 2])
    expect(solution.history.map(({ validation }) => validation)).to.deep.equal([5, 3, 4, 2, 2.5, 2.1, 2])
    expect(bits(solution.params)).to.deep.equal(kept[3])
    next = 0
    const reached = await t.train(trainingProblem(), {
      optimizer: momentum(0.05),
      tolerance: 3,
      validation: { data: t.dataLoader(points(8, 2), { batchSize: 8 }), metric: () => metrics[next++], every: 2 },
    })
    expect([reached.status, reached.residual, reached.bestEpoch]).to.deep.equal(['converged', 3, 4])
    expect(reached.history.map(({ validation }) => validation)).to.deep.equal([undefined, 5, undefined, 3])
  })

  it('weighs the batches of a validation by their samples, and is not training there', async () => {
    const held = points(10, 4)
    const { params, state, history } = await t.train(trainingProblem(), {
      optimizer: momentum(0.05),
      epochs: 1,
      validation: { data: t.dataLoader(held, { batchSize: 4 }) },
    })
    const whole = t.crossEntropy(net.apply(params as never, held.x, { state }), held.y)
    expect(history[0].validation).to.be.closeTo(whole.item(), 1e-13)
  })

  it('learns', async () => {
    const held = points(300, 5)
    const model = t.mlp([2, 24, 2], { activation: 'tanh' })
    const { params } = await t.train({ model, loss, data: loader(400) }, { optimizer: momentum(0.1), epochs: 40 })
    expect(t.accuracy(model.apply(params, held.x), held.y)).to.be.at.least(0.95)
  })

  it('stops at parameters and metrics that are no numbers', async () => {
    const careless = momentum(0.1)
    const step = careless.step.bind(careless)
    careless.step = (params, gradients) => {
      step(params, gradients)
      if (careless.steps === 10) leavesOf(params)[0].data[0] = Number.POSITIVE_INFINITY
    }
    const flat = { params: { w: t.tensor([3]) }, data: loader(), loss: (p: { w: t.Tensor }) => t.sum(t.tanh(p.w)) }
    const poisoned = await t.train(flat, { optimizer: careless })
    expect(poisoned.notFinite).to.deep.include({ what: 'params', step: 10, epoch: 2, index: 4 })
    expect(poisoned.bestEpoch).to.equal(1)
    expect(Number.isFinite(poisoned.params.w.item())).to.equal(true)
    // Nor does a checkpoint or a limit within an epoch hand them out.
    const steps: number[] = []
    const onCheckpoint = ({ step }: { step: number }) => void steps.push(step)
    for (const limits of [{ checkpointEvery: 1, onCheckpoint }, { maxIterations: 3 }]) {
      const hasty = momentum(0.1)
      const inner = hasty.step.bind(hasty)
      hasty.step = (params, gradients) => {
        inner(params, gradients)
        if (hasty.steps === 3) leavesOf(params)[0].data[0] = Number.NaN
      }
      const ended = await t.train(flat, { optimizer: hasty, ...limits })
      expect(ended.notFinite).to.deep.include({ what: 'params', step: 3, epoch: 1, index: 2 })
      expect([ended.status, ended.checkpoint, ended.params.w.item()]).to.deep.equal(['stalled', undefined, 3])
    }
    expect(steps).to.deep.equal([1, 2])
    const metrics = [2, Number.NaN]
    const judged = await t.train(flat, {
      optimizer: momentum(0.1),
      validation: { data: loader(16), metric: () => metrics.shift() ?? 0 },
    })
    expect(judged.notFinite).to.deep.include({ what: 'validation', step: 10, epoch: 2 })
    expect([judged.status, judged.bestEpoch, judged.residual]).to.deep.equal(['stalled', 1, 2])
  })

  it('leaves the event loop its turns, reports progress, and ends in time', async () => {
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    const reports: t.TrainProgress[] = []
    const solution = await t.train(trainingProblem(), {
      optimizer: momentum(0.01),
      epochs: 1_000_000,
      timeLimit: 250,
      onProgress: (progress) => reports.push(progress),
    })
    running = false
    expect(solution.status).to.equal('time-limit')
    expect(solution.iterations).to.be.greaterThan(0)
    expect(turns).to.be.at.least(10)
    expect(reports.length).to.be.within(1, 1 + solution.elapsed / 50)
    expect(reports[0]).to.have.keys('iteration', 'residual', 'elapsed', 'epoch', 'loss')
  })

  it('rejects with the reason of the signal, at once and later, also in a validation', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const endless = { optimizer: momentum(0.01), epochs: 1_000_000, signal: controller.signal }
    const running = t.train(trainingProblem(), endless)
    setTimeout(() => controller.abort(reason), 30)
    expect(await rejection(running)).to.equal(reason)
    expect(await rejection(t.train(trainingProblem(), endless))).to.equal(reason)
    const inside = new AbortController()
    const judged = t.train(trainingProblem(), {
      optimizer: momentum(0.01),
      signal: inside.signal,
      validation: {
        data: t.dataLoader(points(8, 2), { batchSize: 1 }),
        metric: () => {
          inside.abort(reason)
          return 1
        },
      },
    })
    expect(await rejection(judged)).to.equal(reason)
  })

  it('stops after so many steps, in the middle of an epoch', async () => {
    const solution = await t.train(trainingProblem(), { optimizer: momentum(0.01), maxIterations: 7 })
    expect([solution.status, solution.iterations, solution.history.length]).to.deep.equal(['iteration-limit', 7, 1])
    expect([solution.checkpoint?.epoch, solution.checkpoint?.index]).to.deep.equal([1, 2])
  })

  it('waits for batches that are promised, with the same result', async () => {
    const data = loader()
    const later = {
      batches: data.batches,
      batch: async (epoch: number, index: number) => {
        await new Promise((resolve) => setImmediate(resolve))
        return data.batch(epoch, index)
      },
    }
    const options = () => ({ optimizer: momentum(0.1), epochs: 2 })
    const [now, then] = [
      await t.train(trainingProblem(), options()),
      await t.train({ ...trainingProblem(), data: later }, options()),
    ]
    expect(bits(then.params)).to.deep.equal(bits(now.params))
  })

  it('needs no more memory for many steps than for some', async () => {
    const wide = t.mlp([64, 256, 256, 8])
    const data = t.dataLoader(
      { x: draw([512, 64], random(1)), y: Int32Array.from({ length: 512 }, (_, i) => i % 8) },
      { batchSize: 128, shuffle: true },
    )
    let [early, most] = [0, 0]
    await t.train(
      { model: wide, data, loss: (logits: t.Tensor, { y }: Batch) => t.crossEntropy(logits, y) },
      {
        optimizer: momentum(0.01),
        epochs: 30,
        onStep: ({ step }) => {
          const { arrayBuffers } = process.memoryUsage()
          if (step <= 20) early = Math.max(early, arrayBuffers)
          else most = Math.max(most, arrayBuffers)
        },
      },
    )
    // A step makes some 3 MB of temporaries; a hundred steps would make 300.
    expect(most - early).to.be.at.most(12e6)
    t.releaseArena()
  })

  it('starts from given parameters, which it does not change, or from the seed', async () => {
    const one = await t.train(trainingProblem(), { optimizer: momentum(0.1), epochs: 1, seed: 4 })
    const same = await t.train(trainingProblem(), { optimizer: momentum(0.1), epochs: 1, seed: 4 })
    const other = await t.train(trainingProblem(), { optimizer: momentum(0.1), epochs: 1, seed: 5 })
    expect(bits(one.params)).to.deep.equal(bits(same.params))
    expect(bits(one.params)).to.not.deep.equal(bits(other.params))
    const params = net.init(generator(7))
    const before = bits(params)
    await t.train({ ...trainingProblem(), params }, { optimizer: momentum(0.1), epochs: 1 })
    expect(bits(params)).to.deep.equal(before)
    const short = await t.train(
      {
        model: t.mlp([2, 2]),
        data: t.dataLoader({ x: t.ones([4, 2], { dtype: 'float32' }) }, { batchSize: 4 }),
        loss: (y: t.Tensor) => t.sum(y),
      },
      { optimizer: momentum(0.1), epochs: 1, dtype: 'float32' },
    )
    expect(leavesOf(short.params)[0].dtype).to.equal('float32')
  })

  it('gives every step random numbers of its own, by seed and number of the step', async () => {
    const draws = async (seed: number) => {
      const seen: number[] = []
      const drawing = {
        params: { w: t.tensor([1]) },
        data: loader(),
        loss: (p: { w: t.Tensor }, _batch: Batch, { random }: t.StepContext) => {
          seen.push(random?.uniform() ?? Number.NaN)
          return t.sum(p.w)
        },
      }
      await t.train(drawing, { optimizer: momentum(0.1), epochs: 2, maxIterations: 8, seed })
      return seen
    }
    const seen = await draws(3)
    expect(new Set(seen).size).to.equal(8)
    expect(await draws(3)).to.deep.equal(seen)
    expect((await draws(4))[0]).to.not.equal(seen[0])
  })

  it('lets errors of loss and callbacks through, and refuses what does not fit', async () => {
    const wrong = new Error('of my own')
    const fail = (): never => {
      throw wrong
    }
    const base = { optimizer: momentum(0.1), epochs: 1 }
    expect(await rejection(t.train({ ...trainingProblem(), loss: fail }, base))).to.equal(wrong)
    expect(await rejection(t.train(trainingProblem(), { ...base, onEpoch: fail }))).to.equal(wrong)
    expect(await rejection(t.train(trainingProblem(), { ...base, onCheckpoint: async () => fail() }))).to.equal(wrong)
    const refuses = (problem: unknown, options: unknown, message: RegExp) =>
      expectRejection(t.train(problem as never, options as never), 'ERR_OPTION', message)
    await refuses(null, base, /problem: expected/)
    await refuses({ ...trainingProblem(), dat: 1 }, base, /did you mean 'data'/)
    await refuses({ ...trainingProblem(), data: {} }, base, /data: expected { batches/)
    await refuses(trainingProblem(), { epochs: 1 }, /optimizer: expected one, .* got undefined/)
    await refuses(trainingProblem(), { ...base, epoch: 2 }, /did you mean 'epochs'/)
    await refuses(trainingProblem(), { ...base, epochs: 0 }, /epochs: expected a whole number/)
    await refuses(trainingProblem(), { ...base, tolerance: Number.NaN }, /tolerance: expected a number, got NaN/)
    await refuses(
      trainingProblem(),
      { ...base, resume: { version: 2 } },
      /resume: expected a checkpoint of version 1, got 2/,
    )
    const { checkpoint } = await t.train(trainingProblem(), base)
    const other = t.train({ model: t.mlp([2, 3, 2]), loss, data: loader() }, { ...base, resume: checkpoint as never })
    await expectRejection(other, 'ERR_SHAPE', /resume.params: /)
    expectError(() => t.dataLoader({ x: t.ones([3]) }, undefined as never), 'ERR_OPTION', /options: expected/)
  })
})
