import { existsSync, readFileSync, statSync } from 'node:fs'
import { expect } from 'chai'
import { cli, inProcess, Scratch } from './helpers.js'

const json = (value: unknown) => JSON.stringify(value)

describe('extrema tune', () => {
  const scratch = new Scratch()
  after(() => scratch.dispose())
  const space = scratch.file(
    'space.json',
    json({
      x: { type: 'real', low: -1, high: 1 },
      k: { type: 'integer', low: 0, high: 3 },
      mode: { type: 'categorical', values: ['a; touch pwned', '$(touch pwned)', "it's"] },
      opt: { type: 'conditional', branches: { sgd: { m: { type: 'real', low: 0, high: 1 } }, adam: {} } },
    }),
  )
  /** A program that says what it was given. */
  const program = scratch.file(
    'program.cjs',
    `const [x, k, mode, ...rest] = process.argv.slice(2)
console.log('noise', '{not json}')
console.log(JSON.stringify({ value: 9 }))
console.log(JSON.stringify({ value: Number(x) ** 2 + Number(k) }))
require('node:fs').appendFileSync(process.env.SEEN, JSON.stringify([x, k, mode, rest, process.env.EXTREMA_PARAMS, process.env.EXTREMA_TRIAL]) + '\\n')`,
  )
  const run = (args: string[], command: string[]) => inProcess(['tune', '--space', space, ...args, '--', ...command])
  const node = process.execPath

  it('hands each value over as an argument of its own, which no shell reads', async () => {
    process.env.SEEN = scratch.path('seen')
    const command = [node, program, '{x}', '{k}', '{mode}', '--m={opt.m}', '{{x}}', '{opt}', '{"a":{"b":1}}', '{trial}']
    const out = scratch.path('trials.jsonl')
    const { code, stdout, stderr } = await run(['--trials', '12', '--parallel', '2', '--json', '--out', out], command)
    expect([code, stderr]).to.deep.equal([0, ''])
    const lines = readFileSync(scratch.path('seen'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines).to.have.length(12)
    for (const [x, k, mode, rest, given, trial] of lines) {
      const params = JSON.parse(given)
      expect([Number(x), Number(k), mode]).to.deep.equal([params.x, params.k, params.mode])
      const m = params.opt.choice === 'sgd' ? [`--m=${params.opt.m}`] : []
      expect(rest).to.deep.equal([...m, '{x}', params.opt.choice, '{"a":{"b":1}}', trial])
    }
    expect(existsSync('pwned')).to.equal(false)
    const least = Math.min(...lines.map(([x, k]) => Number(x) ** 2 + Number(k)))
    const result = JSON.parse(stdout)
    expect(result.trials).to.deep.equal({ complete: 12, failed: 0, pruned: 0 })
    expect(result.best.value).to.equal(least)
    expect(result.best.params.x ** 2 + result.best.params.k).to.equal(least)
    expect(readFileSync(out, 'utf8').trimEnd().split('\n')).to.have.length(12)
  })

  it('goes on with a study, counts failures and tells what was best', async () => {
    const moody = scratch.file(
      'moody.cjs',
      `const n = Number(process.argv[2])
if (n === 1) { console.error('first line'); console.error('no data'); process.exit(3) }
if (n === 2) process.exit(0)
if (n === 3) setInterval(() => {}, 1000)
else console.log(JSON.stringify({ value: 10 - n }))`,
    )
    const storage = scratch.path('study.journal')
    const first = await run(
      ['--trials', '4', '--timeout', '1', '--parallel', '4', '--storage', storage],
      [node, moody, '{trial}'],
    )
    expect(first.code).to.equal(0)
    expect(first.stdout).to.match(/^trials {3,}1 complete, 3 failed, 0 pruned\n/)
    const second = await run(['--trials', '6', '--storage', storage, '--json'], [node, moody, '{trial}'])
    const { trials, best } = JSON.parse(second.stdout)
    expect(trials).to.deep.equal({ complete: 3, failed: 3, pruned: 0 })
    expect([best.number, best.value]).to.deep.equal([5, 5])
    const text = readFileSync(storage, 'utf8')
    expect(text).to.match(/exit code 3: no data/)
    expect(text).to.match(/no line \{\\"value\\": …\} on standard output/)
    expect(text).to.match(/no result within 1 s/)
    // Nothing is left to do.
    const third = await run(['--trials', '6', '--storage', storage], [node, moody, '{trial}'])
    expect(third.stdout).to.match(/^best {3,}5 of trial 5$/m)
  })

  it('stops programs whose reports promise little', async () => {
    const slow = scratch.file(
      'slow.cjs',
      `const n = Number(process.argv[2])
console.log(JSON.stringify({ step: 1, report: n }))
if (n >= 5) setInterval(() => {}, 1000)
else console.log(JSON.stringify({ value: n }))`,
    )
    const { stdout } = await run(['--trials', '6', '--pruner', 'median', '--json'], [node, slow, '{trial}'])
    expect(JSON.parse(stdout).trials).to.deep.equal({ complete: 5, failed: 0, pruned: 1 })
  })

  it('has several objectives and constraints', async () => {
    const many = scratch.file(
      'many.cjs',
      'const n = Number(process.argv[2]); console.log(JSON.stringify({ values: [n, n % 2], constraints: [n - 3] }))',
    )
    const args = ['--trials', '5', '--direction', 'minimize,maximize', '--constraints', '1', '--json']
    const { paretoFront } = JSON.parse((await run(args, [node, many, '{trial}'])).stdout)
    // (0, 0) and (1, 1); 4 breaks its constraint.
    expect(paretoFront.map(({ number }: { number: number }) => number)).to.deep.equal([0, 1])
  })

  it('refuses what cannot work, before anything runs', async () => {
    const wrong = async (args: string[], command: string[], message: RegExp) => {
      const { code, stderr } = await run(args, command)
      expect(stderr).to.match(message)
      expect(code).to.equal(2)
    }
    await wrong([], [node, '{xx}'], /unknown parameter '\{xx\}'; did you mean '\{x\}'/)
    await wrong([], [scratch.path('nothing'), '{x}'], /^error: command: cannot run '.*nothing'; ENOENT/)
    await wrong(['--pruner', 'hyperband'], [node], /expected --max-resource beside it/)
    const two = ['--direction', 'minimize,maximize']
    await wrong(['--pruner', 'median', ...two], [node], /--pruner: expected one --direction beside it, got 2/)
    await wrong(['--direction', 'minimise'], [node], /did you mean 'minimize'/)
    await wrong(['--out', 'x.csv'], [node], /--out: expected a file ending in .jsonl or .arrow/)
    const bad = scratch.file('bad.json', '{"x": {"type": "real", "low": 2, "high": 1}}')
    const { stderr } = await inProcess(['tune', '--space', bad, '--', node])
    expect(stderr).to.match(/^error: space.x: expected low < high, got 2 and 1/)
    const failing = await run(['--trials', '2'], [node, '-e', 'process.exit(4)'])
    expect([failing.code, failing.stderr.trim()]).to.deep.equal([
      ...[1, 'error: objective: expected a value of some trial, got 2 failures; the last: exit code 4'],
    ])
  })

  it('takes NaN and Infinity, which Python writes, for failures', async () => {
    const python = scratch.file(
      'python.cjs',
      `const lines = ['{"value": NaN}', '{"value": -Infinity}', '{"step": 1, "report": NaN}', '{"value": 4, "failed": false}']
console.log('{"value": 1}')
console.log(lines[Number(process.argv[2])])`,
    )
    const { stdout } = await run(['--trials', '4', '--json'], [node, python, '{trial}'])
    const { trials, best } = JSON.parse(stdout)
    expect(trials).to.deep.equal({ complete: 1, failed: 3, pruned: 0 })
    expect(best.value).to.equal(4)
  })

  it('does not wait for what a program leaves running', async () => {
    const daemon = scratch.file(
      'daemon.cjs',
      `const { spawn } = require('node:child_process')
spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30000)'], { detached: true, stdio: 'inherit' }).unref()
console.log('{"value": 2}')`,
    )
    const begun = performance.now()
    const { stdout } = await run(['--trials', '1', '--json'], [node, daemon])
    expect(JSON.parse(stdout).best.value).to.equal(2)
    expect(performance.now() - begun).to.be.below(20_000)
  })

  it('ends its programs when it is interrupted, and keeps the trials', async () => {
    const endless = scratch.file(
      'endless.cjs',
      "require('node:fs').writeFileSync(process.env.PID, String(process.pid)); console.error('up'); setInterval(() => {}, 1000)",
    )
    const storage = scratch.path('interrupted.journal')
    const pid = scratch.path('pid')
    const args = ['tune', '--space', space, '--storage', storage, '--verbose', '--', node, endless]
    const { code } = await cli(args, {
      env: { PID: pid },
      watch: (stderr, kill) => stderr.includes('up') && kill('SIGINT'),
    })
    expect(code).to.equal(130)
    expect(() => process.kill(Number(readFileSync(pid, 'utf8')), 0)).to.throw(/ESRCH/)
    expect(readFileSync(storage, 'utf8')).to.match(/"release",0,1\]/)
  })

  it('ends its programs at once when it is interrupted twice', async () => {
    const deaf = scratch.file(
      'deaf.cjs',
      `process.on('SIGTERM', () => {})
setInterval(() => require('node:fs').appendFileSync(process.env.BEATS, '.'), 20)
console.error('up')`,
    )
    const beats = scratch.path('beats')
    const { code } = await cli(['tune', '--space', space, '--verbose', '--', node, deaf], {
      env: { BEATS: beats },
      watch: (stderr, kill) => {
        if (!stderr.includes('up')) return
        kill('SIGINT')
        setTimeout(() => kill('SIGINT'), 300)
      },
    })
    expect(code).to.equal(130)
    // Whoever adopts it need not bury it, so look for its heart.
    const later = () => new Promise<number>((resolve) => setTimeout(() => resolve(statSync(beats).size), 500))
    const last = await later()
    expect(last).to.be.above(0)
    expect(await later()).to.equal(last)
  })
})
