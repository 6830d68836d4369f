export {
  type AllocateBitsOptions,
  type AllocateBitsSolution,
  allocateBits,
  allocateBitsSync,
} from './allocate-bits.js'
export {
  type AllocateSlotsOptions,
  type AllocateSlotsSolution,
  allocateSlots,
  allocateSlotsSync,
  missCurves,
} from './allocate-slots.js'
export { type CacheOptions, type CachePolicy, type CacheSolution, cache, cacheSync } from './cache.js'
export { type MergedExpert, type MergeOptions, type MergeSolution, type MlpExpert, merge, mergeSync } from './merge.js'
export { type DeviceLists, type Migration, migrationCost } from './migration.js'
export {
  type MoeLayer,
  type MoeLayerOptions,
  type MoeOutput,
  type MoeParams,
  type MoeRun,
  moeLayer,
} from './moe-layer.js'
export { type PlaceOptions, type PlaceSolution, place, placeSync } from './place.js'
export {
  type PlaceAffinityOptions,
  type PlaceAffinitySolution,
  placeAffinity,
  placeAffinitySync,
} from './place-affinity.js'
export { type PrefetchOptions, type PrefetchSets, type PrefetchSolution, prefetch, prefetchSync } from './prefetch.js'
export { type PruneLayer, type PruneOptions, type PruneSolution, prune, pruneSync } from './prune.js'
export { type Quantized, type QuantizeOptions, quantizationErrors, quantize } from './quantize.js'
export { type RouteMethod, type RouteOptions, type RouteSolution, route, routeSync } from './route.js'
export { type Routed, type Router, type RouterOptions, router } from './router.js'
export { type SimulateOptions, type SimulateSolution, simulate, simulateSync } from './simulate.js'
export { type SkipOptions, type SkipThreshold, skipThreshold } from './skip-threshold.js'
export { type SyntheticTrace, type SyntheticTraceOptions, syntheticTrace } from './synthetic-trace.js'
export { type TinyMoe, type TinyMoeOptions, type TinyMoeParams, tinyMoe } from './tiny-moe.js'
export type { ExpertTrace } from './trace.js'
