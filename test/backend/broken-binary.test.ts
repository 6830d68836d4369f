import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { backend } from '../../lib/index.js'
import { runChild, withFolder } from '../helpers/children.js'
import type { Report } from './children/report.js'

/** What stands where the binary should be. */
const faults: Record<string, (file: string) => void> = {
  garbage: (file) => writeFileSync(file, 'not a binary at all\n'.repeat(1000)),
  'an empty file': (file) => writeFileSync(file, ''),
  'the beginning of a binary': (file) => writeFileSync(file, readFileSync(backend().path!).subarray(0, 60_000)),
  'a header alone': (file) => writeFileSync(file, readFileSync(backend().path!).subarray(0, 64)),
  'a folder': (file) => mkdirSync(file),
  'a library that is no addon': (file) => copyFileSync(aLibrary(), file),
}

function aLibrary(): string {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] }
  return sharedObjects.find((name) => /libm\.so|libc\./.test(name))!
}

describe('backend: a binary that does not work', function () {
  this.timeout(120_000)

  for (const [name, write] of Object.entries(faults)) {
    it(`${name}: the portable kernels, and one warning`, () =>
      withFolder(async (folder) => {
        mkdirSync(join(folder, 'build', 'Release'), { recursive: true })
        write(join(folder, 'build', 'Release', 'extrema.node'))
        await expectFallback({ EXTREMA_PREBUILD: folder })
      }))
  }

  it('none at all: the portable kernels, and one warning', () =>
    withFolder((folder) => expectFallback({ EXTREMA_PREBUILD: folder })))

  it('an instruction set that it has not: the portable kernels, and one warning', () =>
    expectFallback({ EXTREMA_SIMD: 'mmx' }))

  it('EXTREMA_BACKEND decides: native is an error then, portable is silent', () =>
    withFolder(async (folder) => {
      const env = { EXTREMA_PREBUILD: folder }
      const strict = await runChild('report', { env: { ...env, EXTREMA_BACKEND: 'native' } })
      expect(strict.stderr).to.equal('')
      const { error } = JSON.parse(strict.stdout) as Report
      expect(error).to.include({ name: 'ExtremaError', code: 'ERR_BACKEND' })
      expect(error!.message).to.match(/^EXTREMA_BACKEND=native, but ./)
      expect(error!.cause).to.be.a('string').that.includes('No native build was found')
      const silent = await runChild('report', { env: { ...env, EXTREMA_BACKEND: 'portable' } })
      expect(silent.stderr).to.equal('')
      expect((JSON.parse(silent.stdout) as Report).backend!.name).to.equal('portable')
    }))
})

async function expectFallback(env: NodeJS.ProcessEnv): Promise<void> {
  const { code, signal, stdout, stderr } = await runChild('report', { env })
  expect([code, signal], stderr).to.deep.equal([0, null])
  expect(stderr.match(/Warning:/g), stderr).to.have.length(1)
  expect(stderr).to.match(/\[EXTREMA_PORTABLE\] Warning: extrema runs on its portable kernels, which are slower: ./)
  const { backend: info, numbers, forced } = JSON.parse(stdout) as Report
  expect(info!.name).to.equal('portable')
  expect(info!.reason).to.be.a('string').that.is.not.empty
  expect(numbers.flat().every(Number.isFinite)).to.equal(true)
  expect(forced).to.match(/^ERR_BACKEND: backend: 'native' is not available here: ./)
}
