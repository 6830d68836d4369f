#pragma once

#include "core/team.h"
#include "lowrank/svd.h"

namespace extrema::lowrank {

// The orthogonal factor of square matrices, row-major: of all matrices Q of spectral norm 1 the one with the
// greatest <a, Q>, which is the sum of the singular values of a. A rank-deficient a has many; it is the one
// that agrees most with `near` on what a leaves open, so it turns with a and `near`, whatever basis the SVD
// picks.
class Polar {
 public:
  Polar(size_t n, Team& team);

  // False if a was rank-deficient.
  bool factor(const double* a, const double* near, double* out);
  // Of a positive semidefinite matrix: out = a^(-1/2), eigenvalues held above `least` of the greatest.
  void inverseRoot(const double* a, double least, double* out);

 private:
  bool byProducts(const double* a, double* out);
  void gram(const double* x);
  void times(const double* x, double own, double other, double* out);
  size_t append(size_t filled, double least);

  size_t n_;
  Team& team_;
  Svd svd_;
  Aligned<double> left_, right_, product_, x_, next_, gram_, vector_, image_;
};

}  // namespace extrema::lowrank
