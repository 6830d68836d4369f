/**
 * The environment without the two variables that pin OpenBLAS to the kernels and cache size of some other processor:
 * a benchmark runs what the library picks for this one.
 */
export function environment(): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, ...rest } = process.env
  return rest
}

/** The same for this process; to be called before the addon is loaded. */
export function unpinBlas(): void {
  delete process.env.OPENBLAS_CORETYPE
  delete process.env.OPENBLAS_L2_SIZE
}
