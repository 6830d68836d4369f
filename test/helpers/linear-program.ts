import loadHighs, { type Highs } from 'highs'
import type { Dense } from './transport.js'

// Its types describe the CommonJS form, where the function is one level down.
const loading = (loadHighs as unknown as () => Promise<Highs>)()

export interface LinearProgramSolution {
  value: number
  plan: Float64Array
}

/** Unregularised transport by HiGHS, an LP solver that knows nothing of transport. Infinite costs: no such variable. */
export async function linearProgram({ n, m, cost, a, b }: Dense): Promise<LinearProgramSolution> {
  const highs = await loading
  const name = (i: number, j: number) => `x${i}_${j}`
  const allowed = (i: number, j: number) => cost[i * m + j] < Number.POSITIVE_INFINITY
  const terms: string[] = []
  const rows: string[][] = Array.from({ length: n }, () => [])
  const columns: string[][] = Array.from({ length: m }, () => [])
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (!allowed(i, j)) continue
      const c = cost[i * m + j]
      terms.push(`${c < 0 ? '-' : '+'} ${Math.abs(c)} ${name(i, j)}`)
      rows[i].push(name(i, j))
      columns[j].push(name(i, j))
    }
  }
  // One of the equations follows from the others; leaving it out spares HiGHS the rounding of b's total.
  const constraints = [
    ...rows.map((names, i) => ` r${i}: ${names.join('\n + ')} = ${a[i]}`),
    ...columns.slice(1).map((names, k) => ` c${k + 1}: ${names.join('\n + ')} = ${b[k + 1]}`),
  ]
  const text = `Minimize\n obj: ${terms.join('\n ')}\nSubject To\n${constraints.join('\n')}\nEnd\n`
  const solution = highs.solve(text)
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`)
  const plan = new Float64Array(n * m)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (allowed(i, j)) plan[i * m + j] = (solution.Columns[name(i, j)] as { Primal: number }).Primal
    }
  }
  return { value: solution.ObjectiveValue, plan }
}

/** The least cost of an assignment, by trying all of them; each carries 1/n per arc. For n <= 8. */
export function bestAssignment(cost: Float64Array, n: number): number {
  let best = Number.POSITIVE_INFINITY
  const visit = (row: number, used: number, sum: number) => {
    if (row === n) {
      best = Math.min(best, sum)
      return
    }
    for (let j = 0; j < n; j++) if ((used >> j) % 2 === 0) visit(row + 1, used | (1 << j), sum + cost[row * n + j])
  }
  visit(0, 0, 0)
  return best / n
}
