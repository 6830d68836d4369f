import { codeOf, MissingPeerError } from '../errors.js'

/** Loads optional packages, or says how to install them. */
export async function loadPeers<T>(purpose: string, packages: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if (codeOf(cause) !== 'ERR_MODULE_NOT_FOUND' && codeOf(cause) !== 'MODULE_NOT_FOUND') throw cause
    throw new MissingPeerError(`${purpose} needs packages that are not installed: npm install ${packages}`, { cause })
  }
}
