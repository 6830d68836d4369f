#include "linear/csr.h"

#include <algorithm>
#include <atomic>

#include "hwy/cache_control.h"
#include "linear/vectors.h"
#include "simd/dispatch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "linear/csr.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace extrema::linear {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Rows shorter than this are summed by scalar code: gathers do not pay for their reduction.
constexpr int32_t kShortRow = 24;
constexpr int kGroup = 4;        // rows at a time
constexpr int32_t kAhead = 256;  // entries between those at work and those asked for

// The sum of N products, in two chains. N is known: rows of stencils and meshes are nearly all of one length.
template <int N>
double Short(const int32_t* indices, const double* data, const double* x) {
  double s0 = 0, s1 = 0;
  for (int k = 0; k + 1 < N; k += 2) {
    s0 += data[k] * x[indices[k]];
    s1 += data[k + 1] * x[indices[k + 1]];
  }
  if (N % 2 == 1) s0 += data[N - 1] * x[indices[N - 1]];
  return s0 + s1;
}

double ShortRow(const int32_t* indices, const double* data, int32_t count, const double* x) {
  switch (count) {
    case 0:
      return 0;
    case 1:
      return Short<1>(indices, data, x);
    case 2:
      return Short<2>(indices, data, x);
    case 3:
      return Short<3>(indices, data, x);
    case 4:
      return Short<4>(indices, data, x);
    case 5:
      return Short<5>(indices, data, x);
    case 6:
      return Short<6>(indices, data, x);
    case 7:
      return Short<7>(indices, data, x);
    default:
      return Short<8>(indices, data, x) + ShortRow(indices + 8, data + 8, count - 8, x);
  }
}

double Row(const int32_t* indices, const double* data, int32_t count, const double* x) {
  if (count < kShortRow) return ShortRow(indices, data, count, x);
  const hn::ScalableTag<double> d;
  const hn::Rebind<int32_t, decltype(d)> d32;
  const hn::RebindToSigned<decltype(d)> d64;
  const auto N = static_cast<int32_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = s0;
  int32_t k = 0;
  for (; k + 2 * N <= count; k += 2 * N) {
    const auto i0 = hn::PromoteTo(d64, hn::LoadU(d32, indices + k));
    const auto i1 = hn::PromoteTo(d64, hn::LoadU(d32, indices + k + N));
    s0 = hn::MulAdd(hn::LoadU(d, data + k), hn::GatherIndex(d, x, i0), s0);
    s1 = hn::MulAdd(hn::LoadU(d, data + k + N), hn::GatherIndex(d, x, i1), s1);
  }
  const double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  return sum + ShortRow(indices + k, data + k, count - k, x);
}

// kGroup rows of N entries each.
template <int N>
HWY_INLINE void Alike(const int32_t* indices, const double* data, const double* x, double* out) {
  for (int r = 0; r < kGroup; r++) out[r] = Short<N>(indices + r * N, data + r * N, x);
}

// The lines of the arrays that rows some way behind entries k to `end` will read: the processor's own
// prefetching stops at the end of every page.
HWY_INLINE void Ahead(const int32_t* indices, const double* data, int32_t k, int32_t end) {
  const int64_t last = int64_t{end} + kAhead;
  for (int64_t at = int64_t{k} + kAhead; at < last; at += 8) hwy::Prefetch(data + at);
  for (int64_t at = int64_t{k} + kAhead; at < last; at += 16) hwy::Prefetch(indices + at);
}

void Rows(const int32_t* indptr, const int32_t* indices, const double* data, size_t from, size_t to,
          const double* x, double* out) {
  size_t i = from;
  // One look at the lengths serves a group of rows: those of stencils and meshes are nearly all alike.
  for (; i + kGroup <= to; i += kGroup) {
    const int32_t k = indptr[i], end = indptr[i + kGroup];
    const int64_t count = indptr[i + 1] - k;
    double* sums = out + i;
    if (end - k <= kGroup * kShortRow) Ahead(indices, data, k, end);
    const bool alike =
        indptr[i + 2] - k == 2 * count && indptr[i + 3] - k == 3 * count && end - k == 4 * count;
    switch (alike ? count : -1) {
      case 3:
        Alike<3>(indices + k, data + k, x, sums);
        break;
      case 4:
        Alike<4>(indices + k, data + k, x, sums);
        break;
      case 5:
        Alike<5>(indices + k, data + k, x, sums);
        break;
      case 6:
        Alike<6>(indices + k, data + k, x, sums);
        break;
      case 7:
        Alike<7>(indices + k, data + k, x, sums);
        break;
      default:
        for (int r = 0; r < kGroup; r++) {
          const int32_t begin = indptr[i + r];
          sums[r] = Row(indices + begin, data + begin, indptr[i + r + 1] - begin, x);
        }
    }
  }
  for (; i < to; i++) out[i] = Row(indices + indptr[i], data + indptr[i], indptr[i + 1] - indptr[i], x);
}

void RowsBlock(const int32_t* indptr, const int32_t* indices, const double* data, size_t from, size_t to,
               const double* x, double* out, size_t count) {
  const hn::ScalableTag<double> d;
  const size_t N = hn::Lanes(d);
  for (size_t i = from; i < to; i++) {
    double* row = out + i * count;
    const int32_t begin = indptr[i], end = indptr[i + 1];
    size_t j = 0;
    for (; j + 4 * N <= count; j += 4 * N) {
      auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
      for (int32_t k = begin; k < end; k++) {
        const double* other = x + static_cast<size_t>(indices[k]) * count + j;
        const auto a = hn::Set(d, data[k]);
        s0 = hn::MulAdd(a, hn::LoadU(d, other), s0);
        s1 = hn::MulAdd(a, hn::LoadU(d, other + N), s1);
        s2 = hn::MulAdd(a, hn::LoadU(d, other + 2 * N), s2);
        s3 = hn::MulAdd(a, hn::LoadU(d, other + 3 * N), s3);
      }
      hn::StoreU(s0, d, row + j);
      hn::StoreU(s1, d, row + j + N);
      hn::StoreU(s2, d, row + j + 2 * N);
      hn::StoreU(s3, d, row + j + 3 * N);
    }
    for (; j + N <= count; j += N) {
      auto s = hn::Zero(d);
      for (int32_t k = begin; k < end; k++)
        s = hn::MulAdd(hn::Set(d, data[k]), hn::LoadU(d, x + static_cast<size_t>(indices[k]) * count + j), s);
      hn::StoreU(s, d, row + j);
    }
    for (; j < count; j++) {
      double s = 0;
      for (int32_t k = begin; k < end; k++) s += data[k] * x[static_cast<size_t>(indices[k]) * count + j];
      row[j] = s;
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace extrema::linear
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace extrema::linear {

EXTREMA_EXPORT(Rows);
EXTREMA_EXPORT(RowsBlock);

void multiplyRows(const Csr& matrix, size_t from, size_t to, const double* x, double* out) {
  EXTREMA_DISPATCH(Rows)(matrix.indptr, matrix.indices, matrix.data, from, to, x, out);
}

void multiplyRowsBlock(const Csr& matrix, size_t from, size_t to, const double* x, double* out,
                       size_t count) {
  EXTREMA_DISPATCH(RowsBlock)(matrix.indptr, matrix.indices, matrix.data, from, to, x, out, count);
}

std::vector<size_t> balancedRows(const Csr& matrix) {
  constexpr size_t kLeastWork = 1 << 16, kMostChunks = 128;
  const size_t work = matrix.count() + matrix.rows;
  const size_t chunks = std::clamp<size_t>(work / kLeastWork, 1, kMostChunks);
  std::vector<size_t> begin(chunks + 1);
  begin[chunks] = matrix.rows;
  for (size_t c = 1; c < chunks; c++) {
    const size_t wanted = work * c / chunks;
    size_t low = begin[c - 1], high = matrix.rows;
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (static_cast<size_t>(matrix.indptr[middle]) + middle < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    begin[c] = low;
  }
  return begin;
}

CsrMemory transposed(const Csr& matrix) {
  CsrMemory out;
  out.indptr.assign(matrix.columns + 1, 0);
  out.indices.resize(matrix.count());
  out.data.resize(matrix.count());
  for (size_t k = 0; k < matrix.count(); k++) out.indptr[static_cast<size_t>(matrix.indices[k]) + 1]++;
  for (size_t j = 0; j < matrix.columns; j++) out.indptr[j + 1] += out.indptr[j];
  std::vector<int32_t> next(out.indptr.begin(), out.indptr.end() - 1);
  for (size_t i = 0; i < matrix.rows; i++) {
    for (int32_t k = matrix.indptr[i]; k < matrix.indptr[i + 1]; k++) {
      const auto at = static_cast<size_t>(next[static_cast<size_t>(matrix.indices[k])]++);
      out.indices[at] = static_cast<int32_t>(i);
      out.data[at] = matrix.data[k];
    }
  }
  return out;
}

namespace {

class CsrOperator final : public Operator {
 public:
  explicit CsrOperator(const Csr& matrix)
      : Operator(matrix.rows, matrix.columns),
        matrix_(matrix),
        begin_(balancedRows(matrix)),
        partial_(begin_.size()) {}

  void apply(const double* x, double* out, Team& team) override { applyRows(matrix_, begin_, x, out, team); }

  bool applyFinite(const double* x, double* out, Team& team) override {
    // The part of x that is checked is mostly the one that these rows read.
    const size_t count = begin_.size() - 1;
    std::atomic<bool> finite{true};
    team.run(chunks(begin_), [&](uint32_t c, unsigned) {
      const size_t from = columns * c / count, to = columns * (c + 1) / count;
      if (!finiteRange(x + from, to - from)) finite = false;
      multiplyRows(matrix_, begin_[c], begin_[c + 1], x, out);
    });
    return finite;
  }

  void applyTranspose(const double* x, double* out, Team& team) override {
    if (!flipped_.indptr.empty()) {
      applyRows(flipped_.view(columns, rows), flippedBegin_, x, out, team);
      return;
    }
    std::fill_n(out, columns, 0.0);
    scatter(x, out, 1, team);
  }

  void applyBlock(const double* x, double* out, size_t count, bool transpose, Team& team) override {
    if (transpose) {
      std::fill_n(out, columns * count, 0.0);
      scatter(x, out, count, team);
      return;
    }
    team.run(chunks(begin_), [&](uint32_t c, unsigned) {
      multiplyRowsBlock(matrix_, begin_[c], begin_[c + 1], x, out, count);
    });
  }

  double applyDot(const double* x, double* out, Team& team) override {
    team.run(chunks(begin_), [&](uint32_t c, unsigned) {
      multiplyRows(matrix_, begin_[c], begin_[c + 1], x, out);
      partial_[c] = dotRange(x + begin_[c], out + begin_[c], begin_[c + 1] - begin_[c]);
    });
    double sum = 0;
    for (size_t c = 0; c + 1 < begin_.size(); c++) sum += partial_[c];
    return sum;
  }

  void prepare(bool transpose) override {
    if (!transpose) return gather();
    if (!flipped_.indptr.empty()) return;
    flipped_ = transposed(matrix_);
    flippedBegin_ = balancedRows(flipped_.view(columns, rows));
  }
  void gather() override {
    gatherPages(matrix_.indptr, (rows + 1) * sizeof(int32_t));
    gatherPages(matrix_.indices, matrix_.count() * sizeof(int32_t));
    gatherPages(matrix_.data, matrix_.count() * sizeof(double));
  }

 private:
  static uint32_t chunks(const std::vector<size_t>& begin) { return static_cast<uint32_t>(begin.size() - 1); }

  static void applyRows(const Csr& matrix, const std::vector<size_t>& begin, const double* x, double* out,
                        Team& team) {
    team.run(chunks(begin),
             [&](uint32_t c, unsigned) { multiplyRows(matrix, begin[c], begin[c + 1], x, out); });
  }

  // Once: adding rows where they belong costs less than the transpose.
  void scatter(const double* x, double* out, size_t count, Team& team) const {
    for (size_t c = 0; c + 1 < begin_.size() && !team.monitor().cancelled(); c++) {
      for (size_t i = begin_[c]; i < begin_[c + 1]; i++) {
        for (int32_t k = matrix_.indptr[i]; k < matrix_.indptr[i + 1]; k++) {
          double* to = out + static_cast<size_t>(matrix_.indices[k]) * count;
          for (size_t j = 0; j < count; j++) to[j] += matrix_.data[k] * x[i * count + j];
        }
      }
    }
  }

  Csr matrix_;
  std::vector<size_t> begin_;
  std::vector<double> partial_;
  CsrMemory flipped_;
  std::vector<size_t> flippedBegin_;
};

}  // namespace

std::unique_ptr<Operator> csrOperator(const Csr& matrix) { return std::make_unique<CsrOperator>(matrix); }

}  // namespace extrema::linear
#endif
