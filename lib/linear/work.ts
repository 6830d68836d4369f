/** Whether the event loop is due: what long computations ask between their parts. */
export interface Clock {
  due(): boolean
}

/** A computation with its result. Yields where the event loop may take over. */
export type Work<T> = Generator<void, T, void>
