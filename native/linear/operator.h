#pragma once

#include <cstdint>
#include <memory>

#include "core/aligned.h"
#include "core/team.h"

namespace extrema::linear {

// A linear map. It owns its scratch memory, so one solve uses it at a time.
class Operator {
 public:
  Operator(size_t rows, size_t columns) : rows(rows), columns(columns) {}
  virtual ~Operator() = default;

  // out = A x
  virtual void apply(const double* x, double* out, Team& team) = 0;
  // The same, and whether x is finite: out is of no use if it is not.
  virtual bool applyFinite(const double* x, double* out, Team& team);
  // out = Aᵀ x
  virtual void applyTranspose(const double* x, double* out, Team& team) = 0;
  // `count` vectors at once, the columns of row-major x and out.
  virtual void applyBlock(const double* x, double* out, size_t count, bool transpose, Team& team);
  // out = A x and x·out, for square A.
  virtual double applyDot(const double* x, double* out, Team& team);
  // apply (or applyTranspose) will be called often: worth some preparation.
  virtual void prepare(bool transpose) {
    if (!transpose) gather();
  }
  // The numbers will be read often, also by other operators on them.
  virtual void gather() {}

  const size_t rows, columns;

 private:
  Aligned<double> from_, to_;
};

// Compressed sparse rows in borrowed memory; columns ascend within a row.
struct Csr {
  size_t rows = 0, columns = 0;
  const int32_t *indptr = nullptr, *indices = nullptr;
  const double* data = nullptr;

  size_t count() const { return rows == 0 ? 0 : static_cast<size_t>(indptr[rows]); }
};

std::unique_ptr<Operator> csrOperator(const Csr& matrix);
std::unique_ptr<Operator> transposedOperator(std::unique_ptr<Operator> of);
std::unique_ptr<Operator> denseOperator(size_t rows, size_t columns, const double* data);
// Axes from the slowest to the fastest.
struct Grid {
  size_t dimensions = 0;
  size_t length[3] = {1, 1, 1};
  size_t cells() const { return length[0] * length[1] * length[2]; }
};
std::unique_ptr<Operator> constantStencil(const Grid& grid, double center, const double* couplings);
std::unique_ptr<Operator> stencilOperator(const Grid& grid, const double* center,
                                          const double* const* couplings);
std::unique_ptr<Operator> lowRankOperator(size_t n, size_t m, double scale, const double* diagonal,
                                          const double* factor);
std::unique_ptr<Operator> kroneckerOperator(std::unique_ptr<Operator> left, std::unique_ptr<Operator> right);
// Null blocks are zero.
std::unique_ptr<Operator> blockOperator(const size_t rows[2], const size_t columns[2],
                                        std::unique_ptr<Operator> blocks[4]);

}  // namespace extrema::linear
