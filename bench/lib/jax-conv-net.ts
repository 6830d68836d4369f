import { defaultDevice, init, jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax'
import type { Tensor } from '../../lib/tensor/index.js'
import { median } from './timing.js'

type Theirs = np.Array

/** The training step of bench/tensor/conv-net.ts in jax-js: its time and its first losses. */
export async function jaxConvNet(
  params: Tensor[],
  x: Tensor,
  labels: Int32Array,
  repetitions: number,
): Promise<{ step: number; losses: number[] }> {
  // It asks for a class that Node 20 does not have yet, to tell what came from it.
  const world = globalThis as { Float16Array?: unknown }
  world.Float16Array ??= class {}
  await init('wasm')
  defaultDevice('wasm')
  const theirs = ({ data, shape, dtype }: Tensor): Theirs =>
    np.array(data as Float64Array, { shape: [...shape], dtype: dtype === 'float32' ? np.float32 : np.float64 })
  const [batch, , side] = x.shape
  const images = theirs(x)
  const classes = params[5].size
  const targets = theirs(x)
    .mul(0)
    .sum()
    .add(nn.oneHot(np.array(labels), classes))
  const pool = (y: Theirs): Theirs => {
    const [b, c, h, w] = y.shape
    return np.max(y.reshape([b, c, h / 2, 2, w / 2, 2]), [3, 5])
  }
  const loss = ([w1, b1, w2, b2, w3, b3]: Theirs[], inputs: Theirs, wanted: Theirs): Theirs => {
    const first = pool(nn.relu(lax.convGeneralDilated(inputs, w1, [1, 1], 'SAME').add(b1)))
    const second = pool(nn.relu(lax.convGeneralDilated(first, w2, [1, 1], 'SAME').add(b2)))
    const logits = np.matmul(second.reshape([batch, (params[2].shape[0] * side * side) / 16]), w3).add(b3)
    return np.sum(nn.logSoftmax(logits, 1).mul(wanted)).mul(-1 / batch)
  }
  const update = jit((leaves: Theirs[], inputs: Theirs, wanted: Theirs): [Theirs, Theirs[]] => {
    const [value, slopes] = valueAndGrad(loss)(
      leaves.map((leaf) => leaf.ref),
      inputs,
      wanted,
    ) as [Theirs, Theirs[]]
    return [value, leaves.map((leaf, i) => leaf.sub(slopes[i].mul(0.02)))]
  })
  let leaves = params.map(theirs)
  const losses: number[] = []
  const times: number[] = []
  for (let k = 0; k <= repetitions; k++) {
    const start = performance.now()
    const [value, next] = update(leaves, images.ref, targets.ref) as [Theirs, Theirs[]]
    losses.push((await value.data())[0] as number)
    for (const leaf of next) await leaf.ref.data()
    leaves = next
    // The first one compiles.
    if (k > 0) times.push(performance.now() - start)
  }
  return { step: median(times), losses }
}
