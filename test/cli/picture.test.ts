import { crc32, deflateSync } from 'node:zlib'
import { expect } from 'chai'
import { decode } from 'fast-png'
import { encode as encodeJpegFile } from 'jpeg-js'
import { distinctColors } from '../../lib/cli/image/distinct.js'
import { decodeJpeg, encodeJpeg } from '../../lib/cli/image/jpeg.js'
import type { Picture } from '../../lib/cli/image/picture.js'
import { decodePng, encodePng } from '../../lib/cli/image/png.js'

const chunk = (type: string, body: Uint8Array) => {
  const content = Buffer.concat([Buffer.from(type, 'latin1'), body])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length)
  const check = Buffer.alloc(4)
  check.writeUInt32BE(crc32(content))
  return Buffer.concat([length, content, check])
}

/** A PNG file from its rows of bytes, written here by the specification. */
function png(
  [width, height]: [number, number],
  depth: number,
  colorType: number,
  rows: number[][],
  extra: [type: string, body: number[]][] = [],
): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = depth
  header[9] = colorType
  const data = deflateSync(Uint8Array.from(rows.flatMap((row) => [0, ...row])))
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...extra.map(([type, body]) => chunk(type, Uint8Array.from(body))),
    chunk('IDAT', data),
    chunk('IEND', new Uint8Array(0)),
  ])
}

const pixels = ({ rgba }: Picture) =>
  Array.from({ length: rgba.length / 4 }, (_, k) => [...rgba.slice(4 * k, 4 * k + 4)])

describe('cli: pictures', () => {
  it('reads grey of 1, 2 and 4 bits', () => {
    const one = decodePng(
      'one',
      png([9, 2], 1, 0, [
        [0b10100000, 0b10000000],
        [0, 0],
      ]),
    )
    expect(pixels(one).map(([value]) => value)).to.deep.equal([
      255,
      0,
      255,
      0,
      0,
      0,
      0,
      0,
      255,
      ...new Array(9).fill(0),
    ])
    const two = decodePng('two', png([4, 1], 2, 0, [[0b00011011]]))
    expect(pixels(two)).to.deep.equal([0, 85, 170, 255].map((v) => [v, v, v, 255]))
    const four = decodePng('four', png([2, 1], 4, 0, [[0x3f]]))
    expect(pixels(four)).to.deep.equal([51, 255].map((v) => [v, v, v, 255]))
    expect(four.hasAlpha).to.equal(false)
  })

  it('reads palettes, with and without transparency', () => {
    const colors = [10, 20, 30, 200, 100, 50, 0, 0, 0]
    const plain = decodePng('plain', png([3, 1], 8, 3, [[1, 0, 2]], [['PLTE', colors]]))
    expect(pixels(plain)).to.deep.equal([
      [200, 100, 50, 255],
      [10, 20, 30, 255],
      [0, 0, 0, 255],
    ])
    expect(plain.hasAlpha).to.equal(false)
    const clear = decodePng(
      'clear',
      png(
        [4, 1],
        2,
        3,
        [[0b01_00_10_01]],
        [
          ['PLTE', colors],
          ['tRNS', [128]],
        ],
      ),
    )
    expect(pixels(clear)).to.deep.equal([
      [200, 100, 50, 255],
      [10, 20, 30, 128],
      [0, 0, 0, 255],
      [200, 100, 50, 255],
    ])
    expect(clear.hasAlpha).to.equal(true)
  })

  it('reads 16 bits, grey with alpha, and a colour declared transparent', () => {
    const deep = decodePng('deep', png([1, 1], 16, 2, [[0x12, 0x34, 0xab, 0xcd, 0xff, 0xff]]))
    expect(deep.rgba).to.be.instanceOf(Uint16Array)
    expect(pixels(deep)).to.deep.equal([[0x1234, 0xabcd, 0xffff, 0xffff]])
    const grey = decodePng('grey', png([2, 1], 8, 4, [[7, 0, 9, 250]]))
    expect(pixels(grey)).to.deep.equal([
      [7, 7, 7, 0],
      [9, 9, 9, 250],
    ])
    const keyed = decodePng('keyed', png([3, 1], 8, 2, [[1, 2, 3, 1, 2, 4, 9, 2, 3]], [['tRNS', [0, 1, 0, 2, 0, 3]]]))
    expect(pixels(keyed).map(([, , , alpha]) => alpha)).to.deep.equal([0, 255, 255])
    expect(keyed.hasAlpha).to.equal(true)
  })

  it('refuses a header that claims more memory than anyone has', () => {
    const bomb = png([60000, 60000], 8, 2, [[0, 0, 0]])
    expect(() => decodePng('bomb', bomb)).to.throw('bomb: expected 1 to 100 million pixels, got 60000×60000')
  })

  it('writes PNG with the depth and alpha it was given', () => {
    for (const hasAlpha of [false, true]) {
      for (const type of [Uint8Array, Uint16Array]) {
        const full = type === Uint8Array ? 255 : 65535
        const rgba = type.from([1, 2, 3, hasAlpha ? 9 : full, full, 5, 6, full])
        const file = decode(encodePng({ width: 2, height: 1, rgba, hasAlpha }))
        expect(file.depth).to.equal(type === Uint8Array ? 8 : 16)
        expect(file.channels).to.equal(hasAlpha ? 4 : 3)
        const expected = Array.from(rgba).filter((_, k) => hasAlpha || k % 4 < 3)
        expect(Array.from(file.data)).to.deep.equal(expected)
      }
    }
  })

  it('lays transparent pixels on white for JPEG', () => {
    const rgba = Uint8Array.from({ length: 4 * 64 }, (_, k) => (k % 4 === 3 ? 0 : 10))
    const file = decodeJpeg('white', encodeJpeg({ width: 8, height: 8, rgba, hasAlpha: true }))
    for (const pixel of pixels(file)) expect(Math.min(...pixel)).to.be.at.least(252)
  })

  /** Exif 2.3, table of tag 0x0112: where the stored first row and first column are in the upright picture. */
  const corners: [orientation: number, first: string, endOfFirstRow: string][] = [
    [1, 'top left', 'top right'],
    [2, 'top right', 'top left'],
    [3, 'bottom right', 'bottom left'],
    [4, 'bottom left', 'bottom right'],
    [5, 'top left', 'bottom left'],
    [6, 'top right', 'bottom right'],
    [7, 'bottom right', 'top right'],
    [8, 'bottom left', 'top left'],
  ]
  for (const [orientation, first, endOfFirstRow] of corners) {
    it(`turns a photograph of orientation ${orientation} upright`, () => {
      const [width, height] = [48, 32]
      const data = new Uint8Array(4 * width * height).fill(255)
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          // The first corner is red, the end of the first row green, the rest white.
          const color = y >= 16 ? undefined : x < 16 ? [255, 0, 0] : x >= 32 ? [0, 255, 0] : undefined
          if (color) data.set(color, 4 * (y * width + x))
        }
      }
      const file = encodeJpegFile({ width, height, data }, 95).data
      const exif = Buffer.from('Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0', 'latin1')
      exif[25] = orientation
      const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, exif.length + 2]), exif])
      const picture = decodeJpeg('photo', Buffer.concat([file.subarray(0, 2), segment, file.subarray(2)]))
      expect([picture.width, picture.height]).to.deep.equal(orientation < 5 ? [48, 32] : [32, 48])
      const at = (corner: string) => {
        const x = corner.includes('left') ? 4 : picture.width - 5
        const y = corner.includes('top') ? 4 : picture.height - 5
        const [red, green] = picture.rgba.subarray(4 * (y * picture.width + x))
        return red! > 200 ? (green! > 200 ? 'white' : 'red') : 'green'
      }
      expect(at(first)).to.equal('red')
      expect(at(endOfFirstRow)).to.equal('green')
    })
  }

  it('tells colours apart exactly while there are few', () => {
    const rgba = Uint8Array.from([1, 2, 3, 255, 4, 5, 6, 255, 1, 2, 3, 0, 1, 2, 4, 255])
    const { colors, indexOf } = distinctColors({ width: 4, height: 1, rgba, hasAlpha: true })
    expect(Array.from(indexOf)).to.deep.equal([0, 1, 0, 2])
    expect(Array.from(colors, (value) => Math.round(value * 255))).to.deep.equal([1, 2, 3, 4, 5, 6, 1, 2, 4])
  })

  it('rounds colours when there are too many, by at most half a step', () => {
    const [width, height] = [512, 512]
    const rgba = new Uint16Array(4 * width * height)
    for (let k = 0; k < rgba.length; k++) {
      rgba[k] = Math.floor(65536 * (((k >> 2) * Math.sqrt([2, 3, 5, 7][k % 4]!)) % 1))
    }
    const { colors, indexOf } = distinctColors({ width, height, rgba, hasAlpha: false })
    expect(colors.length / 3).to.be.within(2 ** 14, 2 ** 15) // so 5 bits of each channel were told apart
    let worst = 0
    indexOf.forEach((index, pixel) => {
      for (let c = 0; c < 3; c++) {
        worst = Math.max(worst, Math.abs(colors[3 * index + c]! - rgba[4 * pixel + c]! / 65535))
      }
    })
    expect(worst).to.be.at.most(0.5 / 31 + 1e-12)
  })
})
