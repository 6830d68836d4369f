/**
 * Operations on fewer numbers than this never leave TypeScript: the call into the addon would cost more than the work.
 * So scalar code and vectors of a few entries run at the speed of the portable kernels on both backends.
 */
export const smallSize = 64
