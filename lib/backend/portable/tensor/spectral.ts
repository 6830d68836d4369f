import type { TensorData } from '../../tensor.js'
import type { SpectralKernels } from '../../tensor-spectral.js'
import { fftPlan, realFftPlan, transform } from './fft-plan.js'

export const portableSpectral: SpectralKernels = { fft, rfft, irfft, modeProduct }

function fft(
  outRe: TensorData,
  outIm: TensorData,
  re: TensorData,
  im: TensorData,
  outer: number,
  n: number,
  inner: number,
  scale: number,
): void {
  const plan = fftPlan(n)
  const lineRe = new Float64Array(n)
  const lineIm = new Float64Array(n)
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < inner; j++) {
      const start = o * n * inner + j
      for (let t = 0; t < n; t++) {
        lineRe[t] = re[start + t * inner]
        lineIm[t] = im[start + t * inner]
      }
      transform(plan, lineRe, lineIm)
      for (let t = 0; t < n; t++) {
        outRe[start + t * inner] = scale * lineRe[t]
        outIm[start + t * inner] = scale * lineIm[t]
      }
    }
  }
}

/** For even n = 2h by a transform Z of x_2t + i x_2t+1: X_k = E + exp(-2πi k / n) O, see native/tensor/fft.cc. */
function rfft(
  outRe: TensorData,
  outIm: TensorData,
  x: TensorData,
  rows: number,
  n: number,
  scale: number,
  interior: number,
): void {
  const even = n % 2 === 0
  const h = n >> 1
  const { complex: plan, cosine, sine } = realFftPlan(n)
  const zRe = new Float64Array(plan.n)
  const zIm = new Float64Array(plan.n)
  const between = scale * interior
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * n, row * (h + 1)]
    for (let t = 0; t < plan.n; t++) {
      zRe[t] = even ? x[from + 2 * t] : x[from + t]
      zIm[t] = even ? x[from + 2 * t + 1] : 0
    }
    transform(plan, zRe, zIm)
    outRe[to] = scale * (even ? zRe[0] + zIm[0] : zRe[0])
    outIm[to] = 0
    if (!even) {
      for (let k = 1; k <= h; k++) {
        outRe[to + k] = between * zRe[k]
        outIm[to + k] = between * zIm[k]
      }
      continue
    }
    outRe[to + h] = scale * (zRe[0] - zIm[0])
    outIm[to + h] = 0
    for (let k = 1; k < h; k++) {
      const [zr, zi, yr, yi] = [zRe[k], zIm[k], zRe[h - k], zIm[h - k]]
      const [oddRe, oddIm] = [(zi + yi) / 2, (yr - zr) / 2]
      outRe[to + k] = between * ((zr + yr) / 2 + cosine[k] * oddRe - sine[k] * oddIm)
      outIm[to + k] = between * ((zi - yi) / 2 + cosine[k] * oddIm + sine[k] * oddRe)
    }
  }
}

function irfft(
  out: TensorData,
  re: TensorData,
  im: TensorData,
  rows: number,
  n: number,
  scale: number,
  interior: number,
): void {
  const even = n % 2 === 0
  const h = n >> 1
  const { complex: plan, cosine, sine } = realFftPlan(n)
  const zRe = new Float64Array(plan.n)
  const zIm = new Float64Array(plan.n)
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * (h + 1), row * n]
    if (even) {
      const [first, last] = [re[from], re[from + h]]
      zRe[0] = first + last
      zIm[0] = first - last
      for (let k = 1; k < h; k++) {
        const [xr, xi, yr, yi] = [re[from + k], im[from + k], re[from + h - k], im[from + h - k]]
        const [tr, ti] = [xr - yr, xi + yi]
        zRe[k] = interior * (xr + yr + sine[k] * tr - cosine[k] * ti)
        zIm[k] = interior * (xi - yi + sine[k] * ti + cosine[k] * tr)
      }
    } else {
      zRe[0] = re[from]
      zIm[0] = 0
      for (let k = 1; k <= h; k++) {
        zRe[k] = zRe[n - k] = interior * re[from + k]
        zIm[k] = interior * im[from + k]
        zIm[n - k] = -zIm[k]
      }
    }
    // The inverse transform: with the parts exchanged before and after.
    transform(plan, zIm, zRe)
    for (let t = 0; t < plan.n; t++) {
      if (even) {
        out[to + 2 * t] = scale * zRe[t]
        out[to + 2 * t + 1] = scale * zIm[t]
      } else {
        out[to + t] = scale * zRe[t]
      }
    }
  }
}

function modeProduct(
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
): void {
  const [signA, signB] = [conjugateA ? -1 : 1, conjugateB ? -1 : 1]
  const sumRe = new Float64Array(modes)
  const sumIm = new Float64Array(modes)
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < q; j++) {
      sumRe.fill(0)
      sumIm.fill(0)
      for (let k = 0; k < r; k++) {
        const a = (transposeA ? k * p + i : i * r + k) * modes
        const b = (transposeB ? j * r + k : k * q + j) * modes
        for (let m = 0; m < modes; m++) {
          const [ar, ai] = [aRe[a + m], signA * aIm[a + m]]
          const [br, bi] = [bRe[b + m], signB * bIm[b + m]]
          sumRe[m] += ar * br - ai * bi
          sumIm[m] += ar * bi + ai * br
        }
      }
      outRe.set(sumRe, (i * q + j) * modes)
      outIm.set(sumIm, (i * q + j) * modes)
    }
  }
}
