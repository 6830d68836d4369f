import type { Command } from 'commander'
import { cacheCommand } from './cache.js'
import { placeCommand } from './place.js'
import { routeCommand } from './route.js'

/** `extrema moe …`: decisions for mixtures of experts, from files. */
export function moeCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('moe').description('mixtures of experts: route tokens, place experts, size caches')
  routeCommand(command, signal)
  placeCommand(command, signal)
  cacheCommand(command, signal)
}
