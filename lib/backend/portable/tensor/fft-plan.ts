/**
 * Discrete Fourier transforms of length n: decimation in frequency into factors 4, 2 and odd primes up to 31, in the
 * self-sorting arrangement of T. G. Stockham (1966); lengths with a larger prime factor as a convolution of a composite
 * length (L. I. Bluestein, IEEE Trans. Audio Electroacoust. 18 (1970), 451-455).
 */
export interface FftPlan {
  n: number
  radices: readonly number[]
  /** exp(-2πi k / n), k < n */
  cosine: Float64Array
  sine: Float64Array
  /** Room for n numbers, between passes. */
  spareRe: Float64Array
  spareIm: Float64Array
  bluestein?: Bluestein
}

/** A transform of n real numbers: for even n one of n / 2 complex numbers. */
export interface RealFftPlan {
  complex: FftPlan
  /** exp(-2πi k / n) */
  cosine: Float64Array
  sine: Float64Array
}

interface Bluestein {
  inner: FftPlan
  workRe: Float64Array
  workIm: Float64Array
  /** exp(-πi j² / n) */
  cosine: Float64Array
  sine: Float64Array
  /** The transform of its conjugate, over the length of the inner transform. */
  kernelRe: Float64Array
  kernelIm: Float64Array
}

const largestFactor = 31
/** As many as the native kernels keep. */
const mostPlans = 16
const plans = new Map<number, FftPlan>()
const realPlans = new Map<number, RealFftPlan>()

export function fftPlan(n: number): FftPlan {
  return kept(plans, n, makePlan)
}

export function realFftPlan(n: number): RealFftPlan {
  return kept(realPlans, n, () => {
    const [cosine, sine] = unitRoots(n)
    return { complex: fftPlan(n % 2 === 0 ? n / 2 : n), cosine, sine }
  })
}

/** From the map, whose last entries were used last. */
function kept<Plan>(map: Map<number, Plan>, n: number, make: (n: number) => Plan): Plan {
  const plan = map.get(n) ?? make(n)
  map.delete(n)
  map.set(n, plan)
  if (map.size > mostPlans) map.delete(map.keys().next().value as number)
  return plan
}

function makePlan(n: number): FftPlan {
  const radices = factorsOf(n)
  const smooth = (radices[radices.length - 1] ?? 1) <= largestFactor
  const [cosine, sine] = unitRoots(n)
  const room = smooth ? n : 0
  const plan: FftPlan = {
    n,
    radices: smooth ? radices : [],
    cosine,
    sine,
    spareRe: new Float64Array(room),
    spareIm: new Float64Array(room),
  }
  if (!smooth) plan.bluestein = makeBluestein(n)
  return plan
}

function factorsOf(n: number): number[] {
  const factors: number[] = []
  let rest = n
  const take = (radix: number): void => {
    for (; rest % radix === 0; rest /= radix) factors.push(radix)
  }
  take(4)
  take(2)
  for (let radix = 3; radix <= largestFactor; radix += 2) take(radix)
  if (rest > 1) factors.push(rest)
  return factors
}

/** cos and sin of -2π k / n for k < count, by angles of an eighth of a turn at most. */
function unitRoots(n: number): [cosine: Float64Array, sine: Float64Array] {
  const cosine = new Float64Array(n)
  const sine = new Float64Array(n)
  for (let k = 0; k < n; k++) {
    const eighth = Math.floor((8 * k) / n)
    const place = 8 * k - eighth * n
    const angle = (2 * Math.PI * (eighth % 2 === 1 ? n - place : place)) / (8 * n)
    const [c, s] = [Math.cos(angle), Math.sin(angle)]
    const swapped = eighth % 4 === 1 || eighth % 4 === 2
    const [x, y] = swapped ? [s, c] : [c, s]
    cosine[k] = eighth >= 2 && eighth < 6 ? -x : x
    sine[k] = eighth < 4 ? -y : y
  }
  return [cosine, sine]
}

function makeBluestein(n: number): Bluestein {
  const inner = makePlan(goodLength(2 * n - 1))
  const m = inner.n
  const [turnCosine, turnSine] = unitRoots(2 * n)
  const cosine = new Float64Array(n)
  const sine = new Float64Array(n)
  const kernelRe = new Float64Array(m)
  const kernelIm = new Float64Array(m)
  for (let j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), j++) {
    cosine[j] = turnCosine[square]
    sine[j] = turnSine[square]
    kernelRe[j] = kernelRe[(m - j) % m] = cosine[j] / m
    kernelIm[j] = kernelIm[(m - j) % m] = -sine[j] / m
  }
  transform(inner, kernelRe, kernelIm)
  return { inner, workRe: new Float64Array(m), workIm: new Float64Array(m), cosine, sine, kernelRe, kernelIm }
}

/** The smallest length from `least` on with no factors but 2, 3 and 5 that is a multiple of 4. */
function goodLength(least: number): number {
  for (let n = 4 * Math.ceil(least / 4); ; n += 4) {
    let rest = n
    for (const factor of [2, 3, 5]) while (rest % factor === 0) rest /= factor
    if (rest === 1) return n
  }
}

/** x_k <- Σ_j x_j exp(-2πi jk / n), in place. */
export function transform(plan: FftPlan, re: Float64Array, im: Float64Array): void {
  if (plan.bluestein !== undefined) {
    convolve(plan.n, plan.bluestein, re, im)
    return
  }
  const { n, radices, cosine, sine, spareRe, spareIm } = plan
  let [fromRe, fromIm, toRe, toIm] = [re, im, spareRe, spareIm]
  let done = 1
  for (const radix of radices) {
    const rest = n / (done * radix)
    for (let k = 0; k < done; k++) {
      for (let i = 0; i < rest; i++) {
        const from = i + rest * radix * k
        const to = i + rest * k
        if (radix === 4) four(fromRe, fromIm, toRe, toIm, from, rest, to, rest * done)
        else if (radix === 2) two(fromRe, fromIm, toRe, toIm, from, rest, to, rest * done)
        else odd(fromRe, fromIm, toRe, toIm, from, rest, to, rest * done, radix, plan)
        for (let q = 1; q < radix && i > 0; q++) {
          const at = to + q * rest * done
          const [c, s] = [cosine[q * done * i], sine[q * done * i]]
          const [x, y] = [toRe[at], toIm[at]]
          toRe[at] = x * c - y * s
          toIm[at] = x * s + y * c
        }
      }
    }
    ;[fromRe, fromIm, toRe, toIm] = [toRe, toIm, fromRe, fromIm]
    done *= radix
  }
  if (fromRe !== re) {
    re.set(fromRe)
    im.set(fromIm)
  }
}

type Butterfly = (
  fromRe: Float64Array,
  fromIm: Float64Array,
  toRe: Float64Array,
  toIm: Float64Array,
  from: number,
  step: number,
  to: number,
  jump: number,
) => void

const two: Butterfly = (fromRe, fromIm, toRe, toIm, from, step, to, jump) => {
  const [ar, ai, br, bi] = [fromRe[from], fromIm[from], fromRe[from + step], fromIm[from + step]]
  toRe[to] = ar + br
  toIm[to] = ai + bi
  toRe[to + jump] = ar - br
  toIm[to + jump] = ai - bi
}

const four: Butterfly = (fromRe, fromIm, toRe, toIm, from, step, to, jump) => {
  const [b, c, d] = [from + step, from + 2 * step, from + 3 * step]
  const [sr, si] = [fromRe[from] + fromRe[c], fromIm[from] + fromIm[c]]
  const [tr, ti] = [fromRe[from] - fromRe[c], fromIm[from] - fromIm[c]]
  const [ur, ui] = [fromRe[b] + fromRe[d], fromIm[b] + fromIm[d]]
  const [vr, vi] = [fromRe[b] - fromRe[d], fromIm[b] - fromIm[d]]
  toRe[to] = sr + ur
  toIm[to] = si + ui
  toRe[to + jump] = tr + vi
  toIm[to + jump] = ti - vr
  toRe[to + 2 * jump] = sr - ur
  toIm[to + 2 * jump] = si - ui
  toRe[to + 3 * jump] = tr - vi
  toIm[to + 3 * jump] = ti + vr
}

/** Outputs q and p - q of an odd radix p from sums and differences of the inputs j and p - j. */
function odd(
  fromRe: Float64Array,
  fromIm: Float64Array,
  toRe: Float64Array,
  toIm: Float64Array,
  from: number,
  step: number,
  to: number,
  jump: number,
  radix: number,
  { n, cosine, sine }: FftPlan,
): void {
  const root = n / radix
  let [totalRe, totalIm] = [0, 0]
  for (let j = 0; j < radix; j++) {
    totalRe += fromRe[from + j * step]
    totalIm += fromIm[from + j * step]
  }
  toRe[to] = totalRe
  toIm[to] = totalIm
  for (let q = 1; q <= radix >> 1; q++) {
    let [mr, mi, nr, ni] = [fromRe[from], fromIm[from], 0, 0]
    for (let j = 1; j <= radix >> 1; j++) {
      const [a, b] = [from + j * step, from + (radix - j) * step]
      const at = ((q * j) % radix) * root
      mr += cosine[at] * (fromRe[a] + fromRe[b])
      mi += cosine[at] * (fromIm[a] + fromIm[b])
      nr += sine[at] * (fromRe[a] - fromRe[b])
      ni += sine[at] * (fromIm[a] - fromIm[b])
    }
    const [first, second] = [to + q * jump, to + (radix - q) * jump]
    toRe[first] = mr - ni
    toIm[first] = mi + nr
    toRe[second] = mr + ni
    toIm[second] = mi - nr
  }
}

function convolve(n: number, bluestein: Bluestein, re: Float64Array, im: Float64Array): void {
  const { inner, workRe, workIm, cosine, sine, kernelRe, kernelIm } = bluestein
  workRe.fill(0)
  workIm.fill(0)
  for (let j = 0; j < n; j++) {
    workRe[j] = re[j] * cosine[j] - im[j] * sine[j]
    workIm[j] = re[j] * sine[j] + im[j] * cosine[j]
  }
  transform(inner, workRe, workIm)
  for (let k = 0; k < inner.n; k++) {
    const [x, y] = [workRe[k], workIm[k]]
    workRe[k] = x * kernelRe[k] - y * kernelIm[k]
    workIm[k] = x * kernelIm[k] + y * kernelRe[k]
  }
  // The inverse transform: with the parts exchanged before and after.
  transform(inner, workIm, workRe)
  for (let k = 0; k < n; k++) {
    re[k] = workRe[k] * cosine[k] - workIm[k] * sine[k]
    im[k] = workRe[k] * sine[k] + workIm[k] * cosine[k]
  }
}
