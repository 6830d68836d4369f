import { type BackendName, kernels } from '../../lib/backend/index.js'

/**
 * The same tests on both backends. A backend that is missing is a failure: a suite that passes on the other one would
 * hide it.
 */
export function forEachBackend(body: (backend: BackendName) => void): void {
  for (const backend of ['native', 'portable'] as const) {
    describe(`on ${backend}`, () => {
      before(`${backend} is there`, () => {
        kernels(backend)
      })
      body(backend)
    })
  }
}
