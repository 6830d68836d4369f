// What sparse Newton steps after sweeps go by, with kept and with penalised marginals. Twin of native/transport/newton-limits.h.

/** Of all stages but the last. */
export const stageTolerance = 1e-2
/** At most, of all stages but the last. */
export const stageIterations = 30
export const entrySweeps = 3
export const fallbackSweeps = 5
export const denseSweeps = 2
/** At most, of a warm start in the stage that begins with it. */
export const warmError = 0.2
/** Of sweeps to wait for: Newton with the whole plan takes about as long. */
export const mostBlocks = 10
/** Of the Newton direction, at most. */
export const mostInexactness = 0.1
export const mostConjugateGradients = 2000
export const mostShifts = 6
export const leastStep = 1 / 32
export const leastShiftedStep = 1 / 8
