import loadHighs, { type Highs } from 'highs'
import type { Dense } from './transport.js'

// Its types describe the CommonJS form, where the function is one level down.
const loading = (loadHighs as unknown as () => Promise<Highs>)()

export interface QuadraticProgramSolution {
  value: number
  plan: Float64Array
}

/**
 * min <C,P> + (gamma/2) sum P² with the marginals of the problem on the allowed arcs, by HiGHS; null where they have no
 * such plan. Infinite costs are no arcs either.
 */
export async function quadraticProgram(
  { n, m, cost, a, b }: Dense,
  gamma: number,
  allowed: (i: number, j: number) => boolean = () => true,
): Promise<QuadraticProgramSolution | null> {
  const highs = await loading
  const name = (i: number, j: number) => `x${i}_${j}`
  const linear: string[] = []
  const squares: string[] = []
  const rows: string[][] = Array.from({ length: n }, () => [])
  const columns: string[][] = Array.from({ length: m }, () => [])
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      const c = cost[i * m + j]
      if (c === Number.POSITIVE_INFINITY || !allowed(i, j)) continue
      linear.push(`${c < 0 ? '-' : '+'} ${Math.abs(c)} ${name(i, j)}`)
      squares.push(`${gamma} ${name(i, j)} ^2`)
      rows[i].push(name(i, j))
      columns[j].push(name(i, j))
    }
  }
  if (rows.some((names) => names.length === 0) || columns.some((names) => names.length === 0)) return null
  const constraints = [
    ...rows.map((names, i) => ` r${i}: ${names.join('\n + ')} = ${a[i]}`),
    ...columns.slice(1).map((names, k) => ` c${k + 1}: ${names.join('\n + ')} = ${b[k + 1]}`),
  ]
  const objective = `${linear.join('\n ')} + [ ${squares.join('\n + ')} ] / 2`
  const solution = highs.solve(`Minimize\n obj: ${objective}\nSubject To\n${constraints.join('\n')}\nEnd\n`)
  if (solution.Status === 'Infeasible') return null
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`)
  const plan = new Float64Array(n * m)
  for (const [key, { Primal }] of Object.entries(solution.Columns as Record<string, { Primal: number }>)) {
    const [i, j] = key.slice(1).split('_').map(Number)
    plan[i * m + j] = Primal
  }
  return { value: solution.ObjectiveValue, plan }
}

/** Optimal potentials of the sources in unregularised transport, and its value. All costs finite. */
export async function linearPotentials({ n, m, cost, a, b }: Dense): Promise<{ value: number; f: Float64Array }> {
  const highs = await loading
  const terms = Array.from(cost, (c, k) => `${c < 0 ? '-' : '+'} ${Math.abs(c)} x${k}`)
  const row = (i: number) => Array.from({ length: m }, (_, j) => `x${i * m + j}`).join('\n + ')
  const column = (j: number) => Array.from({ length: n }, (_, i) => `x${i * m + j}`).join('\n + ')
  const constraints = [
    ...Array.from(a, (weight, i) => ` r${i}: ${row(i)} = ${weight}`),
    ...Array.from(b.subarray(1), (weight, j) => ` c${j + 1}: ${column(j + 1)} = ${weight}`),
  ]
  const solution = highs.solve(`Minimize\n obj: ${terms.join('\n ')}\nSubject To\n${constraints.join('\n')}\nEnd\n`)
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`)
  const dual = new Map((solution.Rows as { Name: string; Dual: number }[]).map(({ Name, Dual }) => [Name, Dual]))
  return { value: solution.ObjectiveValue, f: Float64Array.from({ length: n }, (_, i) => dual.get(`r${i}`)!) }
}

/** All choices of k out of n numbers. */
export function choices(n: number, k: number): number[][] {
  if (k === 0) return [[]]
  return Array.from({ length: n }, (_, last) => last).flatMap((last) =>
    choices(last, k - 1).map((rest) => [...rest, last]),
  )
}

/** The best plan with at most k entries per column, by trying all supports; null if there is none. */
export async function sparsestBest(dense: Dense, gamma: number, k: number): Promise<QuadraticProgramSolution | null> {
  const { n, m } = dense
  const supports = choices(n, k)
  let best: QuadraticProgramSolution | null = null
  const chosen: number[][] = []
  const visit = async (column: number): Promise<void> => {
    if (column < m) {
      for (const support of supports) {
        chosen[column] = support
        await visit(column + 1)
      }
      return
    }
    const found = await quadraticProgram(dense, gamma, (i, j) => chosen[j].includes(i))
    if (found !== null && (best === null || found.value < best.value)) best = found
  }
  await visit(0)
  return best
}
