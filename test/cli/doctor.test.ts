import { expect } from 'chai'
import { doctor } from '../../lib/index.js'
import { cli, inProcess } from './helpers.js'

describe('cli: extrema doctor', () => {
  it('prints what doctor() returns', async () => {
    const { code, stdout } = await inProcess(['doctor', '--json'])
    expect(code).to.equal(0)
    expect(JSON.parse(stdout)).to.deep.equal(JSON.parse(JSON.stringify(doctor())))
  })

  it('prints a line per fact for people', async () => {
    const { code, stdout, stderr } = await cli(['doctor'])
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    for (const name of ['version', 'node', 'platform', 'backend', 'threads']) {
      expect(stdout).to.match(new RegExp(`^${name} +\\S`, 'm'))
    }
    expect(stdout).to.include(process.version)
  })
})
