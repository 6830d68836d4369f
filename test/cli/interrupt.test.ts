import { expect } from 'chai'
import { cli, csv, Scratch, scatter } from './helpers.js'

/** Loaded before the command line: says when it listens for signals, and for the solver to be under way. */
const announce = `data:text/javascript,process.on('newListener', (name) => {
  if (name === 'SIGTERM') setTimeout(() => process.stderr.write('ready'), Number(process.env.READY_AFTER))
})`.replaceAll('\n', ' ')

describe('cli: signals', () => {
  let scratch: Scratch
  beforeEach(() => {
    scratch = new Scratch()
  })
  afterEach(() => scratch.dispose())

  const signals = [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const
  for (const [signal, expected] of signals) {
    it(`${signal} during a long solve: exit code ${expected}, no file`, async () => {
      const points = (prime: number) => csv(scatter(1500, prime).map((x, k) => [x, scatter(1, prime + k)[0]!]))
      const source = scratch.file('source.csv', points(2))
      const target = scratch.file('target.csv', points(3))
      // Far more Sinkhorn iterations than anybody would wait for.
      const endless = [
        '--method',
        'sinkhorn',
        '--epsilon',
        '1e-7',
        '--tolerance',
        '1e-14',
        '--max-iterations',
        '100000000',
      ]
      const outputs = ['--out', scratch.path('plan.csv'), '--plot', scratch.path('plan.svg')]
      const { code, stdout } = await cli(['transport', source, target, ...endless, ...outputs], {
        nodeOptions: ['--import', announce],
        env: { READY_AFTER: '1500' },
        watch: (stderr, kill) => stderr.includes('ready') && kill(signal),
      })
      expect(code).to.equal(expected)
      expect(stdout).to.equal('')
      expect(scratch.names).to.deep.equal(['source.csv', 'target.csv'])
    })
  }

  it('SIGINT while waiting for standard input: exit code 130', async () => {
    const target = scratch.file('target.csv', '1\n2\n')
    const { code } = await cli(['transport', '-', target], {
      input: '1\n',
      keepInput: true,
      nodeOptions: ['--import', announce],
      env: { READY_AFTER: '500' },
      watch: (stderr, kill) => stderr.includes('ready') && kill('SIGINT'),
    })
    expect(code).to.equal(130)
  })
})
