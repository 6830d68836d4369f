import type { TransportKernels } from '../../kernels.js'

// biome-ignore lint/suspicious/noExplicitAny: temporary
export const portableTransport: TransportKernels = {} as any
