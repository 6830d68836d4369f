/** A binary heap of whole numbers, the first in the order on top. */
export class Heap {
  readonly #items: number[] = []

  constructor(private readonly before: (a: number, b: number) => boolean) {}

  get size(): number {
    return this.#items.length
  }

  /** The first, if there is one. */
  peek(): number {
    return this.#items[0]
  }

  push(item: number): void {
    const items = this.#items
    let i = items.length
    items.push(item)
    while (i > 0) {
      const up = (i - 1) >> 1
      if (!this.before(item, items[up])) break
      items[i] = items[up]
      i = up
    }
    items[i] = item
  }

  pop(): number {
    const items = this.#items
    const top = items[0]
    const last = items.pop() as number
    if (items.length > 0) this.#sink(last)
    return top
  }

  /** As pop, then push. */
  replace(item: number): number {
    const top = this.#items[0]
    this.#sink(item)
    return top
  }

  #sink(item: number): void {
    const items = this.#items
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= items.length) break
      if (child + 1 < items.length && this.before(items[child + 1], items[child])) child++
      if (!this.before(items[child], item)) break
      items[i] = items[child]
      i = child
    }
    items[i] = item
  }
}
