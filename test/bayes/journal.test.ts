import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { crc32c } from '../../lib/bayes/storage/crc32c.js'
import { frame, unframe } from '../../lib/bayes/storage/frames.js'
import { openJournal } from '../../lib/bayes/storage/journal.js'
import { withFolder } from '../helpers/children.js'
import { expectError, expectRejection } from '../helpers/errors.js'
import { check } from '../helpers/property.js'

// Records are lines of JSON arrays, of any characters but the newline, which JSON writes as \n.
const record = fc
  .array(fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true })))
  .map((x) => JSON.stringify(x))
const recordsOf = fc.array(record, { minLength: 1, maxLength: 8 })
const joined = (records: string[]) => Buffer.concat(records.map(frame))

describe('journal', () => {
  it('writes length, checksums and text, which any tool can check', () => {
    // By a CRC-32C of its own, bit by bit, in Python. The check value of the polynomial is that of "123456789".
    expect(frame('["a"]').toString()).to.equal('\n000000052db45d78b0b49d7c ["a"]')
    expect(crc32c(Buffer.from('123456789'))).to.equal(0xe3069283)
  })

  it('recovers a prefix of the records from any prefix of the bytes', () => {
    check(
      fc.property(recordsOf, fc.double({ min: 0, max: 1, noNaN: true }), (records, share) => {
        const bytes = joined(records)
        const cut = Math.floor(share * bytes.length)
        const { records: found, consumed } = unframe(bytes.subarray(0, cut), 0)
        // As many as end before the cut.
        let whole = 0
        for (let end = frame(records[0]).length; end <= cut && whole < records.length; ) {
          whole++
          end += whole < records.length ? frame(records[whole]).length : 1
        }
        expect(found).to.deep.equal(records.slice(0, whole))
        // What follows the torn end is read as well.
        const more = unframe(Buffer.concat([bytes.subarray(0, cut), frame('["more"]')]), 0)
        expect(more.records).to.deep.equal([...records.slice(0, whole), '["more"]'])
        expect(bytes.subarray(0, consumed)).to.deep.equal(joined(records.slice(0, whole)))
      }),
      { runs: 300 },
    )
  })

  it('passes over bytes that were never written, as after a loss of power', () => {
    const bytes = joined(['["one"]', '["two"]'])
    const torn = Buffer.concat([bytes.subarray(0, bytes.length - 4), Buffer.alloc(4), frame('["three"]')])
    expect(unframe(torn, 0).records).to.deep.equal(['["one"]', '["three"]'])
    const blank = Buffer.concat([frame('["one"]'), Buffer.from('\n'), Buffer.alloc(50)])
    expect(unframe(blank, 0).records).to.deep.equal(['["one"]'])
  })

  it('recovers all records before any number of zeros, and those written after them', () => {
    for (const records of [[], ['["one"]', '["two"]']]) {
      for (let zeros = 0; zeros < 70; zeros++) {
        const bytes = Buffer.concat([...records.map(frame), Buffer.alloc(zeros)])
        expect(unframe(bytes, 0).records).to.deep.equal(records)
        const more = Buffer.concat([bytes, frame('["more"]')])
        expect(unframe(more, 0).records).to.deep.equal([...records, '["more"]'])
        const { consumed } = unframe(bytes, 0)
        expect(unframe(more.subarray(consumed), consumed).records).to.deep.equal(['["more"]'])
      }
    }
    expectError(() => unframe(Buffer.from('\0\0x'), 0), 'ERR_STORAGE', /at byte 2, got/)
  })

  it('detects every single flipped bit', () => {
    const records = ['["a.0","ask",0,[0.25,null],"J*"]', '["a.1","tell",0,1,{"values":[3]}]', '["ü",12]']
    const bytes = joined(records)
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] ^= 1 << (bit & 7)
      expectError(() => unframe(flipped, 0), 'ERR_STORAGE', /^storage: expected a record of a study at byte \d+, got/)
    }
  })

  it('detects several changed bytes', () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
    check(
      fc.property(recordsOf, fc.array(change, { minLength: 1, maxLength: 4 }), (records, changes) => {
        const bytes = joined(records)
        const changed = Buffer.from(bytes)
        for (const [place, mask] of changes) changed[place % bytes.length] ^= mask
        if (changed.equals(bytes)) return
        let found: string[] | undefined
        try {
          found = unframe(changed, 0).records
        } catch {}
        // Zeros at the end are taken for what was never written; nothing that was not written is ever returned.
        if (found !== undefined) expect(found.length).to.be.below(records.length)
        for (const text of found ?? []) expect(records).to.include(text)
      }),
      { runs: 300 },
    )
  })

  it('reads what others append, and waits for what they have not finished', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'a.journal')
      const [one, two] = [await openJournal(path), await openJournal(path)]
      await one.append('["x"]')
      await two.append('["y"]')
      expect(await one.read()).to.deep.equal(['["x"]', '["y"]'])
      const bytes = frame('["z"]')
      appendFileSync(path, bytes.subarray(0, 30))
      expect(await one.read()).to.deep.equal([])
      appendFileSync(path, bytes.subarray(30))
      expect(await one.read()).to.deep.equal(['["z"]'])
      expect(await two.read()).to.deep.equal(['["x"]', '["y"]', '["z"]'])
      await Promise.all([one.flush(), two.flush(), one.flush()])
      await one.close()
      await two.close()
    }))

  it('reads records that are longer than what it reads at once', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'long.journal')
      const long = JSON.stringify(['ä'.repeat(800_000), 1])
      writeFileSync(path, joined(['["a"]', long, '["b"]', long]))
      const journal = await openJournal(path)
      expect(await journal.read()).to.deep.equal(['["a"]', long, '["b"]', long])
      await journal.close()
    }))

  it('refuses files that are none, shrink or cannot be opened', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'x')
      writeFileSync(path, '# Notes\n')
      const foreign = await openJournal(path)
      await expectRejection(foreign.read(), 'ERR_STORAGE', /at byte 0, got bytes that are none/)
      await foreign.close()
      expect(readFileSync(path, 'utf8')).to.equal('# Notes\n')
      writeFileSync(path, joined(['["a"]', '["b"]']))
      const journal = await openJournal(path)
      await journal.read()
      truncateSync(path, 10)
      await expectRejection(journal.read(), 'ERR_STORAGE', /expected .* to grow from \d+ bytes, got one of 10 bytes/)
      await journal.close()
      await expectRejection(openJournal(join(folder, 'no', 'x')), 'ERR_STORAGE', /cannot open .*ENOENT/)
    }))
})
