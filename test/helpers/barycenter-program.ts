import loadHighs, { type Highs } from 'highs'

// Its types describe the CommonJS form, where the function is one level down.
const loading = (loadHighs as unknown as () => Promise<Highs>)()

/** The least sum_k lambda_k <C, P_k> over plans P_k from the histograms a_k to one and the same histogram, by HiGHS. */
export async function barycenterProgram(cost: number[][], histograms: number[][], weights: number[]): Promise<number> {
  const highs = await loading
  const n = cost.length
  const places = Array.from({ length: n }, (_, i) => i)
  const terms: string[] = []
  const constraints: string[] = []
  histograms.forEach((a, k) => {
    const name = (i: number, j: number) => `x${k}_${i}_${j}`
    for (const i of places) {
      for (const j of places) terms.push(`+ ${weights[k] * cost[i][j]} ${name(i, j)}`)
      constraints.push(`r${k}_${i}: ${places.map((j) => name(i, j)).join(' + ')} = ${a[i]}`)
    }
    for (const j of places.slice(1)) {
      constraints.push(`c${k}_${j}: ${places.map((i) => name(i, j)).join(' + ')} - b${j} = 0`)
    }
  })
  const text = `Minimize\n obj: ${terms.join('\n ')}\nSubject To\n ${constraints.join('\n ')}\nEnd\n`
  const solution = highs.solve(text)
  if (solution.Status !== 'Optimal') throw new Error(`HiGHS: ${solution.Status}`)
  return solution.ObjectiveValue
}
