import type { TensorData } from './tensor.js'

/** Fourier transforms of tensors, with real and imaginary parts in arrays of their own. As `TensorKernels`. */
export interface SpectralKernels {
  /** Along the middle axis of outer × n × inner: out_k = scale Σ_j x_j exp(-2πi jk / n). */
  fft(
    outRe: TensorData,
    outIm: TensorData,
    re: TensorData,
    im: TensorData,
    outer: number,
    n: number,
    inner: number,
    scale: number,
  ): void
  /**
   * The first ⌊n / 2⌋ + 1 modes of rows of n real numbers, those between the first and the one at n / 2 times `interior`.
   */
  rfft(
    outRe: TensorData,
    outIm: TensorData,
    x: TensorData,
    rows: number,
    n: number,
    scale: number,
    interior: number,
  ): void
  /**
   * x_j = scale Σ_k z_k exp(2πi jk / n) over all n modes of rows, of which the first ⌊n / 2⌋ + 1 are given and the others
   * are their conjugates; those between the first and the one at n / 2 count `interior` times. The imaginary parts of those
   * two are not read.
   */
  irfft(out: TensorData, re: TensorData, im: TensorData, rows: number, n: number, scale: number, interior: number): void
  /**
   * Complex products mode by mode: out[p, q, :] = Σ_r A[p, r, :] B[r, q, :]. With `transpose` the first two axes of a
   * factor lie the other way round in memory.
   */
  modeProduct(
    outRe: TensorData,
    outIm: TensorData,
    aRe: TensorData,
    aIm: TensorData,
    bRe: TensorData,
    bIm: TensorData,
    p: number,
    q: number,
    r: number,
    modes: number,
    transposeA: boolean,
    transposeB: boolean,
    conjugateA: boolean,
    conjugateB: boolean,
  ): void
}
