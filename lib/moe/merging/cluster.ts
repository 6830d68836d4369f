import type { Generator as RandomGenerator } from '../../random/index.js'

export type Linkage = 'average' | 'single' | 'complete'

/** Groups 0 … groups - 1, numbered by their first member. */
function numbered(labels: ArrayLike<number>): Int32Array {
  const number = new Map<number, number>()
  return Int32Array.from(labels, (label) => {
    if (!number.has(label)) number.set(label, number.size)
    return number.get(label) as number
  })
}

/** Euclidean distances between rows. */
export function distances(features: Float64Array, count: number): Float64Array {
  const width = features.length / count
  const out = new Float64Array(count * count)
  for (let a = 0; a < count; a++) {
    for (let b = 0; b < a; b++) {
      let sum = 0
      for (let i = 0; i < width; i++) sum += (features[a * width + i] - features[b * width + i]) ** 2
      out[a * count + b] = Math.sqrt(sum)
      out[b * count + a] = out[a * count + b]
    }
  }
  return out
}

/** Merges the two nearest clusters, again and again; the update is that of Lance and Williams. */
export function hierarchical(distance: Float64Array, count: number, groups: number, linkage: Linkage): Int32Array {
  const d = distance.slice()
  const size = new Float64Array(count).fill(1)
  const label = Int32Array.from({ length: count }, (_, i) => i)
  const alive = Array.from({ length: count }, (_, i) => i)
  while (alive.length > groups) {
    let [a, b] = [alive[0], alive[1]]
    for (const i of alive) for (const j of alive) if (i < j && d[i * count + j] < d[a * count + b]) [a, b] = [i, j]
    for (const k of alive) {
      if (k === a || k === b) continue
      const [x, y] = [d[k * count + a], d[k * count + b]]
      const joined = {
        average: (size[a] * x + size[b] * y) / (size[a] + size[b]),
        single: Math.min(x, y),
        complete: Math.max(x, y),
      }[linkage]
      d[k * count + a] = joined
      d[a * count + k] = joined
    }
    size[a] += size[b]
    alive.splice(alive.indexOf(b), 1)
    for (let i = 0; i < count; i++) if (label[i] === b) label[i] = a
  }
  return numbered(label)
}

const mostSweeps = 100

/** Lloyd's algorithm from centres chosen after Arthur and Vassilvitskii (k-means++); no group stays empty. */
export function kMeans(features: Float64Array, count: number, groups: number, random: RandomGenerator): Int32Array {
  const width = features.length / count
  const row = (i: number) => features.subarray(i * width, (i + 1) * width)
  const squared = (x: Float64Array, y: Float64Array) => x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0)
  const centres = [row(random.integer(0, count)).slice()]
  while (centres.length < groups) {
    const weights = Float64Array.from({ length: count }, (_, i) => Math.min(...centres.map((c) => squared(row(i), c))))
    const isSpread = weights.some((weight) => weight > 0)
    centres.push(row(isSpread ? random.categorical(weights) : random.integer(0, count)).slice())
  }
  const label = new Int32Array(count).fill(-1)
  for (let sweep = 0; sweep < mostSweeps; sweep++) {
    let changed = false
    for (let i = 0; i < count; i++) {
      const near = centres.map((c) => squared(row(i), c))
      const best = near.indexOf(Math.min(...near))
      changed ||= best !== label[i]
      label[i] = best
    }
    fillEmpty(label, groups, (i) => squared(row(i), centres[label[i]]))
    if (!changed) break
    for (let g = 0; g < groups; g++) {
      centres[g].fill(0)
      const members = Array.from(label, (l, i) => (l === g ? i : -1)).filter((i) => i >= 0)
      for (const i of members)
        row(i).forEach((value, c) => {
          centres[g][c] += value / members.length
        })
    }
  }
  return numbered(label)
}

/** Gives each empty group what is farthest from its own centre, of a group with more than one. */
function fillEmpty(label: Int32Array, groups: number, distance: (i: number) => number): void {
  const size = new Int32Array(groups)
  for (const g of label) size[g]++
  for (let g = 0; g < groups; g++) {
    if (size[g] > 0) continue
    let farthest = -1
    for (let i = 0; i < label.length; i++) {
      if (size[label[i]] > 1 && (farthest < 0 || distance(i) > distance(farthest))) farthest = i
    }
    size[label[farthest]]--
    label[farthest] = g
    size[g] = 1
  }
}

/** Any groups, none of them empty. */
export function randomGroups(count: number, groups: number, random: RandomGenerator): Int32Array {
  const label = new Int32Array(count)
  random.permutation(count).forEach((i, rank) => {
    label[i] = rank < groups ? rank : random.integer(0, groups)
  })
  return numbered(label)
}
