import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import { childEnvironment, root } from './helpers.js'

/** Each example prints an answer that can be known without running it. */
const examples: [name: string, output: RegExp[]][] = [
  ['points', [/^converged after \d+ iterations$/m, /^squared distance moved, on average: 1[789]\.\d\d$/m]],
  [
    'matrix',
    [
      /^plant 1 ships 10\.0, 5\.0, 15\.0 tons$/m, // by hand: plant 2 saves most on shop 2, and can fill 20 of its 25
      /^plant 2 ships 0\.0, 20\.0, 0\.0 tons$/m,
      /^costs 265\.00 euros/m,
    ],
  ],
  ['batch', [/^780 of 780 problems converged$/m, /bumps (0\.\d\d)\d apart, root of the cost \1\d$/m]],
  ['abort', [/^stopped after 3 reports: AbortError$/m, /^time-limit: marginal error below 1$/m]],
]

describe('examples', () => {
  for (const [name, output] of examples) {
    it(`${name}.ts`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', `examples/${name}.ts`], {
        cwd: root,
        encoding: 'utf8',
        env: childEnvironment,
      })
      expect(stderr).to.equal('')
      expect(status).to.equal(0)
      for (const line of output) expect(stdout).to.match(line)
    })
  }
})
