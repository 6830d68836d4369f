import type { DictionaryKernels } from '../../lowrank-dictionary.js'
import { portableKernel } from '../driver.js'
import { codes } from './dictionary-gradient.js'
import { learnOffline } from './offline-dictionary.js'
import { learnOnline, measureGap } from './online-dictionary.js'
import { Polar } from './polar.js'

export const portableDictionary: DictionaryKernels = {
  online: portableKernel(learnOnline),
  offline: portableKernel(learnOffline),
  gap: portableKernel(measureGap),
  codes: portableKernel(codes),
  polar: portableKernel(function* ({ n, matrix, near, out, report }, monitor) {
    report[0] = (yield* new Polar(n, monitor).factor(matrix, near, out)) ? 1 : 0
  }),
}
