export {
  type ComplexLike,
  type ComplexTensor,
  complexAdd,
  complexDiv,
  complexMul,
  complexSub,
  conjugate,
  squaredModulus,
} from './complex.js'
export {
  applySymbol,
  type FftOptions,
  type FrequencyOptions,
  fft,
  fftFrequencies,
  type InverseFftOptions,
  ifft,
  irfft,
  rfft,
} from './fft.js'
export { modeMatmul } from './mode-matmul.js'
