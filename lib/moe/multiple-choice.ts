/**
 * The multiple-choice knapsack: one choice from each group, of least total loss, with total size <= budget; sizes and
 * losses are any numbers, sizes >= 0. Choices may carry marks (bits); all marks of `required` must be among those chosen.
 */
export interface MultipleChoice {
  /** For each group the sizes and losses of its choices. */
  sizes: Float64Array[]
  losses: Float64Array[]
  budget: number
  marks?: Int32Array[]
  required?: number
}

export interface Choices {
  /** For each group the choice, or none at all if the budget is too small. */
  chosen: Int32Array | undefined
  loss: number
  /** The least loss of the Lagrangian relaxation: a lower bound. */
  bound: number
}

interface Watch {
  due(): boolean
}

/** A choice from the groups so far that no other with as little size, loss and as many marks beats. */
interface State {
  size: number
  loss: number
  marks: number
  choice: number
  before: State | undefined
}

/**
 * Exact, by lists of undominated states (Nemhauser, Ullmann 1969): with whole sizes no longer than the budget. What even the
 * Lagrangian bound of the groups to come cannot make better than the best known is dropped.
 */
export function* multipleChoice(problem: MultipleChoice, monitor: Watch): Generator<void, Choices, void> {
  const { sizes, losses, budget, marks, required = 0 } = problem
  const groups = sizes.length
  const { bound, price } = lagrangian(problem)
  // rest[g]: least loss + price × size of the groups from g on.
  const rest = new Float64Array(groups + 1)
  const restSize = new Float64Array(groups + 1)
  for (let g = groups - 1; g >= 0; g--) {
    rest[g] = rest[g + 1] + bestOf(sizes[g], losses[g], price).value
    restSize[g] = restSize[g + 1] + sizes[g].reduce((least, size) => Math.min(least, size), Number.POSITIVE_INFINITY)
  }
  const slack = budget * 1e-12
  let limit = required === 0 ? greedyLoss(problem, price) : Number.POSITIVE_INFINITY
  limit += Math.abs(limit) * 1e-12
  let states: State[] = [{ size: 0, loss: 0, marks: 0, choice: -1, before: undefined }]
  for (let g = 0; g < groups; g++) {
    const next: State[] = []
    for (const before of states) {
      for (let c = 0; c < sizes[g].length; c++) {
        const size = before.size + sizes[g][c]
        const loss = before.loss + losses[g][c]
        if (size + restSize[g + 1] > budget + slack) continue
        if (loss + rest[g + 1] + price * (size - budget) > limit) continue
        next.push({ size, loss, marks: before.marks | (marks?.[g][c] ?? 0), choice: c, before })
      }
      if (monitor.due()) yield
    }
    states = undominated(next, required)
    if (monitor.due()) yield
  }
  const best = states
    .filter((state) => (state.marks & required) === required)
    .reduce<State | undefined>((a, b) => (a === undefined || b.loss < a.loss ? b : a), undefined)
  if (best === undefined) return { chosen: undefined, loss: Number.POSITIVE_INFINITY, bound }
  const chosen = new Int32Array(groups)
  let state: State = best
  for (let g = groups - 1; g >= 0; g--) {
    chosen[g] = state.choice
    state = state.before as State
  }
  return { chosen, loss: best.loss, bound: Math.min(bound, best.loss) }
}

/** Drops states that another with the same marks, or more of the required, beats. */
function undominated(states: State[], required: number): State[] {
  states.sort((a, b) => a.size - b.size || a.loss - b.loss)
  const kept: State[] = []
  const least = new Map<number, number>() // by marks
  for (const state of states) {
    const own = state.marks & required
    let beaten = false
    for (const [other, loss] of least) {
      if ((other & own) === own && loss <= state.loss) {
        beaten = true
        break
      }
    }
    if (beaten) continue
    least.set(own, state.loss)
    kept.push(state)
  }
  return kept
}

interface Best {
  choice: number
  value: number
}

function bestOf(sizes: Float64Array, losses: Float64Array, price: number): Best {
  let choice = 0
  let value = Number.POSITIVE_INFINITY
  for (let c = 0; c < sizes.length; c++) {
    const x = losses[c] + price * sizes[c]
    if (x < value || (x === value && sizes[c] < sizes[choice])) {
      value = x
      choice = c
    }
  }
  return { choice, value }
}

/** The greatest of sum_g min_c (loss + price × size) - price × budget over prices >= 0, by bisection on its slope. */
function lagrangian({ sizes, losses, budget }: MultipleChoice): { bound: number; price: number } {
  const at = (price: number) => {
    let value = -price * budget
    let size = 0
    for (let g = 0; g < sizes.length; g++) {
      const { choice, value: own } = bestOf(sizes[g], losses[g], price)
      value += own
      size += sizes[g][choice]
    }
    return { value, size }
  }
  const free = at(0)
  if (free.size <= budget) return { bound: free.value, price: 0 }
  let low = 0
  let high = 1e-9
  for (let k = 0; k < 120 && at(high).size > budget; k++) high *= 4
  for (let k = 0; k < 100; k++) {
    const middle = (low + high) / 2
    if (at(middle).size > budget) low = middle
    else high = middle
  }
  const [a, b] = [at(low), at(high)]
  return a.value > b.value ? { bound: a.value, price: low } : { bound: b.value, price: high }
}

/** What the choices at the price come to, then improved where there is room: a loss that can be reached. */
function greedyLoss({ sizes, losses, budget }: MultipleChoice, price: number): number {
  const chosen = sizes.map((list, g) => bestOf(list, losses[g], price * (1 + 1e-9)).choice)
  let size = chosen.reduce((sum, c, g) => sum + sizes[g][c], 0)
  if (size > budget) return Number.POSITIVE_INFINITY
  for (let g = 0; g < sizes.length; g++) {
    for (let c = 0; c < sizes[g].length; c++) {
      const more = sizes[g][c] - sizes[g][chosen[g]]
      if (size + more > budget || losses[g][c] >= losses[g][chosen[g]]) continue
      size += more
      chosen[g] = c
    }
  }
  return chosen.reduce((sum, c, g) => sum + losses[g][c], 0)
}
