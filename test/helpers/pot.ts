import { execFileSync, type StdioOptions } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { random } from './random.js'

// 200 transport problems, the same ones every time, and POT's answers to them.

export type PotProblem = { a: number[]; b: number[] } & (
  | { method: 'emd'; cost: number[][] }
  | { method: 'line'; x: number[]; y: number[]; order: number }
  | { method: 'sinkhorn'; cost: number[][]; epsilon: number }
  | { method: 'unbalanced'; cost: number[][]; epsilon: number; marginalPenalty: number }
  | { method: 'partial'; cost: number[][]; mass: number }
  | { method: 'quadratic'; cost: number[][]; gamma: number }
)

export interface PotAnswer {
  /** <C, P>, for `line` the p-th power of the distance. */
  value: number
  /** Marginals of the plan. */
  rows?: number[]
  columns?: number[]
}

export interface PotAnswers {
  pot: string
  answers: PotAnswer[]
}

const script = fileURLToPath(new URL('pot.py', import.meta.url))

/** POT's answers now, where a Python with POT is installed. */
export function askPot(problems: PotProblem[]): PotAnswers | undefined {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import ot'], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  const input = JSON.stringify(problems)
  const env = { ...process.env, OPENBLAS_NUM_THREADS: '1', OMP_NUM_THREADS: '1' }
  const stdio: StdioOptions = ['pipe', 'pipe', 'ignore']
  return JSON.parse(execFileSync('/usr/bin/python3', [script], { input, env, stdio, encoding: 'utf8' }))
}

const counts = { emd: 80, line: 30, sinkhorn: 30, unbalanced: 20, partial: 20, quadratic: 20 } as const

export function potProblems(): PotProblem[] {
  const problems: PotProblem[] = []
  for (const [method, count] of Object.entries(counts) as [keyof typeof counts, number][]) {
    for (let k = 0; k < count; k++) problems.push(potProblem(method, k))
  }
  return problems
}

function potProblem(method: keyof typeof counts, k: number): PotProblem {
  const next = random(1000 * method.length + 7 * k + method.charCodeAt(0))
  const size = () => 2 + Math.floor(28 * next())
  const [n, m] = [size(), size()]
  // A third uniform, a third with zeros, a third anything: nodes without weight are for exact methods only.
  const exact = method === 'emd' || method === 'line' || method === 'partial'
  const weights = (length: number) => {
    if (k % 3 === 0) return new Array<number>(length).fill(1 / length)
    const raw = Array.from({ length }, (_, i) => (exact && k % 3 === 1 && i % 4 === 1 ? 0 : 0.05 + next()))
    const total = raw.reduce((sum, weight) => sum + weight, 0)
    return raw.map((weight) => weight / total)
  }
  const [a, b] = [weights(n), weights(m)]
  if (method === 'line') {
    const points = (length: number) => Array.from({ length }, () => Math.round(40 * next()) / 10)
    return { method, a, b, x: points(n), y: points(m), order: [1, 2, 3][k % 3] }
  }
  const cost = costs(n, m, k, next)
  switch (method) {
    case 'emd':
      return { method, a, b, cost }
    case 'sinkhorn':
      return { method, a, b, cost, epsilon: [0.02, 0.1, 1][k % 3] }
    case 'unbalanced':
      return {
        method,
        a: a.map((weight) => weight * (0.5 + next())),
        b,
        cost,
        epsilon: [0.05, 0.3][k % 2],
        marginalPenalty: [0.2, 1, 5][k % 3],
      }
    case 'partial':
      return { method, a, b, cost, mass: 0.1 + 0.8 * next() }
    case 'quadratic':
      return { method, a, b, cost, gamma: [0.1, 1, 10][k % 3] }
  }
}

/** Uniform numbers, squared distances in the plane, or whole numbers with many ties. */
function costs(n: number, m: number, k: number, next: () => number): number[][] {
  const table = (entry: (i: number, j: number) => number) =>
    Array.from({ length: n }, (_, i) => Array.from({ length: m }, (_, j) => entry(i, j)))
  if (k % 4 === 0) return table(() => Math.floor(5 * next()))
  if (k % 4 === 1) return table(next)
  const [x, y] = [n, m].map((length) => Array.from({ length }, () => [next(), next()]))
  return table((i, j) => (x[i][0] - y[j][0]) ** 2 + (x[i][1] - y[j][1]) ** 2)
}
