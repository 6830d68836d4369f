import type { Context } from '../lib/benchmark.js'
import { completionRace } from '../lib/completion-race.js'

export const description =
  'Matrix completion: alternating least squares against NumPy’s on dense matrices of what was observed, at equal held-out error.'

export const run = (context: Context) => completionRace('dense', context)
