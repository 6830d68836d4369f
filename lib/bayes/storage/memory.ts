import type { Storage } from './storage.js'

/** Records that live as long as the study. */
export function memory(): Storage {
  let fresh: string[] = []
  return {
    async append(record) {
      fresh.push(record)
    },
    async flush() {},
    async read() {
      const records = fresh
      fresh = []
      return records
    },
    async close() {},
  }
}
