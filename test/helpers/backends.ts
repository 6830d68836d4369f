import { type BackendName, kernels } from '../../lib/backend/index.js'

/** Sanitizers look at native code only; without them both run. */
const backends: readonly BackendName[] = process.env.EXTREMA_SANITIZED ? ['native'] : ['native', 'portable']

/**
 * The same tests on both backends. A backend that is missing is a failure: a suite that passes on the other one would
 * hide it.
 */
export function forEachBackend(body: (backend: BackendName) => void): void {
  for (const backend of backends) {
    describe(`on ${backend}`, () => {
      before(`${backend} is there`, () => {
        kernels(backend)
      })
      body(backend)
    })
  }
}
