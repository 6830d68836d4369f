import { readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { type DecodedPng, decode, encode } from 'fast-png'
import { decode as decodeJpegFile } from 'jpeg-js'
import { recolor } from '../../lib/cli/color/recolor.js'
import { colorSpace } from '../../lib/cli/image/color-space.js'
import { pointCloud } from '../../lib/transport/index.js'
import { inProcess, root, Scratch, scatter } from './helpers.js'

const signal = new AbortController().signal

describe('cli: extrema color', () => {
  let scratch: Scratch
  before(() => {
    scratch = new Scratch()
  })
  after(() => scratch.dispose())

  type Pixel = (x: number, y: number) => readonly number[]

  /** Writes a PNG of width × height pixels with as many channels as `pixel` returns. */
  function picture(name: string, [width, height]: [number, number], pixel: Pixel, depth: 8 | 16 = 8): string {
    const values: number[] = []
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) values.push(...pixel(x, y))
    const data = depth === 16 ? Uint16Array.from(values) : Uint8Array.from(values)
    writeFileSync(scratch.path(name), encode({ width, height, depth, channels: pixel(0, 0).length, data }))
    return scratch.path(name)
  }

  async function color(image: string, palette: string, ...options: string[]): Promise<DecodedPng> {
    const out = scratch.path('out.png')
    const { code, stderr } = await inProcess(['color', image, palette, '-o', out, ...options])
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    return decode(readFileSync(out))
  }

  const meanDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a, (value, k) => Math.abs(value - b[k]!)).reduce((sum, d) => sum + d, 0) / a.length

  const noise = scatter(4096, 5)
  const photo: Pixel = (x, y) => [
    Math.floor(4 * x + 20 * noise[64 * y + x]!),
    Math.floor(120 + 2 * y),
    Math.floor(200 - 3 * x + 30 * noise[64 * y + x]!),
  ]

  for (const space of ['oklab', 'rgb']) {
    it(`gives a picture its own colours and so leaves it nearly as it is (${space})`, async () => {
      const image = picture('photo.png', [48, 40], photo)
      const result = await color(image, image, '--space', space, '--epsilon', '1e-5', '--samples', '600')
      expect([result.width, result.height, result.channels, result.depth]).to.deep.equal([48, 40, 3, 8])
      expect(meanDifference(result.data, decode(readFileSync(image)).data)).to.be.below(3)
    })
  }

  it('finds the optimal assignment of greys to two colours', async () => {
    // In RGB, blue instead of black costs 1 - 2g more for grey g, so the brighter half becomes blue.
    const image = picture('ramp.png', [64, 2], (x) => [4 * x])
    const palette = picture('two.png', [64, 2], (x) => (x % 2 === 0 ? [0, 0, 0] : [0, 0, 255]))
    const { data } = await color(image, palette, '--space', 'rgb', '--epsilon', '1e-3')
    for (let x = 0; x < 64; x++) {
      if (x === 31 || x === 32) continue // the border is soft
      expect([...data.slice(3 * x, 3 * x + 3)]).to.deep.equal(x < 32 ? [0, 0, 0] : [0, 0, 255])
    }
  })

  it('keeps alpha, and takes no colour from what cannot be seen', async () => {
    const image = picture('veil.png', [32, 32], (x, y) => [...photo(x, y), 8 * y])
    const palette = picture('mask.png', [32, 32], (x, y) => (y < 16 ? [255, 0, 0, 0] : [0, 4 * x, 0, 255]))
    const { data, channels } = await color(image, palette, '--space', 'rgb')
    expect(channels).to.equal(4)
    for (let k = 0; k < data.length; k += 4) {
      expect(data[k + 3]).to.equal(8 * Math.floor(k / 4 / 32))
      expect(data[k]).to.equal(0) // no red: the palette's red is transparent
    }
  })

  it('keeps 16 bits', async () => {
    const deep: Pixel = (x, y) => photo(x, y).map((value) => 257 * value + ((x * y) % 257) - 128)
    const image = picture('deep.png', [48, 40], deep, 16)
    const result = await color(image, image, '--epsilon', '1e-5', '--samples', '500')
    expect(result.depth).to.equal(16)
    expect(meanDifference(result.data, decode(readFileSync(image)).data)).to.be.below(3 * 257)
  })

  it('adds what 8 bits leave of 16 to the mapped colour', async () => {
    const rgba = Uint16Array.from([1000, 20000, 65535, 65535, 30001, 30100, 129, 65535])
    const palette = Float64Array.of(0.5, 0.25, 0.75) // where all colours go
    const space = colorSpace('rgb')
    const deep = { width: 2, height: 1, rgba, hasAlpha: false }
    const cost = pointCloud([[0, 0, 0]], { data: palette, shape: [1, 3] })
    const solution = { epsilon: 0.1, potentials: { f: new Float64Array(1), g: new Float64Array(1) } }
    const { picture } = await recolor(deep, solution, { cost }, space, signal)
    rgba.forEach((value, k) => {
      const rest = value - 257 * Math.round(value / 257)
      const expected = k % 4 === 3 ? 65535 : 65535 * palette[k % 4]! + rest
      expect(picture.rgba[k]).to.be.closeTo(expected, 0.51)
    })
  })

  it('paints a grey picture', async () => {
    const image = picture('grey.png', [32, 32], (x, y) => [4 * x + 2 * y])
    const palette = picture('warm.png', [32, 32], (x) => [100 + 4 * x, 5 * x, 0])
    const { data, channels } = await color(image, palette)
    expect(channels).to.equal(3)
    const pixel = (x: number, y: number) => [...data.slice(3 * (32 * y + x), 3 * (32 * y + x) + 3)]
    expect(pixel(31, 31)[0]).to.be.greaterThan(pixel(0, 0)[0]! + 60) // dark stays darker
    for (let k = 0; k < data.length; k += 3) expect(data[k]! - data[k + 2]!).to.be.greaterThan(80)
  })

  it('repeats itself with the same seed, and only then', async () => {
    const image = picture('photo.png', [48, 40], photo)
    const palette = picture('other.png', [48, 40], (x, y) => photo(x, y).toReversed())
    const once = (await color(image, palette, '--samples', '100', '--seed', '7')).data
    expect((await color(image, palette, '--samples', '100', '--seed', '7')).data).to.deep.equal(once)
    expect((await color(image, palette, '--samples', '100', '--seed', '8')).data).to.not.deep.equal(once)
  })

  it('reads and writes photographs in JPEG, and says what it did', async () => {
    const [image, palette] = ['rocket', 'coffee'].map((name) => `${root}examples/data/${name}.jpg`) as [string, string]
    const out = scratch.path('out.jpg')
    const { code, stdout } = await inProcess(['color', image, palette, '-o', out, '--samples', '300', '--json'])
    expect(code).to.equal(0)
    const result = JSON.parse(stdout)
    expect(result.status).to.equal('converged')
    expect(result.image).to.deep.equal({ file: image, width: 600, height: 400, samples: 300 })
    const mean = (path: string) => {
      const { data } = decodeJpegFile(readFileSync(path), { useTArray: true })
      const sums = [0, 0, 0]
      for (let k = 0; k < data.length; k++) if (k % 4 < 3) sums[k % 4]! += data[k]!
      return sums.map((sum) => (4 * sum) / data.length)
    }
    const [before, wanted, after] = [mean(image), mean(palette), mean(out)] as [number[], number[], number[]]
    expect(before[2]).to.be.greaterThan(before[0]!) // a blue evening
    after.forEach((value, c) => {
      expect(value).to.be.closeTo(wanted[c]!, 12) // has the average colour of a red table
    })
  })

  it('OKLab: the colours its author gives, and back', () => {
    const space = colorSpace('oklab')
    const known: [rgb: number[], lab: number[]][] = [
      [
        [1, 1, 1],
        [1, 0, 0],
      ],
      [
        [1, 0, 0],
        [0.627955, 0.224863, 0.125846],
      ],
      [
        [0, 1, 0],
        [0.86644, -0.233888, 0.179498],
      ],
      [
        [0, 0, 1],
        [0.452014, -0.032457, -0.311528],
      ],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    ]
    const lab = new Float64Array(3)
    const rgb = new Float64Array(3)
    for (const [given, expected] of known) {
      space.fromRgb(given[0]!, given[1]!, given[2]!, lab, 0)
      expected.forEach((value, c) => {
        expect(lab[c]).to.be.closeTo(value, 1e-5)
      })
    }
    const values = scatter(300, 17)
    for (let k = 0; k < 300; k += 3) {
      space.fromRgb(values[k]!, values[k + 1]!, values[k + 2]!, lab, 0)
      space.toRgb(lab, 0, rgb, 0)
      rgb.forEach((value, c) => {
        expect(value).to.be.closeTo(values[k + c]!, 5e-6)
      })
    }
  })
})
