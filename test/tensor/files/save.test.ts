import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import * as t from '../../../lib/tensor/index.js'
import { withFolder } from '../../helpers/children.js'
import { expectRejection, rejection } from '../../helpers/errors.js'

const value = {
  params: [
    {
      weight: t.tensor([
        [1, -2.5],
        [Number.NaN, 1e300],
      ]),
      bias: t.tensor([0.1], { dtype: 'float32' }),
    },
  ],
  labels: Int32Array.of(-1, 2 ** 31 - 1),
  empty: t.zeros([0, 3]),
  scalar: t.tensor(7),
  numbers: [0, -0, 1e-320, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  big: 2n ** 70n,
  text: 'schön, "$tensor"\n',
  flags: [true, false, null],
  names: { $tensor: 1, $number: { $x: [] }, '': 2, '0': 3 },
}

describe('save and load', () => {
  it('gives back what was saved, in memory of its own', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'value')
      await t.save(file, { ...value, nothing: undefined })
      const came = await t.load<typeof value>(file)
      expect(Object.keys(came)).to.deep.equal(Object.keys(value))
      const { weight, bias } = came.params[0]
      expect([weight.dtype, weight.shape]).to.deep.equal(['float64', [2, 2]])
      expect([...weight.data]).to.deep.equal([1, -2.5, Number.NaN, 1e300])
      expect([bias.dtype, [...bias.data]]).to.deep.equal(['float32', [Math.fround(0.1)]])
      expect(came.labels).to.deep.equal(value.labels)
      expect(came.empty.shape).to.deep.equal([0, 3])
      expect([came.scalar.shape, came.scalar.item()]).to.deep.equal([[], 7])
      came.numbers.forEach((x, i) => {
        expect(Object.is(x, value.numbers[i])).to.equal(true)
      })
      for (const name of ['big', 'text', 'flags', 'names'] as const) expect(came[name]).to.deep.equal(value[name])
      expect(weight.data.buffer).to.not.equal(value.params[0].weight.data.buffer)
    })
  })

  it('writes what its description says: magic, header, blocks on multiples of eight, SHA-256', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'value')
      await t.save(file, [t.tensor([1, 2], { dtype: 'float32' }), Float64Array.of(-3)])
      const bytes = readFileSync(file)
      expect(bytes.subarray(0, 8).toString('latin1')).to.equal('EXTREMA1')
      const length = Number(bytes.readBigUInt64LE(8))
      expect(length % 8).to.equal(0)
      const header = JSON.parse(bytes.subarray(16, 16 + length).toString())
      expect(header.blocks).to.deep.equal([
        { dtype: 'float32', shape: [2] },
        { dtype: 'float64', shape: [1] },
      ])
      const data = bytes.subarray(16 + length)
      expect([data.readFloatLE(0), data.readFloatLE(4), data.readDoubleLE(8)]).to.deep.equal([1, 2, -3])
      const { createHash } = await import('node:crypto')
      expect(data.subarray(16).toString('hex')).to.equal(
        createHash('sha256').update(bytes.subarray(0, -32)).digest('hex'),
      )
    })
  })

  it('finds every bit that was flipped, every end that is missing and every byte too many', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'value')
      await t.save(file, { w: t.tensor([1, 2, 3], { dtype: 'float32' }), n: 3 })
      const bytes = readFileSync(file)
      const damaged = path.join(folder, 'damaged')
      const refused = async (content: Uint8Array): Promise<void> => {
        writeFileSync(damaged, content)
        await expectRejection(t.load(damaged), 'ERR_FILE', /^file: expected .*, got .* in .*damaged$/)
      }
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const flipped = Buffer.from(bytes)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        await refused(flipped)
      }
      for (let end = 0; end < bytes.length; end++) await refused(bytes.subarray(0, end))
      await refused(Buffer.concat([bytes, Buffer.of(0)]))
      await refused(Buffer.concat([bytes, bytes]))
    })
  })

  it('leaves the old file and nothing else when it cannot write', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'value')
      await t.save(file, 1)
      await expectRejection(t.save(file, { f: () => 1 }), 'ERR_OPTION', /^value\.f: expected .*, got /)
      // A tensor whose memory goes away on the way.
      const lost = t.ones([2 ** 20])
      const saving = t.save(file, [lost])
      structuredClone(lost.data.buffer, { transfer: [lost.data.buffer as ArrayBuffer] })
      await rejection(saving)
      expect(await t.load(file)).to.equal(1)
      expect(readdirSync(folder)).to.deep.equal(['value'])
      const missing = (await rejection(t.save(path.join(folder, 'no', 'file'), 1))) as NodeJS.ErrnoException
      expect(missing.code).to.equal('ENOENT')
      const absent = (await rejection(t.load(path.join(folder, 'absent')))) as NodeJS.ErrnoException
      expect(absent.code).to.equal('ENOENT')
    })
  })

  it('refuses values of other kinds, and cycles', async () => {
    await withFolder(async (folder) => {
      const file = path.join(folder, 'value')
      const around: unknown[] = []
      around.push(around)
      for (const wrong of [new Map(), new Date(), Symbol('s'), undefined, [undefined], around, Uint8Array.of(1)]) {
        await expectRejection(t.save(file, wrong), 'ERR_OPTION', /^value(\[0\])?: expected tensors, typed arrays/)
      }
      const twice = t.ones([2])
      await t.save(file, [twice, twice])
      expect((await t.load<t.Tensor[]>(file)).length).to.equal(2)
    })
  })
})
