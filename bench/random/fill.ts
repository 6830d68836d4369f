import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { kernels } from '../../lib/backend/index.js'
import type { RandomKernels } from '../../lib/backend/portable/random/kernels.js'
import type { Context, Report } from '../lib/benchmark.js'
import { environment } from '../lib/environment.js'
import type { Cell } from '../lib/table.js'
import { atLeast } from '../lib/target.js'
import { inTurns, milliseconds } from '../lib/timing.js'

export const description =
  "Filling an array with uniform and standard normal numbers on one thread, against NumPy's Philox and Math.random."

export async function run({ quick, log }: Context): Promise<Report> {
  const n = quick ? 100_000 : 1_000_000
  const repetitions = quick ? 5 : 31
  const native = kernels('native').random
  const portable = kernels('portable').random
  checkSame(native, portable, n)

  log(`NumPy, ${n} numbers`)
  const numpy = measureNumpy(n, repetitions)
  log(`this package, ${n} numbers`)
  const out = new Float64Array(n)
  const key = Uint32Array.of(1, 0)
  const counter = new Uint32Array(4)
  const fill = (random: RandomKernels, method: keyof RandomKernels) => () =>
    milliseconds(() => random[method](key, counter, out))
  const time = await inTurns(repetitions, {
    nativeUniform: fill(native, 'fillUniform'),
    nativeNormal: fill(native, 'fillNormal'),
    portableUniform: fill(portable, 'fillUniform'),
    portableNormal: fill(portable, 'fillNormal'),
    mathUniform: () => milliseconds(() => fillByMathRandom(out)),
    mathNormal: () => milliseconds(() => fillByBoxMuller(out)),
  })

  const perNumber = (ms: number) => (1e6 * ms) / n
  const row = (name: string, uniform: number, normal: number): Cell[] => [
    name,
    perNumber(uniform),
    perNumber(normal),
    numpy.uniform / uniform,
    numpy.normal / normal,
  ]
  return {
    tables: [
      {
        title: `${n} numbers, nanoseconds per number`,
        note:
          `NumPy ${numpy.numpy}: random and standard_normal (ziggurat) of Generator(Philox). Math.random has no seed; ` +
          "normals by Box and Muller's transform. Native and portable fills were equal bit for bit.",
        columns: ['', 'uniform', 'normal', 'uniform, NumPy over this', 'normal, NumPy over this'],
        rows: [
          row('native', time.nativeUniform, time.nativeNormal),
          row('portable', time.portableUniform, time.portableNormal),
          row('NumPy, Philox', numpy.uniform, numpy.normal),
          row('Math.random', time.mathUniform, time.mathNormal),
        ],
      },
    ],
    targets: [
      atLeast('uniforms, native against NumPy', numpy.uniform / time.nativeUniform, 2, '×'),
      atLeast('normals, native against NumPy', numpy.normal / time.nativeNormal, 2, '×'),
    ],
  }
}

function checkSame(native: RandomKernels, portable: RandomKernels, n: number): void {
  const key = Uint32Array.of(1, 0)
  const counter = new Uint32Array(4)
  const one = new Float64Array(n)
  const other = new Float64Array(n)
  for (const method of ['fillUniform', 'fillNormal'] as const) {
    native[method](key, counter, one)
    portable[method](key, counter, other)
    if (!Buffer.from(one.buffer).equals(Buffer.from(other.buffer))) throw new Error(`${method}: the backends differ`)
  }
}

function measureNumpy(n: number, repetitions: number): { numpy: string; uniform: number; normal: number } {
  const script = fileURLToPath(new URL('numpy_fill.py', import.meta.url))
  const python = process.env.EXTREMA_BENCH_PYTHON ?? 'python3'
  const answer = execFileSync(python, [script, String(n), String(repetitions)], { env: environment() })
  return JSON.parse(answer.toString())
}

function fillByMathRandom(out: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = Math.random()
}

function fillByBoxMuller(out: Float64Array): void {
  for (let i = 0; i + 1 < out.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - Math.random()))
    const angle = 2 * Math.PI * Math.random()
    out[i] = radius * Math.cos(angle)
    out[i + 1] = radius * Math.sin(angle)
  }
}
