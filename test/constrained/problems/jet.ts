/** A value with its gradient and Hessian in n variables, for problems typed as formulas. */
export class Jet {
  constructor(
    readonly value: number,
    readonly gradient: Float64Array,
    readonly hessian: Float64Array,
  ) {}

  static variables(x: ArrayLike<number>): Jet[] {
    const n = x.length
    return Array.from(x, (value, i) => {
      const gradient = new Float64Array(n)
      gradient[i] = 1
      return new Jet(value, gradient, new Float64Array(n * n))
    })
  }

  /** φ(this), from φ and its two derivatives here. */
  private map(value: number, first: number, second: number): Jet {
    const n = this.gradient.length
    const { gradient: g } = this
    return new Jet(
      value,
      g.map((x) => first * x),
      this.hessian.map((h, k) => first * h + second * g[Math.floor(k / n)] * g[k % n]),
    )
  }

  plus(other: Jet | number): Jet {
    if (typeof other === 'number') return new Jet(this.value + other, this.gradient, this.hessian)
    return new Jet(
      this.value + other.value,
      this.gradient.map((x, i) => x + other.gradient[i]),
      this.hessian.map((x, k) => x + other.hessian[k]),
    )
  }

  minus(other: Jet | number): Jet {
    return this.plus(typeof other === 'number' ? -other : other.times(-1))
  }

  times(other: Jet | number): Jet {
    if (typeof other === 'number') return this.map(other * this.value, other, 0)
    const n = this.gradient.length
    const [a, b] = [this.gradient, other.gradient]
    return new Jet(
      this.value * other.value,
      a.map((x, i) => x * other.value + this.value * b[i]),
      this.hessian.map((h, k) => {
        const [i, j] = [Math.floor(k / n), k % n]
        return h * other.value + this.value * other.hessian[k] + a[i] * b[j] + a[j] * b[i]
      }),
    )
  }

  pow(p: number): Jet {
    const { value } = this
    return this.map(value ** p, p * value ** (p - 1), p * (p - 1) * value ** (p - 2))
  }

  exp(): Jet {
    const value = Math.exp(this.value)
    return this.map(value, value, value)
  }

  log(): Jet {
    return this.map(Math.log(this.value), 1 / this.value, -1 / this.value ** 2)
  }

  sin(): Jet {
    const [sine, cosine] = [Math.sin(this.value), Math.cos(this.value)]
    return this.map(sine, cosine, -sine)
  }

  cos(): Jet {
    const [sine, cosine] = [Math.sin(this.value), Math.cos(this.value)]
    return this.map(cosine, -sine, -cosine)
  }
}

export function sum(terms: Jet[]): Jet {
  return terms.reduce((x, y) => x.plus(y))
}
