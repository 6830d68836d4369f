#pragma once

namespace extrema {
namespace tensor {

// Special functions of one number, by the formulas of lib/backend/portable/tensor/special.ts, which names the
// sources.

// log Φ(x) of the standard normal distribution.
double logNdtr(double x);
// φ(x) / Φ(x), the derivative of logNdtr.
double inverseMills(double x);
// log |Γ(x)|
double logGamma(double x);
// The derivative of order n >= 0 of the digamma function.
double polygamma(int n, double x);

}  // namespace tensor
}  // namespace extrema
