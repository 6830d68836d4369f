import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect } from 'chai'
import { headerBytes, parseHeader } from '../../../lib/tensor/files/safetensors-header.js'
import * as t from '../../../lib/tensor/index.js'
import { withFolder } from '../../helpers/children.js'
import { expectError, expectRejection } from '../../helpers/errors.js'

/** A file of these bytes behind this header, as the public description of the format has it. */
function fileOf(header: string, data: Uint8Array): Buffer {
  const text = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, data])
}

async function opened<T>(content: Uint8Array, use: (file: t.SafetensorsFile) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const name = path.join(folder, 'model.safetensors')
    writeFileSync(name, content)
    const file = await t.openSafetensors(name)
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  })
}

/** One tensor of each kind, laid out by hand. */
const parts: [string, string, number[], number[]][] = [
  ['u8', 'U8', [3], [0, 200, 255]],
  ['i8', 'I8', [2], [0x80, 0x7f]],
  ['yes', 'BOOL', [2], [1, 0]],
  ['h', 'F16', [2], [0x00, 0x3c, 0x01, 0x80]],
  ['b', 'BF16', [1, 2], [0xc0, 0x3f, 0x80, 0xff]],
  ['i16', 'I16', [1], [0xfe, 0xff]],
  ['u16', 'U16', [1], [0xfe, 0xff]],
  ['f', 'F32', [], [0, 0, 0x20, 0xc1]],
  ['i32', 'I32', [1], [0xff, 0xff, 0xff, 0x7f]],
  ['u32', 'U32', [1], [0xff, 0xff, 0xff, 0xff]],
  ['i64', 'I64', [2], [0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x20, 0]],
  ['u64', 'U64', [1], [1, 0, 0, 0, 0, 0, 0x20, 0]],
  ['d', 'F64', [1], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]],
  ['none', 'F32', [0, 4], []],
  ['f8', 'F8_E4M3', [1], [0x38]],
]

function sample(): Buffer {
  let end = 0
  const entries = parts.map(([name, dtype, shape, bytes]) => {
    const offsets = [end, end + bytes.length]
    end += bytes.length
    return [name, { dtype, shape, data_offsets: offsets }]
  })
  const header = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  return fileOf(`${header}   `, Uint8Array.from(parts.flatMap(([, , , bytes]) => bytes)))
}

describe('safetensors', () => {
  it('reads every kind of number by its rule', async () => {
    await opened(sample(), async (file) => {
      expect(file.metadata).to.deep.equal({ format: 'pt' })
      expect(file.names).to.have.members(parts.map(([name]) => name))
      expect(file.info('b')).to.deep.equal({ dtype: 'BF16', shape: [1, 2] })
      const expected: [string, t.DType, number[]][] = [
        ['u8', 'int32', [0, 200, 255]],
        ['i8', 'int32', [-128, 127]],
        ['yes', 'int32', [1, 0]],
        ['h', 'float32', [1, -(2 ** -24)]],
        ['b', 'float32', [1.5, Number.NEGATIVE_INFINITY]],
        ['i16', 'int32', [-2]],
        ['u16', 'int32', [65534]],
        ['f', 'float32', [-10]],
        ['i32', 'int32', [2 ** 31 - 1]],
        ['d', 'float64', [1]],
        ['none', 'float32', []],
      ]
      for (const [name, dtype, numbers] of expected) {
        const x = await file.read(name)
        expect([name, x.dtype, x.shape]).to.deep.equal([name, dtype, file.info(name).shape])
        expect([...x.data]).to.deep.equal(numbers)
      }
      expect([...(await file.read('h', { dtype: 'float64' })).data]).to.deep.equal([1, -(2 ** -24)])
      expect([...(await file.read('i64', { dtype: 'float64' })).data]).to.deep.equal([-5, 2 ** 53])
      expect([...(await file.read('u32', { dtype: 'float64' })).data]).to.deep.equal([2 ** 32 - 1])
      for (const [name, dtype] of [
        ['u32', undefined],
        ['i64', undefined],
        ['u64', 'float64'],
        ['u32', 'float32'],
        ['f', 'int32'],
        ['f8', undefined],
      ] as const) {
        await expectRejection(file.read(name, { dtype }), 'ERR_DTYPE', new RegExp(`^${name}(\\[\\d\\])?: expected `))
      }
      await expectRejection(file.read('w'), 'ERR_OPTION', /name: expected a tensor of .*, got 'w'/)
    })
  })

  it('reads rows alone, and only their bytes', async () => {
    const x = t.reshape(t.arange(0, 24), [6, 4])
    await withFolder(async (folder) => {
      const name = path.join(folder, 'x')
      await t.saveSafetensors(name, { x, y: t.ones([3]) })
      const file = await t.openSafetensors(name)
      const part = await file.read('x', { rows: [2, 4] })
      expect(part.shape).to.deep.equal([2, 4])
      expect([...part.data]).to.deep.equal([...x.data.slice(8, 16)])
      expect((await file.read('x', { rows: [6, 6] })).shape).to.deep.equal([0, 4])
      for (const rows of [
        [-1, 2],
        [4, 2],
        [0, 7],
        [0, 0.5],
      ] as const) {
        await expectRejection(file.read('x', { rows }), 'ERR_OPTION', /rows: expected \[from, to\] within 0 and 6/)
      }
      await file.close()
    })
  })

  it('writes what the description of the format says, aligned and streamed', async () => {
    await withFolder(async (folder) => {
      const name = path.join(folder, 'x')
      const long = t.mul(t.arange(0, 300_000), 0.37)
      await t.saveSafetensors(
        name,
        { a: t.tensor(Int32Array.of(-7)), long, s: t.tensor(Float32Array.of(1.5, 2)), empty: t.zeros([0]) },
        { metadata: { by: 'hand' } },
      )
      const bytes = readFileSync(name)
      const length = Number(bytes.readBigUInt64LE(0))
      expect(length % 8).to.equal(0)
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString())
      expect(header.__metadata__).to.deep.equal({ by: 'hand' })
      const data = bytes.subarray(8 + length)
      expect(header.a).to.deep.include({ dtype: 'I32', shape: [1] })
      expect(data.readInt32LE(header.a.data_offsets[0])).to.equal(-7)
      expect(header.s).to.deep.include({ dtype: 'F32', shape: [2] })
      expect(data.readFloatLE(header.s.data_offsets[0])).to.equal(1.5)
      for (const i of [0, 131_071, 131_072, 299_999]) {
        expect(data.readDoubleLE(header.long.data_offsets[0] + 8 * i)).to.equal(i * 0.37)
      }
      const back = await t.loadSafetensors(name)
      expect(back.long.data).to.deep.equal(long.data)
      expect(readdirSync(folder)).to.deep.equal(['x'])
    })
  })

  it('rounds to 16 bits on demand, and keeps whole numbers', async () => {
    await withFolder(async (folder) => {
      const name = path.join(folder, 'x')
      const x = t.tensor([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65520, 2 ** -25, -1e-9])
      for (const [dtype, expected] of [
        ['F16', [1, 1 + 2 ** -9, Number.POSITIVE_INFINITY, 0, -0]],
        ['BF16', [1, 1, 65536, 2 ** -25, -9.968061931431293e-10]],
      ] as const) {
        await t.saveSafetensors(name, { x, k: t.tensor(Int32Array.of(3)) }, { dtype })
        const back = await t.loadSafetensors(name)
        expect([...back.x.data]).to.deep.equal(expected)
        expect([back.k.dtype, back.k.data[0]]).to.deep.equal(['int32', 3])
      }
    })
  })

  it('refuses headers that are not as the format wants them', () => {
    const entry = (from: number, to: number, shape = `[${(to - from) / 4}]`): string =>
      `{"dtype":"F32","shape":${shape},"data_offsets":[${from},${to}]}`
    const refused = (header: string, size: number, message: RegExp): void =>
      expectError(() => parseHeader('file', header, size), 'ERR_FILE', message)
    refused('', 0, /begins with {/)
    refused(' {}', 0, /begins with {/)
    refused('{"a":', 0, /in JSON/)
    refused(`{"a":${entry(0, 4)},"b":${entry(0, 4)}}`, 4, /without gap and overlap for 'b', got 0/)
    refused(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12, /without gap and overlap for 'b', got 4/)
    refused(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12, /without gap and overlap for 'b', got 8/)
    refused(`{"a":${entry(4, 8)}}`, 8, /without gap and overlap for 'a', got 4/)
    refused(`{"a":${entry(0, 4)}}`, 8, /expected 4 bytes of data, got 8/)
    refused(`{"a":${entry(0, 4)}}`, 3, /expected 4 bytes of data, got 3/)
    refused(`{"a":${entry(0, 4, '[2]')}}`, 4, /expected 8 bytes \(F32 \[2\]\) for 'a', got 4/)
    refused(`{"a":${entry(0, 4, '[-1]')}}`, 4, /shape of whole numbers/)
    refused(`{"a":${entry(0, 4, '[0.5,2]')}}`, 4, /shape of whole numbers/)
    refused(`{"a":${entry(0, 0, '[9007199254740993]')}}`, 0, /shape of whole numbers/)
    refused(`{"a":${entry(0, 0, '[4294967296,4294967296]')}}`, 0, /bytes/)
    refused(`{"a":${entry(4, 0, '[1]')}}`, 4, /data_offsets \[from, to\]/)
    refused('{"a":{"dtype":"F33","shape":[],"data_offsets":[0,4]}}', 4, /a dtype among .*, got 'F33'/)
    refused('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,4]}}', 4, /a dtype among/)
    refused('{"a":{"dtype":"F32","data_offsets":[0,4]}}', 4, /shape of whole numbers/)
    refused('{"a":{"dtype":"F32","shape":[]}}', 4, /data_offsets/)
    refused('{"a":3}', 0, /{ dtype, shape, data_offsets } for 'a', got 3/)
    refused('{"__metadata__":{"x":1}}', 0, /a text for the metadata 'x', got 1/)
    refused('{"__metadata__":[]}', 0, /an object as metadata/)
    refused(`{"a":${entry(0, 4)},"a":${entry(0, 4)}}`, 4, /every name once, got 'a' again/)
    refused(`{"a":${entry(0, 4)},"\\u0061":${entry(0, 4)}}`, 4, /every name once, got 'a' again/)
    refused('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4, /every name once, got 'dtype'/)
    // Names in other places may be alike, and texts may hold anything.
    const fine = `{"__metadata__":{"a":"\\"a\\":{","b":"a"},"a" : ${entry(0, 4)},"b":${entry(4, 4)}}`
    expect([...parseHeader('file', fine, 4).tensors.keys()]).to.deep.equal(['a', 'b'])
  })

  it('refuses files that end too early or begin otherwise', async () => {
    const refused = (content: Uint8Array, message: RegExp) =>
      expectRejection(
        opened(content, async () => {}),
        'ERR_FILE',
        message,
      )
    const whole = sample()
    await refused(Buffer.alloc(0), /at least 8 bytes, got 0/)
    await refused(Buffer.alloc(7), /at least 8 bytes, got 7/)
    for (const end of [8, 20, whole.length - 1]) await refused(whole.subarray(0, end), /expected /)
    await refused(Buffer.concat([whole, Buffer.of(0)]), /bytes of data/)
    const huge = Buffer.from(whole)
    huge.writeBigUInt64LE(2n ** 63n, 0)
    await refused(huge, /a header of at most \d+ bytes, got 9223372036854775808/)
    await refused(fileOf('{"\xff":1}', Buffer.alloc(0)).fill(0xff, 9, 11), /header/)
  })

  it('gives trees names and takes them back', async () => {
    const tree = { layers: [{ weight: t.ones([2, 2]), bias: t.zeros([2]) }, []], scale: t.tensor(2) }
    const named = t.namedTensors(tree)
    expect(Object.keys(named)).to.deep.equal(['layers.0.weight', 'layers.0.bias', 'scale'])
    const back = t.fromNamed(tree, { ...named, scale: t.tensor(5) })
    expect(back.scale.item()).to.equal(5)
    expect(back.layers[1]).to.deep.equal([])
    expectError(() => t.fromNamed(tree, { ...named, more: t.ones([1]) }), 'ERR_SHAPE', /got 'more'/)
    const { scale: _scale, ...fewer } = named
    expectError(() => t.fromNamed(tree, fewer), 'ERR_SHAPE', /named.scale: expected float64 \[\], got undefined/)
    expectError(() => t.fromNamed(tree, { ...named, scale: t.ones([1]) }), 'ERR_SHAPE', /got float64 \[1\]/)
    expectError(() => t.namedTensors({ 'a.b': t.ones([1]), a: { b: t.ones([1]) } }), 'ERR_OPTION', /'a.b' twice/)
  })

  it('refuses names and metadata that the format does not have', async () => {
    const save = (tensors: unknown, options: unknown) =>
      t.saveSafetensors('/nowhere', tensors as never, options as never)
    await expectRejection(save({ __metadata__: t.ones([1]) }, {}), 'ERR_OPTION', /other names than __metadata__/)
    await expectRejection(save({ x: [1] }, {}), 'ERR_SHAPE', /tensors.x: expected a tensor/)
    await expectRejection(save({}, { metadata: { a: 1 } }), 'ERR_OPTION', /metadata.a: expected a text, got 1/)
    await expectRejection(save({}, { dtype: 'F8' }), 'ERR_OPTION', /dtype/)
    const header = headerBytes({ metadata: {}, tensors: new Map() })
    expect(Buffer.from(header).toString('latin1', 8).trim()).to.equal('{}')
  })
})
