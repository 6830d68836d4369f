export { type BackendInfo, type BackendName, backend } from './backend/index.js'
export * from './core/index.js'
export * from './random/index.js'
export * from './transport/index.js'
