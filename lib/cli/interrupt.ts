import { exitCode } from './errors.js'

/** Ctrl-C and `kill` abort the command in an orderly way; a second one ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController()
  #exitCode: number | undefined

  constructor() {
    process.once('SIGINT', this.#onInterrupt)
    process.once('SIGTERM', this.#onTerminate)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The exit code after a signal, else undefined. */
  get exitCode(): number | undefined {
    return this.#exitCode
  }

  dispose(): void {
    process.off('SIGINT', this.#onInterrupt)
    process.off('SIGTERM', this.#onTerminate)
  }

  readonly #onInterrupt = () => this.#abort(exitCode.interrupted)
  readonly #onTerminate = () => this.#abort(exitCode.terminated)

  #abort(code: number): void {
    this.#exitCode = code
    this.#controller.abort()
  }
}
