import { nonNegative } from '../core/options.js'

/** The setting of a leaf that most optimizers have. */
export interface DecaySettings {
  /** Default 0 unless the method says otherwise. */
  weightDecay: number
}

export function readDecay(given: Partial<DecaySettings>, fallback: DecaySettings, prefix: string): DecaySettings {
  return { weightDecay: nonNegative(`${prefix}weightDecay`, given.weightDecay, fallback.weightDecay) }
}
