import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import elf from '../../lib/backend/elf.cjs'
import { backend } from '../../lib/index.js'

describe('backend: whole ELF files', () => {
  before(function () {
    if (process.platform !== 'linux') this.skip()
  })

  const folder = mkdtempSync(join(tmpdir(), 'extrema-elf-'))
  const file = join(folder, 'extrema.node')
  const whole = readFileSync(backend().path!)
  after(() => rmSync(folder, { recursive: true }))

  it('accepts the addon and Node itself', () => {
    expect(elf.elfProblem(backend().path!)).to.equal(undefined)
    expect(elf.elfProblem(process.execPath)).to.equal(undefined)
  })

  it('says nothing about other formats', () => {
    for (const text of ['', 'MZ', '\xcf\xfa\xed\xfe'.padEnd(200, ' ')]) {
      writeFileSync(file, text, 'latin1')
      expect(elf.elfProblem(file)).to.equal(undefined)
    }
  })

  it('notices every cut', () => {
    for (const length of [6, 63, 64, 4096, whole.length >> 1, whole.length - 4096, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length))
      expect(elf.elfProblem(file), `${length} bytes`).to.match(/^is cut off: \d+ bytes/)
    }
  })

  it('notices a tail of zeros, as a crash of the machine leaves it', () => {
    for (const length of [64, 4096, whole.length >> 1]) {
      writeFileSync(file, whole.subarray(0, length))
      const descriptor = openSync(file, 'r+')
      ftruncateSync(descriptor, whole.length)
      closeSync(descriptor)
      expect(elf.elfProblem(file), `${length} bytes`).to.equal('has a damaged section table')
    }
  })
})
