import { type Optimizer, Tensor } from '../../lib/tensor/index.js'

/** The tensors of a tree, in order. */
export function leavesOf(tree: unknown): Tensor[] {
  if (tree instanceof Tensor) return [tree]
  return Object.values(tree as object).flatMap(leavesOf)
}

/** v ← beta v + g, x ← x - rate v, in plain loops. */
export function momentum(rate: number, beta = 0.9): Optimizer {
  let velocities: (Float64Array | Float32Array)[] = []
  const optimizer = {
    learningRate: rate,
    steps: 0,
    step(params: object, gradients: object): void {
      const [x, g] = [leavesOf(params), leavesOf(gradients)]
      if (velocities.length === 0) velocities = x.map(({ data }) => (data as Float64Array).map(() => 0))
      x.forEach(({ data }, k) => {
        for (let i = 0; i < data.length; i++) {
          velocities[k][i] = beta * velocities[k][i] + g[k].data[i]
          data[i] -= optimizer.learningRate * velocities[k][i]
        }
      })
      optimizer.steps++
    },
    state: () => ({
      header: { method: 'momentum', steps: optimizer.steps, leaves: [], slots: ['velocity'] },
      arrays: velocities.map((v) => v.slice()),
    }),
    restore(state: { header: { steps: number }; arrays: (Float64Array | Float32Array)[] }): void {
      optimizer.steps = state.header.steps
      velocities = state.arrays.map((v) => v.slice())
    },
  }
  return optimizer
}
