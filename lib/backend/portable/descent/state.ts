import type { DescentOutputs, DescentRules } from '../../descent.js'
import type { Watch } from './flow.js'
import type { Model } from './model.js'
import type { Blocks } from './partition.js'
import { Stream } from './stream.js'
import type { Terms } from './terms.js'

/** What the rules of a descent share: the problem, the point, and the block at hand. */
export class State {
  readonly n: number
  readonly x: Float64Array
  /** The coordinates that f depends on. */
  live = new Int32Array(0)
  /** Those that blocks are drawn from: all live ones, or a working set. */
  pool = new Int32Array(0)
  /** Null with variable blocks. */
  blocks: Blocks | null = null
  capacity = 0
  block = new Int32Array(0)
  size = 0
  /** The number of a fixed block. */
  number = -1
  /** Gradient and step of the block. */
  g = new Float64Array(0)
  d = new Float64Array(0)
  /** ‖H_b‖ of fixed blocks, where a rule asks for it. */
  norms: Float64Array | null = null
  /** -1 but for short whiles, when it holds the places of coordinates within the block. */
  readonly place: Int32Array
  value = 0
  scale = 1
  readonly stream: Stream

  constructor(
    readonly model: Model,
    readonly terms: Terms,
    readonly rules: DescentRules,
    readonly out: DescentOutputs,
    readonly watch: Watch,
  ) {
    this.n = model.n
    this.x = out.x
    this.place = new Int32Array(model.n).fill(-1)
    this.stream = new Stream(rules.seed)
  }

  /** How many fixed blocks there are. */
  get count(): number {
    return this.blocks === null ? 0 : this.blocks.start.length - 1
  }

  /** Takes fixed block b. */
  take(b: number): void {
    const { start, indices } = this.blocks!
    this.number = b
    this.size = start[b + 1] - start[b]
    for (let a = 0; a < this.size; a++) this.block[a] = indices[start[b] + a]
  }

  sortBlock(): void {
    this.block.subarray(0, this.size).sort()
  }

  enter(): void {
    for (let a = 0; a < this.size; a++) this.place[this.block[a]] = a
  }

  leave(): void {
    for (let a = 0; a < this.size; a++) this.place[this.block[a]] = -1
  }
}
