import type { TopKJob } from '../../../completion.js'
import type { Monitor, Steps } from '../../driver.js'

/** Scores a row's columns one after the other; a heap whose root is the worst keeps the best. */
export function* topK(job: TopKJob, monitor: Monitor): Steps {
  const { n, rank, k, u, v, columnBias, rows, indptr, indices, columns, scores } = job
  const size = Math.min(k, n)
  const heapScores = new Float64Array(size)
  const heapColumns = new Int32Array(size)
  const worse = (a: number, b: number) =>
    heapScores[a] < heapScores[b] || (heapScores[a] === heapScores[b] && heapColumns[a] > heapColumns[b])
  const swap = (a: number, b: number) => {
    const [score, column] = [heapScores[a], heapColumns[a]]
    heapScores[a] = heapScores[b]
    heapColumns[a] = heapColumns[b]
    heapScores[b] = score
    heapColumns[b] = column
  }
  const sink = (from: number, count: number) => {
    for (let at = from; ; ) {
      let least = at
      for (let child = 2 * at + 1; child < Math.min(2 * at + 3, count); child++) if (worse(child, least)) least = child
      if (least === at) return
      swap(at, least)
      at = least
    }
  }
  for (let query = 0; query < rows.length; query++) {
    const row = rows[query] * rank
    let seen = indptr === null ? 0 : indptr[query]
    const seenEnd = indptr === null ? 0 : indptr[query + 1]
    let count = 0
    for (let j = 0; j < n; j++) {
      if (indices !== null && seen < seenEnd && indices[seen] === j) {
        seen++
        continue
      }
      let score = columnBias === null ? 0 : columnBias[j]
      for (let c = 0; c < rank; c++) score += u[row + c] * v[j * rank + c]
      if (count < size) {
        heapScores[count] = score
        heapColumns[count++] = j
        if (count === size) for (let at = size >> 1; at >= 0; at--) sink(at, size)
      } else if (score > heapScores[0]) {
        heapScores[0] = score
        heapColumns[0] = j
        sink(0, size)
      }
    }
    if (count < size) for (let at = count >> 1; at >= 0; at--) sink(at, count)
    const out = query * k
    columns.fill(-1, out, out + k)
    scores.fill(Number.NEGATIVE_INFINITY, out, out + k)
    for (let left = count; left > 0; left--) {
      columns[out + left - 1] = heapColumns[0]
      scores[out + left - 1] = heapScores[0]
      swap(0, left - 1)
      sink(0, left - 1)
    }
    if (monitor.due()) yield
  }
}
