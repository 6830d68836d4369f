#include "binding/linear-arguments.h"

namespace extrema {

using linear::Operator;
using linear::Preconditioner;

Decoder::Decoder(const Napi::Value& numbers, const Napi::Value& arrays)
    : numbers_(float64s(numbers).data), arrays_(arrays.As<Napi::Array>()) {}

const double* Decoder::doubles() { return float64s(arrays_.Get(next_++)).data; }
const int32_t* Decoder::ints() { return int32s(arrays_.Get(next_++)).data; }

linear::Csr Decoder::csr() {
  linear::Csr matrix;
  matrix.rows = size();
  matrix.columns = size();
  matrix.indptr = ints();
  matrix.indices = ints();
  matrix.data = doubles();
  return matrix;
}

linear::Grid Decoder::grid() {
  linear::Grid grid;
  grid.dimensions = size();
  for (size_t k = 0; k < grid.dimensions; k++) grid.length[k] = size();
  return grid;
}

std::array<double, 3> Decoder::constants(size_t count) {
  std::array<double, 3> out{};
  for (size_t k = 0; k < count; k++) out[k] = number();
  return out;
}

std::array<const double*, 3> Decoder::fields(size_t count) {
  std::array<const double*, 3> out{};
  for (size_t k = 0; k < count; k++) out[k] = doubles();
  return out;
}

MakeOperator Decoder::anOperator() {
  enum Kind { kNone, kCsr, kTransposed, kDense, kConstantStencil, kStencil, kLowRank, kKronecker, kBlock };
  switch (static_cast<Kind>(size())) {
    case kNone:
      return [] { return std::unique_ptr<Operator>(); };
    case kCsr: {
      const linear::Csr matrix = csr();
      return [=] { return linear::csrOperator(matrix); };
    }
    case kTransposed: {
      const MakeOperator of = anOperator();
      return [=] { return linear::transposedOperator(of()); };
    }
    case kDense: {
      const size_t rows = size(), columns = size();
      const double* data = doubles();
      return [=] { return linear::denseOperator(rows, columns, data); };
    }
    case kConstantStencil: {
      const linear::Grid grid = this->grid();
      const double center = number();
      const std::array<double, 3> couplings = constants(grid.dimensions);
      return [=] { return linear::constantStencil(grid, center, couplings.data()); };
    }
    case kStencil: {
      const linear::Grid grid = this->grid();
      const double* center = doubles();
      const std::array<const double*, 3> couplings = fields(grid.dimensions);
      return [=] { return linear::stencilOperator(grid, center, couplings.data()); };
    }
    case kLowRank: {
      const size_t n = size(), m = size();
      const double scale = number();
      const double* diagonal = doubles();
      const double* factor = doubles();
      return [=] { return linear::lowRankOperator(n, m, scale, diagonal, factor); };
    }
    case kKronecker: {
      const MakeOperator left = anOperator(), right = anOperator();
      return [=] { return linear::kroneckerOperator(left(), right()); };
    }
    case kBlock: {
      std::array<size_t, 2> rows, columns;
      for (size_t& height : rows) height = size();
      for (size_t& width : columns) width = size();
      std::array<MakeOperator, 4> blocks;
      for (auto& block : blocks) block = anOperator();
      return [=] {
        std::unique_ptr<Operator> made[4];
        for (size_t k = 0; k < 4; k++) made[k] = blocks[k]();
        return linear::blockOperator(rows.data(), columns.data(), made);
      };
    }
  }
  throw Napi::TypeError::New(arrays_.Env(), "expected an operator");
}

MakePreconditioner Decoder::preconditioner() {
  enum Kind { kNone, kJacobi, kSsor, kTriangular, kUpper, kDeflation, kOperator, kConstantStencil, kStencil };
  switch (static_cast<Kind>(size())) {
    case kNone:
      return [] { return std::unique_ptr<Preconditioner>(); };
    case kJacobi: {
      const size_t n = size();
      const double* inverse = doubles();
      return [=] { return linear::jacobiPreconditioner(n, inverse); };
    }
    case kSsor: {
      const double omega = number();
      const linear::Csr matrix = csr();
      return [=] { return linear::ssorPreconditioner(matrix, omega); };
    }
    case kTriangular: {
      const linear::Csr lower = csr();
      return [=] { return linear::triangularPreconditioner(lower); };
    }
    case kUpper: {
      const size_t n = size();
      const double* r = doubles();
      return [=] { return linear::upperPreconditioner(n, r); };
    }
    case kDeflation: {
      const size_t n = size(), k = size();
      const double* vectors = doubles();
      const double* images = doubles();
      const double* cholesky = doubles();
      const MakePreconditioner inner = preconditioner();
      return [=] { return linear::deflationPreconditioner(n, k, vectors, images, cholesky, inner()); };
    }
    case kOperator: {
      const MakeOperator inverse = anOperator();
      return [=] { return linear::operatorPreconditioner(inverse()); };
    }
    case kConstantStencil: {
      const linear::Grid grid = this->grid();
      const std::array<double, 3> couplings = constants(grid.dimensions);
      const double omega = number(), scale = number();
      const double* inverse = doubles();
      return [=] { return linear::constantStencilSweeps(grid, couplings.data(), omega, scale, inverse); };
    }
    case kStencil: {
      const linear::Grid grid = this->grid();
      const std::array<const double*, 3> couplings = fields(grid.dimensions);
      const double omega = number(), scale = number();
      const double* inverse = doubles();
      return [=] { return linear::stencilSweeps(grid, couplings.data(), omega, scale, inverse); };
    }
  }
  throw Napi::TypeError::New(arrays_.Env(), "expected a preconditioner");
}

}  // namespace extrema
