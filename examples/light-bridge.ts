// Light Schrödinger Bridge: from a cloud to a spiral, and the paths in between, with more and more noise.
//   npx tsx examples/light-bridge.ts
// Writes out/light-bridge.svg and .png: for each epsilon points of the spiral as the fit draws them, and some paths to them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { Resvg } from '@resvg/resvg-js'
import { generator } from 'extrema/random'
import { lightBridge } from 'extrema/transport'

const n = 3000
const random = generator(1)
const cloud = { data: random.normal(2 * n), shape: [n, 2] }
const spiral = { data: random.normal(2 * n), shape: [n, 2] }
random.uniform(n).forEach((u, i) => {
  const angle = 1.5 * Math.PI * (1 + 2 * u)
  spiral.data[2 * i] = (angle * Math.cos(angle) + 0.8 * spiral.data[2 * i]) / 7.5
  spiral.data[2 * i + 1] = (angle * Math.sin(angle) + 0.8 * spiral.data[2 * i + 1]) / 7.5
})

const epsilons = [0.005, 0.05, 0.3]
const [width, reach] = [380, 2.6] // of a panel, in pixels and in units of the data
const at = (value: number) => (((value + reach) / (2 * reach)) * width).toFixed(1)
const place = (point: ArrayLike<number>) => `${at(point[0])} ${at(-point[1])}`
const dots = (points: Float64Array, color: string, size: number) => {
  const marks = Array.from({ length: points.length / 2 }, (_, i) => `M${place(points.subarray(2 * i, 2 * i + 2))}h0`)
  return `<path d="${marks.join('')}" stroke="${color}" stroke-width="${size}" stroke-linecap="round"/>`
}

const panels: string[] = []
for (const epsilon of epsilons) {
  const bridge = await lightBridge({ source: cloud, target: spiral }, { epsilon, components: 200 })
  const drawn = bridge.sample(cloud, { seed: 2 }).data
  const starts = { data: cloud.data.subarray(0, 2 * 40), shape: [40, 2] }
  const { data, shape } = bridge.trajectories(starts, { steps: 200, seed: 3 })
  const [paths, times] = shape
  const ends: number[] = []
  const lines = Array.from({ length: paths }, (_, k) => {
    const path = data.subarray(2 * k * times, 2 * (k + 1) * times)
    ends.push(...path.subarray(-2))
    return `M${Array.from({ length: times }, (_, s) => place(path.subarray(2 * s, 2 * s + 2))).join('L')}`
  })
  panels.push(`<g transform="translate(${panels.length * width} 30)">
${dots(drawn, '#f0b48a', 2)}
<path d="${lines.join('')}" stroke="#1f5fa8" stroke-width="0.7" stroke-opacity="0.7"/>
${dots(starts.data, '#1f5fa8', 5)}
${dots(Float64Array.from(ends), '#d9681d', 5)}
<text x="${width / 2}" y="-8" text-anchor="middle" fill="#333">epsilon = ${epsilon}</text></g>`)
  const seconds = (bridge.elapsed / 1000).toFixed(1)
  console.log(`epsilon ${epsilon}: ${bridge.iterations} iterations in ${seconds} s, loss ${bridge.loss.toFixed(3)}`)
}

mkdirSync('out', { recursive: true })
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${epsilons.length * width}" height="${width + 30}" font-family="sans-serif" font-size="15">
<rect width="100%" height="100%" fill="white"/><g fill="none">${panels.join('\n')}</g></svg>\n`
writeFileSync('out/light-bridge.svg', svg)
const fonts = { font: { fontDirs: ['/usr/share/fonts'] } }
writeFileSync('out/light-bridge.png', new Resvg(svg, { ...fonts, fitTo: { mode: 'zoom', value: 2 } }).render().asPng())
console.log('out/light-bridge.svg, .png: blue starts, orange ends, in the background draws from the whole cloud')
