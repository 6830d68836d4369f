#include <cblas.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "linear/csr.h"
#include "linear/preconditioner.h"
#include "linear/sweeps.h"
#include "linear/triangular.h"
#include "linear/vectors.h"

namespace extrema::linear {

namespace {

class Jacobi final : public Preconditioner {
 public:
  Jacobi(size_t n, const double* inverse) : n_(n), inverse_(inverse) {}
  void apply(const double* r, double* z, Team& team) override {
    Vectors(n_, team).forEach([=](size_t from, size_t to) {
      for (size_t i = from; i < to; i++) z[i] = inverse_[i] * r[i];
    });
  }

 private:
  size_t n_;
  const double* inverse_;
};

class Ssor final : public Preconditioner {
 public:
  Ssor(const Csr& matrix, double omega) : split_(matrix, true), omega_(omega) {}
  void apply(const double* r, double* z, Team& team) override {
    split_.forward(r, omega_ * (2 - omega_), omega_, z, team);
    split_.backward(z, omega_, z, team);
  }

 private:
  Split split_;
  double omega_;
};

class Triangular final : public Preconditioner {
 public:
  explicit Triangular(const Csr& lower)
      : upper_(transposed(lower)), inverse_(lower.rows), diagonal_(lower.rows), after_(lower.rows) {
    for (size_t i = 0; i < lower.rows; i++) {
      diagonal_[i] = lower.indptr[i + 1] - 1;
      after_[i] = upper_.indptr[i] + 1;
      inverse_[i] = 1 / lower.data[diagonal_[i]];
    }
    forward_ = std::make_unique<TriangularSweep>(lower, lower.indptr, diagonal_.data(), false);
    backward_ = std::make_unique<TriangularSweep>(upper_.view(lower.rows, lower.rows), after_.data(),
                                                  upper_.indptr.data() + 1, true);
  }
  void apply(const double* r, double* z, Team& team) override {
    forward_->scaled(r, 1, 1, inverse_.data(), z, team);
    backward_->scaled(z, 1, 1, inverse_.data(), z, team);
  }

 private:
  CsrMemory upper_;
  std::vector<double> inverse_;
  std::vector<int32_t> diagonal_, after_;
  std::unique_ptr<TriangularSweep> forward_, backward_;
};

class Upper final : public Preconditioner {
 public:
  Upper(size_t n, const double* r) : n_(n), r_(r) {}
  void apply(const double* r, double* z, Team& team) override {
    applyHalf(r, z, true, team);
    applyHalf(z, z, false, team);
  }
  bool applyHalf(const double* r, double* z, bool transpose, Team&) override {
    if (z != r) std::copy_n(r, n_, z);
    cblas_dtrsv(CblasRowMajor, CblasUpper, transpose ? CblasTrans : CblasNoTrans, CblasNonUnit,
                static_cast<int>(n_), r_, static_cast<int>(n_), z, 1);
    return true;
  }

 private:
  size_t n_;
  const double* r_;
};

class Deflation final : public Preconditioner {
 public:
  Deflation(size_t n, size_t k, const double* vectors, const double* images, const double* cholesky,
            std::unique_ptr<Preconditioner> inner)
      : n_(n),
        k_(k),
        vectors_(vectors),
        images_(images),
        cholesky_(cholesky),
        inner_(std::move(inner)),
        coarse_(k) {}

  void apply(const double* r, double* z, Team& team) override {
    Vectors v(n_, team);
    if (inner_) {
      inner_->apply(r, z, team);
    } else {
      v.copy(r, z);
    }
    // W E⁻¹ (Wᵀ r - (AW)ᵀ M⁻¹ r)
    for (size_t j = 0; j < k_; j++) coarse_[j] = v.dot(vectors_ + j * n_, r) - v.dot(images_ + j * n_, z);
    for (const auto transpose : {CblasNoTrans, CblasTrans})
      cblas_dtrsv(CblasRowMajor, CblasLower, transpose, CblasNonUnit, static_cast<int>(k_), cholesky_,
                  static_cast<int>(k_), coarse_.data(), 1);
    for (size_t j = 0; j < k_; j++) v.axpy(coarse_[j], vectors_ + j * n_, z);
  }

 private:
  size_t n_, k_;
  const double *vectors_, *images_, *cholesky_;
  std::unique_ptr<Preconditioner> inner_;
  std::vector<double> coarse_;
};

class Inverse final : public Preconditioner {
 public:
  explicit Inverse(std::unique_ptr<Operator> inverse) : inverse_(std::move(inverse)) {
    inverse_->prepare(false);
  }
  void apply(const double* r, double* z, Team& team) override { inverse_->apply(r, z, team); }

 private:
  std::unique_ptr<Operator> inverse_;
};

}  // namespace

std::unique_ptr<Preconditioner> jacobiPreconditioner(size_t n, const double* inverse) {
  return std::make_unique<Jacobi>(n, inverse);
}
std::unique_ptr<Preconditioner> ssorPreconditioner(const Csr& matrix, double omega) {
  return std::make_unique<Ssor>(matrix, omega);
}
std::unique_ptr<Preconditioner> triangularPreconditioner(const Csr& lower) {
  return std::make_unique<Triangular>(lower);
}
std::unique_ptr<Preconditioner> upperPreconditioner(size_t n, const double* r) {
  return std::make_unique<Upper>(n, r);
}
std::unique_ptr<Preconditioner> deflationPreconditioner(size_t n, size_t k, const double* vectors,
                                                        const double* images, const double* cholesky,
                                                        std::unique_ptr<Preconditioner> inner) {
  return std::make_unique<Deflation>(n, k, vectors, images, cholesky, std::move(inner));
}
std::unique_ptr<Preconditioner> operatorPreconditioner(std::unique_ptr<Operator> inverse) {
  return std::make_unique<Inverse>(std::move(inverse));
}

}  // namespace extrema::linear
