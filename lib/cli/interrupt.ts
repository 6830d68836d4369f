import { isatty } from 'node:tty'
import { exitCode } from './errors.js'

/** Ctrl-C, `kill` and a terminal that is closed abort the command in an orderly way; a second one ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController()
  #exitCode: number | undefined

  constructor() {
    process.on('SIGINT', this.#onInterrupt)
    process.on('SIGTERM', this.#onTerminate)
    // Without a terminal it may be ignored on purpose, as by nohup.
    if (isatty(0)) process.on('SIGHUP', this.#onHangUp)
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
    process.off('SIGHUP', this.#onHangUp)
  }

  readonly #onInterrupt = () => this.#abort(exitCode.interrupted)
  readonly #onTerminate = () => this.#abort(exitCode.terminated)
  readonly #onHangUp = () => this.#abort(exitCode.terminated)

  #abort(code: number): void {
    // Not by the signal itself, so that what has to end with the process does.
    if (this.#exitCode !== undefined) process.exit(code)
    this.#exitCode = code
    this.#controller.abort()
  }
}
