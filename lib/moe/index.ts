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
export { type DeviceLists, type Migration, migrationCost } from './migration.js'
export { type PlaceOptions, type PlaceSolution, place, placeSync } from './place.js'
export {
  type PlaceAffinityOptions,
  type PlaceAffinitySolution,
  placeAffinity,
  placeAffinitySync,
} from './place-affinity.js'
export { type Quantized, type QuantizeOptions, quantizationErrors, quantize } from './quantize.js'
export { type RouteMethod, type RouteOptions, type RouteSolution, route, routeSync } from './route.js'
export { type Routed, type Router, type RouterOptions, router } from './router.js'
export { type SyntheticTrace, type SyntheticTraceOptions, syntheticTrace } from './synthetic-trace.js'
export type { ExpertTrace } from './trace.js'
