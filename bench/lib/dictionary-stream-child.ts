// Learns from as many samples as it is told, and prints marks at powers of ten; see ../lowrank/online-dictionary.ts.
import { randomOrthogonal } from '../../lib/lowrank/dictionary/start.js'
import { onlineDictionary } from '../../lib/lowrank/index.js'
import { generator } from '../../lib/random/index.js'
import { sparseSamples } from './dictionary.js'

export interface Mark {
  samples: number
  /** Bytes, after a collection. */
  resident: number
  heap: number
  /** Microseconds of a step since the mark before. */
  step: number
}

const total = Number(process.argv[2])
const [n, batch] = [16, 10]
const rng = generator(1)
const pool = sparseSamples(randomOrthogonal(n, rng), n, 0.2, 10_000, rng)
const learner = onlineDictionary({ atoms: n })
const marks: Mark[] = []
let start = performance.now()
let marked = 0

async function* batches() {
  let next = 1000
  for (let count = 0; ; count += batch) {
    // All before it has been learned when the stream is asked for more.
    if (count === next) {
      const step = ((performance.now() - start) * 1000 * batch) / (count - marked)
      globalThis.gc!()
      const { rss, heapUsed } = process.memoryUsage()
      marks.push({ samples: count, resident: rss, heap: heapUsed, step })
      marked = count
      next *= 10
      start = performance.now()
    }
    if (count >= total) return
    const first = ((count / batch) * 7919 * batch) % 10_000
    yield pool.subarray(first * n, (first + batch) * n)
  }
}

await learner.updateStream(batches(), { tolerance: 0 })
if (learner.samples !== total) throw new Error(`expected ${total} samples learned, got ${learner.samples}`)
console.log(JSON.stringify(marks))
