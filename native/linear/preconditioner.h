#pragma once

#include <memory>

#include "linear/operator.h"

namespace extrema::linear {

// What maps a residual r to z = M⁻¹ r. Owns its scratch memory.
class Preconditioner {
 public:
  virtual ~Preconditioner() = default;
  virtual void apply(const double* r, double* z, Team& team) = 0;
  // Of M = RᵀR: z = R⁻¹ r, or with `transpose` R⁻ᵀ r. False where M has no such form.
  virtual bool applyHalf(const double* r, double* z, bool transpose, Team& team) {
    (void)r, (void)z, (void)transpose, (void)team;
    return false;
  }
};

std::unique_ptr<Preconditioner> jacobiPreconditioner(size_t n, const double* inverse);
std::unique_ptr<Preconditioner> ssorPreconditioner(const Csr& matrix, double omega);
// M = L Lᵀ, the diagonal at the end of each row of L.
std::unique_ptr<Preconditioner> triangularPreconditioner(const Csr& lower);
// M = (D + omega L) D⁻¹ (D + omega Lᵀ) / scale on a grid, D = 1 / inverse (0 for cells that are no unknowns),
// L having the couplings, from the slowest axis to the fastest, with a minus sign: constants, or arrays of
// those of each cell and the next.
std::unique_ptr<Preconditioner> constantStencilSweeps(const Grid& grid, const double* couplings, double omega,
                                                      double scale, const double* inverse);
std::unique_ptr<Preconditioner> stencilSweeps(const Grid& grid, const double* const* couplings, double omega,
                                              double scale, const double* inverse);
// M = RᵀR, R upper triangular, row-major.
std::unique_ptr<Preconditioner> upperPreconditioner(size_t n, const double* r);
// z = (I - W E⁻¹ (AW)ᵀ) M⁻¹ r + W E⁻¹ Wᵀ r, E = C Cᵀ; `inner` is M, null for the identity.
std::unique_ptr<Preconditioner> deflationPreconditioner(size_t n, size_t k, const double* vectors,
                                                        const double* images, const double* cholesky,
                                                        std::unique_ptr<Preconditioner> inner);
std::unique_ptr<Preconditioner> operatorPreconditioner(std::unique_ptr<Operator> inverse);

}  // namespace extrema::linear
