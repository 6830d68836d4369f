import type { RouteProblem } from './problem.js'

/** Which experts each token takes, in lists that grow. */
export class Routing {
  readonly load: Int32Array
  private readonly lists: number[][]

  constructor({ tokens, experts }: Pick<RouteProblem, 'tokens' | 'experts'>) {
    this.load = new Int32Array(experts)
    this.lists = Array.from({ length: tokens }, () => [])
  }

  /** From tokens × k experts with -1 for none. */
  static of(problem: RouteProblem, choices: Int32Array): Routing {
    const routing = new Routing(problem)
    for (let u = 0; u < choices.length; u++) if (choices[u] >= 0) routing.add(Math.floor(u / problem.k), choices[u])
    return routing
  }

  add(token: number, expert: number): void {
    this.lists[token].push(expert)
    this.load[expert]++
  }

  remove(token: number, expert: number): void {
    this.lists[token].splice(this.lists[token].indexOf(expert), 1)
    this.load[expert]--
  }

  expertsOf(token: number): readonly number[] {
    return this.lists[token]
  }

  has(token: number, expert: number): boolean {
    return this.lists[token].includes(expert)
  }

  count(token: number): number {
    return this.lists[token].length
  }

  get tokens(): number {
    return this.lists.length
  }
}
