export { fromNamed, namedTensors } from './named.js'
export {
  loadSafetensors,
  openSafetensors,
  type SafetensorsDType,
  type SafetensorsFile,
  type SafetensorsReadOptions,
  type SafetensorsWriteOptions,
  saveSafetensors,
} from './safetensors.js'
export { load, save } from './save.js'
