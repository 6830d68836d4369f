import { spawn } from 'node:child_process'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { createStudy, real, searchSpace } from '../../lib/bayes/index.js'
import { loadSqlite } from '../../lib/bayes/storage/sqlite-driver.js'
import { withFolder } from '../helpers/children.js'
import { expectRejection, rejection } from '../helpers/errors.js'
import { objective, space } from './children/problem.js'

const script = fileURLToPath(new URL('children/worker.ts', import.meta.url))
const hasSqlite = await loadSqlite().then(
  () => true,
  () => false,
)
const storages = ['study.journal', ...(hasSqlite ? ['study.db'] : [])]

interface Worker {
  /** What it has promised. */
  told: [number: number, value: number][]
  ended: Promise<{ code: number | null; stderr: string }>
  kill: () => void
  ready: Promise<void>
}

function start(storage: string, trials: number, pause = 0): Worker {
  // Node 22 calls its SQLite experimental on standard error.
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  const child = spawn(process.execPath, ['--import', 'tsx', script, storage, String(trials), String(pause)], { env })
  const told: Worker['told'] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  let isReady = () => {}
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => (line === 'ready' ? isReady() : told.push(JSON.parse(line))))
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.on('close', (code) => {
      isReady()
      resolve({ code, stderr })
    })
  })
  return { told, ended, kill: () => child.kill('SIGKILL'), ready }
}

/** The points and values of trials 0 … n-1 of a study that nothing disturbed. */
async function undisturbed(n: number) {
  const study = await createStudy({ space, seed: 7 })
  await study.optimize(objective, { trials: n })
  return study.trials.map(({ number, params, values }) => ({ number, params, values }))
}

for (const name of storages) {
  describe(`storage in ${name}`, () => {
    it('goes on where it stopped, trials under way included', () =>
      withFolder(async (folder) => {
        const storage = join(folder, name)
        const first = await createStudy({ space, storage, seed: 7 })
        const [, second] = await first.ask(3)
        await second.report(4, 0.25)
        await first.tell(0, 0.5)
        await first.tell(second, { failed: 'no memory' })
        await first.close()
        const study = await createStudy({ space, storage })
        expect(study.trials.map(({ state, values, error }) => [state, values, error])).to.deep.equal([
          ['complete', [0.5], undefined],
          ['failed', undefined, 'no memory'],
          ['running', undefined, undefined],
        ])
        expect(study.trials[1].reports).to.deep.equal([{ step: 4, value: 0.25 }])
        expect(study.seed).to.equal(7)
        await study.tell(study.pending[0], 3)
        await study.ask()
        const points = (await undisturbed(4)).map(({ params }) => params)
        expect(study.trials.map(({ params }) => params)).to.deep.equal(points)
        await study.close()
      }))

    it('is the same for two that use it at once', () =>
      withFolder(async (folder) => {
        const storage = join(folder, name)
        const [one, two] = await Promise.all([createStudy({ space, storage }), createStudy({ space, storage })])
        const asked = await Promise.all([one.ask(5), two.ask(5), one.ask(), two.ask(4)])
        const numbers = asked.flat().map(({ number }) => number)
        expect(numbers.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 15 }, (_, k) => k))
        // Both tell the same trial something else: one of them is late.
        const late = await Promise.allSettled([one.tell(3, 1), two.tell(3, 2)])
        expect(late.filter(({ status }) => status === 'fulfilled')).to.have.length(1)
        const refused = late.find(({ status }) => status === 'rejected') as PromiseRejectedResult
        expect(refused.reason).to.have.property('code', 'ERR_TRIAL')
        // One does not know yet that its trial was given back and begun again.
        const stale = one.pending[0]
        await two.sync()
        await two.release(two.pending[0])
        const again = await two.ask()
        expect([again.number, again.attempt]).to.deep.equal([stale.number, 2])
        await expectRejection(one.tell(stale, 9), 'ERR_TRIAL', /begun again since/)
        await two.tell(again, 8)
        await Promise.all([one.sync(), two.sync()])
        expect(one.trials[stale.number].values).to.deep.equal([8])
        expect(one.trials[3].values).to.deep.equal(two.trials[3].values)
        expect(one.trials.map(({ params }) => params)).to.deep.equal(two.trials.map(({ params }) => params))
        await Promise.all([one.close(), two.close()])
      }))

    it('refuses another study than the one that is there', () =>
      withFolder(async (folder) => {
        const storage = join(folder, name)
        await (await createStudy({ space, storage, constraints: 1, seed: 3 })).close()
        const wrong = (options: object, message: RegExp) =>
          expectRejection(createStudy({ space, storage, ...options }), 'ERR_OPTION', message)
        await wrong({ seed: 4 }, /^seed: expected 3, as the study in this storage has, got 4/)
        await wrong({ constraints: 2 }, /^constraints: expected 1,/)
        await wrong({ direction: 'maximize' }, /^directions: expected \["minimize"\]/)
        await wrong({ space: { x: real(0, 1) } }, /^space: expected .*"k"/)
        await wrong({ space: searchSpace(space, { where: () => true }) }, /^where: expected false/)
        await (await createStudy({ space, storage })).close()
      }))

    it('loses nothing and doubles nothing when its processes are killed at any moment', async () => {
      await withFolder(async (folder) => {
        const storage = join(folder, name)
        const total = 150
        const promised = new Map<number, number>()
        // Times of killing from a rule, over the length of a run.
        for (let round = 0; round < 5; round++) {
          const worker = start(storage, total, 4)
          await worker.ready
          await delay(3 + 60 * ((round * 0.618) % 1))
          worker.kill()
          await worker.ended
          for (const [number, value] of worker.told) promised.set(number, value)
        }
        const last = start(storage, total)
        const { code, stderr } = await last.ended
        expect([code, stderr]).to.deep.equal([0, ''])
        const study = await createStudy({ space, storage })
        const expected = await undisturbed(total)
        const found = study.trials.slice(0, total).map(({ number, params, values }) => ({ number, params, values }))
        expect(found).to.deep.equal(expected)
        for (const [number, value] of promised) expect(study.trials[number].values).to.deep.equal([value])
        expect(study.trials.slice(0, total).every(({ reports }) => reports.length === 1)).to.equal(true)
        // Those that were under way when their process died were begun again.
        expect(Math.max(...study.trials.map(({ attempt }) => attempt))).to.be.at.least(2)
        await study.close()
      })
    })

    it('is shared by several processes, of which some die', async () => {
      await withFolder(async (folder) => {
        const storage = join(folder, name)
        const total = 120
        const workers = [0, 1].map(() => start(storage, total, 1))
        const dying = start(storage, total, 1)
        await dying.ready
        await delay(40)
        dying.kill()
        await dying.ended
        const ends = await Promise.all(workers.map(({ ended }) => ended))
        expect(ends).to.deep.equal(ends.map(() => ({ code: 0, stderr: '' })))
        // What was left of the dead one is taken over by the next that comes.
        expect(await start(storage, total).ended).to.deep.equal({ code: 0, stderr: '' })
        const study = await createStudy({ space, storage })
        expect(study.pending).to.deep.equal([])
        const found = study.trials.slice(0, total).map(({ number, params, values }) => ({ number, params, values }))
        expect(found).to.deep.equal(await undisturbed(total))
        const told = [...workers, dying].flatMap((worker) => worker.told)
        expect(new Set(told.map(([number]) => number)).size).to.equal(told.length)
        await study.close()
      })
    })
  })
}

describe('storage', () => {
  it('notices a damaged journal when it opens it', () =>
    withFolder(async (folder) => {
      const storage = join(folder, 'a.journal')
      const study = await createStudy({ space, storage })
      await study.optimize(objective, { trials: 3 })
      await study.close()
      const bytes = readFileSync(storage)
      bytes[bytes.length >> 1] ^= 4
      writeFileSync(storage, bytes)
      await expectRejection(createStudy({ space, storage }), 'ERR_STORAGE', /got bytes that are none or were damaged/)
    }))

  it('passes over what a dying process left half written', () =>
    withFolder(async (folder) => {
      const storage = join(folder, 'a.journal')
      const study = await createStudy({ space, storage })
      await study.optimize(objective, { trials: 3 })
      const whole = readFileSync(storage)
      appendFileSync(storage, whole.subarray(0, 40))
      await study.optimize(objective, { trials: 2 })
      await study.close()
      const again = await createStudy({ space, storage })
      expect(again.trials.map(({ number, params, values }) => ({ number, params, values }))).to.deep.equal(
        await undisturbedWith(0, 5),
      )
      await again.close()
    }))

  it('goes on from any byte at which a journal may end', () =>
    withFolder(async (folder) => {
      const total = 8
      const storage = join(folder, 'whole.journal')
      const whole = await createStudy({ space, storage, seed: 7 })
      await whole.optimize(objective, { trials: total })
      await whole.close()
      const bytes = readFileSync(storage)
      const expected = await undisturbed(total)
      const cuts = Array.from({ length: 24 }, (_, k) => Math.floor(((k * 0.618) % 1) * bytes.length))
      for (const cut of [0, bytes.length, ...cuts]) {
        const torn = join(folder, `${cut}.journal`)
        writeFileSync(torn, bytes.subarray(0, cut))
        const study = await createStudy({ space, storage: torn, seed: 7 })
        for (const { number, params } of study.pending) await study.tell(number, objective(params))
        await study.optimize(objective, { trials: total - study.trials.length })
        const found = study.trials.map(({ number, params, values }) => ({ number, params, values }))
        expect(found, `cut at byte ${cut}`).to.deep.equal(expected)
        await study.close()
      }
    }))

  it('says what SQLite needs where there is none', async () => {
    if (hasSqlite) return
    const error = await rejection(createStudy({ space, storage: 'never-written.db' }))
    expect(error).to.have.property('code', 'ERR_PEER')
    expect((error as Error).message).to.match(/npm install better-sqlite3/)
  })
})

async function undisturbedWith(seed: number, n: number) {
  const study = await createStudy({ space, seed })
  await study.optimize(objective, { trials: n })
  return study.trials.map(({ number, params, values }) => ({ number, params, values }))
}
