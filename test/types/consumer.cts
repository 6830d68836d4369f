// Compiled, never run: the published types as a CommonJS user sees them.
import extrema = require('extrema')
import transport = require('extrema/transport')

export function solve(): number {
  const solution = transport.sinkhornSync({ cost: [[0, 1]] }, { epsilon: 1 })
  const value: number = solution.value
  // @ts-expect-error a misspelt option
  transport.sinkhornSync({ cost: [[0, 1]] }, { epsilon: 1, tolerence: 1e-3 })
  return value
}

export const all: typeof transport.sinkhorn = extrema.sinkhorn
