import { ExtremaError } from '../../../core/errors.js'
import type { DescentRules } from '../../descent.js'
import type { Flow } from './flow.js'
import { UnionFind } from './forest.js'
import type { Graph, Model } from './model.js'

/** Fixed blocks: block b is indices[start[b]] … indices[start[b + 1] - 1]. */
export interface Blocks {
  start: Int32Array
  indices: Int32Array
}

/** The live coordinates cut into blocks; null for variable blocks. */
export function* partition(rules: DescentRules, model: Model, live: Int32Array): Flow<Blocks | null> {
  const { blockSize: size } = rules
  switch (rules.partition) {
    case 'variable':
      return null
    case 'order':
      return cut(live, size)
    case 'sort':
      return cut(byDecreasing(live, model.lipschitz), size)
    case 'average':
      return cut(paired(byDecreasing(live, model.lipschitz)), size)
    case 'sort-row-sums':
      return cut(byDecreasing(live, yield* model.rowSums()), size)
    case 'average-row-sums':
      return cut(paired(byDecreasing(live, yield* model.rowSums())), size)
    case 'red-black':
      return gather(redBlack(yield* model.graph(), live, model.n), live)
    case 'colouring':
      return gather(colouring(yield* model.graph(), byDecreasing(live, model.lipschitz), model.n), live)
    case 'forests':
      return gather(forests(yield* model.graph(), byDecreasing(live, model.lipschitz), model.n), live)
    case 'combs':
      return gather(combs(rules.lattice, model.n), live)
    case 'given': {
      const isLive = new Uint8Array(model.n)
      for (const i of live) isLive[i] = 1
      const indices = rules.givenIndices.filter((i) => isLive[i] === 1)
      const start = new Int32Array(rules.givenStart.length)
      for (let b = 0; b + 1 < start.length; b++) {
        let count = 0
        for (let k = rules.givenStart[b]; k < rules.givenStart[b + 1]; k++) count += isLive[rules.givenIndices[k]]
        start[b + 1] = start[b] + count
      }
      return withoutEmpty({ start, indices })
    }
  }
}

function withoutEmpty({ start, indices }: Blocks): Blocks {
  return { start: start.filter((at, b) => b === 0 || at > start[b - 1]), indices }
}

function byDecreasing(live: Int32Array, weights: Float64Array): Int32Array {
  return live.slice().sort((i, j) => weights[j] - weights[i] || i - j)
}

/** Largest, smallest, second largest, second smallest, … */
function paired(sorted: Int32Array): Int32Array {
  return sorted.map((_, k) => sorted[k % 2 === 0 ? k / 2 : sorted.length - (k + 1) / 2])
}

/** Consecutive pieces; the last may be shorter. */
function cut(order: Int32Array, size: number): Blocks {
  const count = Math.ceil(order.length / size)
  const start = new Int32Array(count + 1)
  for (let b = 1; b <= count; b++) start[b] = Math.min(order.length, b * size)
  return { start, indices: order }
}

/** The blocks of coordinates with the same number, in ascending order within. */
function gather(numbers: Int32Array, live: Int32Array): Blocks {
  let count = 0
  for (const i of live) count = Math.max(count, numbers[i] + 1)
  const start = new Int32Array(count + 1)
  for (const i of live) start[numbers[i] + 1]++
  for (let b = 0; b < count; b++) start[b + 1] += start[b]
  const at = start.slice(0, count)
  const indices = new Int32Array(live.length)
  for (const i of live) indices[at[numbers[i]]++] = i
  return withoutEmpty({ start, indices })
}

/** The two sides of a bipartite graph. */
function redBlack({ indptr, indices }: Graph, live: Int32Array, n: number): Int32Array {
  const colour = new Int32Array(n).fill(-1)
  const queue = new Int32Array(n)
  for (const root of live) {
    if (colour[root] >= 0) continue
    colour[root] = 0
    queue[0] = root
    for (let at = 0, count = 1; at < count; at++) {
      const i = queue[at]
      for (let k = indptr[i]; k < indptr[i + 1]; k++) {
        const j = indices[k]
        if (colour[j] < 0) {
          colour[j] = 1 - colour[i]
          queue[count++] = j
        } else if (colour[j] === colour[i]) {
          throw new ExtremaError(
            'ERR_OPTION',
            `partition: expected a graph without odd cycles for 'red-black', got one through ${i} and ${j}; use 'colouring'`,
          )
        }
      }
    }
  }
  return colour
}

/** Greedy: each node takes the first colour that no neighbour has. */
function colouring({ indptr, indices }: Graph, order: Int32Array, n: number): Int32Array {
  const colour = new Int32Array(n).fill(-1)
  const takenBy = new Int32Array(n + 1).fill(-1)
  for (const i of order) {
    for (let k = indptr[i]; k < indptr[i + 1]; k++) if (colour[indices[k]] >= 0) takenBy[colour[indices[k]]] = i
    let first = 0
    while (takenBy[first] === i) first++
    colour[i] = first
  }
  return colour
}

/** Greedy: each node joins the first forest in which it closes no cycle. */
function forests({ indptr, indices }: Graph, order: Int32Array, n: number): Int32Array {
  const forest = new Int32Array(n).fill(-1)
  const sets = new UnionFind(n)
  const roots = new Int32Array(n)
  const found = new Int32Array(n)
  for (const i of order) {
    // Neighbours by forest: the roots of those in forest t must differ.
    for (let t = 0; ; t++) {
      let count = 0
      let closes = false
      for (let k = indptr[i]; k < indptr[i + 1] && !closes; k++) {
        if (forest[indices[k]] !== t) continue
        const root = sets.find(indices[k])
        if (roots[root] === i + 1) closes = true
        else found[count++] = root
        roots[root] = i + 1
      }
      for (let c = 0; c < count; c++) roots[found[c]] = 0
      if (closes) continue
      forest[i] = t
      for (let c = 0; c < count; c++) sets.unite(i, found[c])
      break
    }
  }
  return forest
}

/**
 * Two interlocking combs on a lattice: the spine of one is the first column and its teeth are the even rows, that of the
 * other the last column with the odd rows.
 */
function combs([rows, columns]: [number, number], n: number): Int32Array {
  const comb = new Int32Array(n)
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      comb[r * columns + c] = c === 0 ? 0 : c === columns - 1 ? 1 : r % 2
    }
  }
  return comb
}
