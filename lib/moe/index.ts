export { type RouteMethod, type RouteOptions, type RouteSolution, route, routeSync } from './route.js'
export { type Routed, type Router, type RouterOptions, router } from './router.js'
export { type SyntheticTrace, type SyntheticTraceOptions, syntheticTrace } from './synthetic-trace.js'
export type { ExpertTrace } from './trace.js'
