import type { Context } from '../lib/benchmark.js'
import { completionRace } from '../lib/completion-race.js'

export const description =
  'Matrix completion: alternating least squares against NumPy’s, Gram matrices line by line, at equal held-out error.'

export const run = (context: Context) => completionRace('lines', context)
