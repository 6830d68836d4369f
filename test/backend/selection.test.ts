import { expect } from 'chai'
import { childResult, runChild } from '../helpers/children.js'
import { expectClose } from '../helpers/close.js'
import type { Report } from './children/report.js'

const report = (env: NodeJS.ProcessEnv) => childResult<Report>('report', { env })
const answers = (name: string, values: string[]) => childResult<string[]>('environment', { args: [name, ...values] })

describe('backend: the choice', function () {
  this.timeout(120_000)

  let native: Report
  before(async () => {
    native = await report({ EXTREMA_BACKEND: 'native' })
    expect(native.error).to.equal(undefined)
  })

  it('native by itself, with everything there is to know about it', async () => {
    const { code, stdout, stderr } = await runChild('report')
    expect(code).to.equal(0)
    expect(stderr).to.equal('')
    const { backend, forced, numbers } = JSON.parse(stdout) as Report
    expect(backend).to.include({ name: 'native', reason: 'the native binary loaded and passed its self-test' })
    expect(backend!.path).to.match(/\.node$/)
    expect(backend!.blas).to.match(/OpenBLAS/)
    expect(backend!.blasCore).to.be.a('string')
    expect(backend!.simd).to.be.oneOf(['avx512', 'avx2', 'sse4', 'neon', 'scalar'])
    expect(backend!.threads).to.be.within(1, 64)
    expect(forced).to.equal('ran')
    expect(numbers).to.deep.equal(native.numbers)
  })

  it('EXTREMA_BACKEND=native, and an empty one', async () => {
    expect(native.backend).to.include({ name: 'native', reason: 'EXTREMA_BACKEND=native' })
    const empty = await report({ EXTREMA_BACKEND: '', EXTREMA_THREADS: '', EXTREMA_SIMD: '' })
    expect(empty.backend).to.include({ name: 'native' })
  })

  it('EXTREMA_BACKEND=portable: no warning, the same numbers, and native where a call asks for it', async () => {
    const { stdout, stderr } = await runChild('report', { env: { EXTREMA_BACKEND: 'portable' } })
    expect(stderr).to.equal('')
    const chosen = JSON.parse(stdout) as Report
    expect(chosen.backend).to.include({ name: 'portable', reason: 'EXTREMA_BACKEND=portable' })
    expect(chosen.forced).to.equal('ran')
    expectClose(chosen.numbers, native.numbers, 1e-9)
  })

  it('EXTREMA_BACKEND=nonsense: an error at first use', async () => {
    const message = (value: string) =>
      `ExtremaError ERR_OPTION: EXTREMA_BACKEND: expected 'native' or 'portable', got '${value}'`
    const values = ['nonsense', 'Native', ' ']
    expect(await answers('EXTREMA_BACKEND', [...values, 'portable'])).to.deep.equal([
      ...values.map(message),
      'chose portable',
    ])
  })

  it('EXTREMA_THREADS: the default of every call', async () => {
    const five = await report({ EXTREMA_THREADS: '5' })
    expect(five.backend!.threads).to.equal(5)
    expect(five.numbers).to.deep.equal(native.numbers)
    const message = (value: string) =>
      `ExtremaError ERR_OPTION: EXTREMA_THREADS: expected a whole number from 1 to 64, got '${value}'`
    const values = ['0', '65', 'all', '1.5', '-1']
    expect(await answers('EXTREMA_THREADS', [...values, '64'])).to.deep.equal([...values.map(message), 'chose native'])
  })

  it('EXTREMA_SIMD: the same numbers from every instruction set that runs here; others are refused', async () => {
    const ran: string[] = []
    for (const name of ['avx512', 'avx2', 'sse4', 'neon', 'scalar', 'mmx']) {
      const { error, backend, numbers } = await report({ EXTREMA_BACKEND: 'native', EXTREMA_SIMD: name })
      if (error !== undefined) {
        expect(error.code).to.equal('ERR_BACKEND')
        expect(error.message).to.match(new RegExp(`EXTREMA_SIMD: expected one of .+, got ${name}$`))
        continue
      }
      ran.push(name)
      expect(backend!.simd).to.equal(name)
      expectClose(numbers, native.numbers, 1e-12)
    }
    expect(ran).to.include(native.backend!.simd).and.not.to.include('mmx')
    if (process.arch === 'x64') expect(ran).to.include('sse4')
  })
})
