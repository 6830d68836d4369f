// A net that learns the XOR of two signs: trained, interrupted, resumed from a file, exported.
//   npx tsx examples/train.ts
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { adam, schedules } from 'extrema/descent'
import { generator } from 'extrema/random'
import {
  accuracy,
  crossEntropy,
  dataLoader,
  load,
  mlp,
  namedTensors,
  openSafetensors,
  reshape,
  save,
  saveSafetensors,
  type Tensor,
  type TrainCheckpoint,
  tensor,
  train,
} from 'extrema/tensor'

/** Points of the square around 0; 1 where the signs of their coordinates differ. */
function points(count: number, seed: number): { x: Tensor; y: Int32Array } {
  const numbers = generator(seed)
    .uniform(2 * count)
    .map((u) => 2 * u - 1)
  const y = Int32Array.from({ length: count }, (_, i) => Number(numbers[2 * i] * numbers[2 * i + 1] < 0))
  return { x: reshape(tensor(numbers), [count, 2]), y }
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'extrema-'))
const model = mlp([2, 16, 16, 2], { dropout: 0.05 })
const [known, held] = [points(1000, 1), points(500, 2)]
const problem = {
  model,
  data: dataLoader(known, { batchSize: 50, shuffle: true }),
  loss: (logits: Tensor, { y }: { y: Tensor }) => crossEntropy(logits, y),
}
const options = () => ({
  optimizer: adam({ learningRate: schedules.cosine({ rate: 0.02, steps: 400 }) }),
  epochs: 20,
  validation: { data: dataLoader(held, { batchSize: 250 }) },
})

const file = path.join(folder, 'checkpoint')
const impatient = new AbortController()
await train(problem, {
  ...options(),
  signal: impatient.signal,
  onCheckpoint: async (checkpoint) => {
    await save(file, checkpoint)
    if (checkpoint.epoch === 8) impatient.abort(new Error('the power went off'))
  },
}).catch((error) => console.log(`after 8 epochs ${error.message}`))

const resume = await load<TrainCheckpoint<unknown[]>>(file)
const [rest, whole] = [await train(problem, { ...options(), resume }), await train(problem, options())]
console.log(`resumed: loss ${rest.residual} at epoch ${rest.bestEpoch}; without interruption: ${whole.residual}`)
console.log(`accuracy on other points: ${accuracy(model.apply(rest.params, held.x), held.y)}`)

const weights = path.join(folder, 'model.safetensors')
await saveSafetensors(weights, namedTensors(rest.params), { metadata: { layers: '2-16-16-2' }, dtype: 'BF16' })
const opened = await openSafetensors(weights)
console.log(opened.names.join(', '))
const [firstName] = opened.names
console.log(`${firstName}: ${opened.info(firstName).shape}, its first row in bfloat16`, [
  ...(await opened.read(firstName, { rows: [0, 1] })).data.slice(0, 4),
])
await opened.close()
await rm(folder, { recursive: true })
