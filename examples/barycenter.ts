// Barycenters: between a ring, a heart, a star and a cross, what lies in the middle?
//   npx tsx examples/barycenter.ts
// Writes out/barycenter.png and .svg: a shape in each corner, and in between their barycenters, which move mass instead of fading.
import { mkdirSync, writeFileSync } from 'node:fs'
import { barycenter, gridCost } from 'extrema/transport'
import { encode } from 'fast-png'

const n = 64 // pixels along a side of a shape
const steps = 5 // shapes along a side of the picture
const zoom = 2

/** Whether a point of [-1, 1]², y upwards, is inside. */
type Shape = (x: number, y: number) => boolean
const ring: Shape = (x, y) => Math.abs(Math.hypot(x, y) - 0.55) < 0.16
const heart: Shape = (x, y) => (1.7 * x ** 2 + 1.7 * (y + 0.1) ** 2 - 0.6) ** 3 - 3 * x ** 2 * (y + 0.1) ** 3 < 0
const star: Shape = (x, y) => {
  const [outer, inner, half] = [0.85, 0.36, Math.PI / 5]
  const angle = Math.abs(((Math.atan2(x, y + 0.08) + 11 * half) % (2 * half)) - half) // from the nearest notch
  const edge = (outer * inner * Math.sin(half)) / (outer * Math.sin(half - angle) + inner * Math.sin(angle))
  return Math.hypot(x, y + 0.08) < edge
}
const cross: Shape = (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.7 && Math.min(Math.abs(x), Math.abs(y)) < 0.2

function histogram(inside: Shape): number[] {
  const at = (k: number) => (2 * (k + 0.5)) / n - 1
  return Array.from({ length: n * n }, (_, k) => (inside(at(k % n), -at(Math.floor(k / n))) ? 1 : 0))
}
const normalized = (values: number[]) => {
  const total = values.reduce((sum, value) => sum + value, 0)
  return values.map((value) => value / total)
}

// Squared distances on the grid: an iteration takes O(n³) time and O(n²) memory instead of O(n⁴).
const problem = { cost: gridCost([n, n]), histograms: [ring, heart, star, cross].map((s) => normalized(histogram(s))) }
const gap = 12
const size = steps * (n * zoom + gap) + gap
const picture = new Uint8Array(size * size).fill(255)
let iterations = 0
for (let row = 0; row < steps; row++) {
  for (let column = 0; column < steps; column++) {
    const [down, right] = [row / (steps - 1), column / (steps - 1)]
    const weights = [(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right]
    const solution = await barycenter({ ...problem, weights }, { epsilon: 5e-4 })
    iterations += solution.iterations
    draw(solution.barycenter, gap + row * (n * zoom + gap), gap + column * (n * zoom + gap))
  }
}

function draw(b: Float64Array, top: number, left: number): void {
  const most = b.reduce((largest, value) => Math.max(largest, value))
  for (let y = 0; y < n * zoom; y++) {
    for (let x = 0; x < n * zoom; x++) {
      const value = b[Math.floor(y / zoom) * n + Math.floor(x / zoom)] / most
      picture[(top + y) * size + left + x] = Math.round(255 * (1 - Math.sqrt(value)))
    }
  }
}

mkdirSync('out', { recursive: true })
const png = encode({ width: size, height: size, data: picture, depth: 8, channels: 1 })
writeFileSync('out/barycenter.png', png)
const href = `data:image/png;base64,${Buffer.from(png).toString('base64')}`
writeFileSync(
  'out/barycenter.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" width="${size}" height="${size}"><image width="${size}" height="${size}" href="${href}"/></svg>\n`,
)
console.log(`out/barycenter.png, .svg: ${steps ** 2} barycenters of ${n}×${n} pixels, ${iterations} iterations in all`)
