import type { Work } from '../../lib/backend/portable/work.js'

/** A clock that always says it is time, and how often it was looked at. */
export function counting() {
  let looks = 0
  const due = () => {
    looks++
    return true
  }
  return { watch: { due, expired: () => false, progress: () => {} }, looks: () => looks }
}

/** Runs a part of a kernel to its end. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next()
    if (done) return value
  }
}
