import { expect } from 'chai'
import * as t from '../../../lib/tensor/index.js'
import { expectError } from '../../helpers/errors.js'

const x = t.reshape(t.arange(0, 30), [10, 3])
const y = Int32Array.from({ length: 10 }, (_, i) => i)

describe('dataLoader', () => {
  it('gives every sample once an epoch, with what belongs to it', () => {
    const loader = t.dataLoader({ x, y }, { batchSize: 4, shuffle: true, seed: 5 })
    expect([loader.batches, loader.samples]).to.deep.equal([3, 10])
    const orders = [0, 1, 2].map((epoch) => {
      const seen: number[] = []
      for (const batch of loader.epoch(epoch)) {
        expect(batch.y.dtype).to.equal('int32')
        expect(batch.x.shape).to.deep.equal([batch.y.size, 3])
        for (let i = 0; i < batch.y.size; i++) {
          expect([...batch.x.data.slice(3 * i, 3 * i + 3)]).to.deep.equal([0, 1, 2].map((k) => 3 * batch.y.data[i] + k))
        }
        seen.push(...batch.y.data)
      }
      expect([...seen].sort((a, b) => a - b)).to.deep.equal([...y])
      return seen.join()
    })
    expect(new Set([...orders, [...y].join()]).size).to.equal(4)
  })

  it('depends on seed, epoch and place alone', () => {
    const make = (seed: number) => t.dataLoader({ y }, { batchSize: 3, shuffle: true, seed })
    const [one, other] = [make(1), make(1)]
    const late = [...other.batch(7, 2).y.data]
    for (let epoch = 0; epoch < 7; epoch++) one.batch(epoch, 0)
    expect([...one.batch(7, 2).y.data]).to.deep.equal(late)
    expect([...one.indices(7, 2)]).to.deep.equal(late)
    expect([...make(2).batch(7, 2).y.data]).to.not.deep.equal(late)
  })

  it('keeps the order without shuffling, and leaves the rest out on demand', () => {
    const plain = t.dataLoader({ x, y }, { batchSize: 4 })
    expect([...plain.epoch()].map((batch) => [...batch.y.data])).to.deep.equal([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ])
    const even = t.dataLoader({ x, y }, { batchSize: 4, dropLast: true })
    expect(even.batches).to.equal(2)
    expect([...even.indices(0, 1)]).to.deep.equal([4, 5, 6, 7])
  })

  it('refuses what does not fit', () => {
    expectError(
      () => t.dataLoader({ x, y: y.slice(1) }, { batchSize: 2 }),
      'ERR_SHAPE',
      /data.y: expected 10 samples as in x, got 9/,
    )
    expectError(() => t.dataLoader({}, { batchSize: 2 }), 'ERR_SHAPE', /data: expected at least one array, got none/)
    expectError(() => t.dataLoader({ x }, { batchSize: 0 }), 'ERR_OPTION', /batchSize/)
    expectError(
      () => t.dataLoader({ x }, { batchSize: 20, dropLast: true }),
      'ERR_SHAPE',
      /at least a batch of 20, got 10/,
    )
    expectError(
      () => t.dataLoader({ x }, { batchSize: 2 }).batch(0, 5),
      'ERR_OPTION',
      /index: expected a batch from 0 to 4, got 5/,
    )
    expectError(
      () => t.dataLoader({ x: [1, 2] as unknown as t.Tensor }, { batchSize: 1 }),
      'ERR_SHAPE',
      /data.x: expected a tensor/,
    )
  })
})
