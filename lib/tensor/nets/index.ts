export { type AttentionLayerOptions, type AttentionParams, attentionLayer } from './attention-layer.js'
export { type CnnOptions, cnn } from './cnn.js'
export { avgPoolLayer, type ConvLayerOptions, type ConvParams, convLayer, maxPoolLayer } from './conv-layer.js'
export {
  type BatchOf,
  type BatchSource,
  type DataLoader,
  type DataLoaderOptions,
  type Dataset,
  dataLoader,
} from './data-loader.js'
export { type DenseOptions, type DenseParams, dense } from './dense.js'
export { dropoutLayer } from './dropout-layer.js'
export { type EmbeddingParams, embeddingLayer } from './embedding-layer.js'
export {
  type FourierLayerOptions,
  type FourierParams,
  fourierLayer,
  type SpectralLayerOptions,
  type SpectralParams,
  spectralLayer,
} from './fourier-layer.js'
export {
  type Fans,
  glorot,
  he,
  type Initializer,
  type InitializerOptions,
  lecun,
  normalWeights,
  orthogonal,
} from './initializers.js'
export { type Activation, activation, flattenLayer, lambdaLayer, type NoParams } from './lambda-layer.js'
export type { Layer, LayerContext, LayerOptions, LayerState, ParamsOf } from './layer.js'
export { accuracy } from './metrics.js'
export { type MixtureParams, mixtureOfOps } from './mixture-of-ops.js'
export { type MlpOptions, mlp } from './mlp.js'
export {
  type BatchNormLayerOptions,
  batchNormLayer,
  groupNormLayer,
  layerNormLayer,
  type NormLayerOptions,
  type NormParams,
} from './norm-layer.js'
export { type ResidualParams, residual } from './residual.js'
export { sequential } from './sequential.js'
export { type SetEncoderOptions, type SetEncoderParams, setEncoder } from './set-encoder.js'
export { timeEmbedding } from './time-embedding.js'
export {
  type LossProblem,
  type ModelProblem,
  type NotFinite,
  type StepContext,
  type StepInfo,
  type TrainCheckpoint,
  type TrainEntry,
  type TrainOptions,
  type TrainProblem,
  type TrainProgress,
  type TrainSolution,
  train,
  type Validation,
} from './train.js'
export { type TransformerOptions, transformerEncoder } from './transformer-encoder.js'
