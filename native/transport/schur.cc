#include "transport/schur.h"

#include <algorithm>
#include <cmath>

namespace extrema::transport {

namespace {

constexpr uint32_t kMostChunks = 8;
constexpr size_t kEntriesPerChunk = 16384;  // fewer are not worth waking a thread

// Independent partial sums, so that the additions overlap.
template <class F>
double dotOf(size_t count, F product) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  size_t k = 0;
  for (; k + 4 <= count; k += 4) {
    s0 += product(k);
    s1 += product(k + 1);
    s2 += product(k + 2);
    s3 += product(k + 3);
  }
  for (; k < count; k++) s0 += product(k);
  return (s0 + s1) + (s2 + s3);
}

void transpose(const Sparse& in, size_t columns, Sparse& out) {
  out.start.assign(columns + 1, 0);
  out.column.resize(in.column.size());
  out.value.resize(in.value.size());
  for (const int32_t j : in.column) out.start[j + 1]++;
  for (size_t j = 0; j < columns; j++) out.start[j + 1] += out.start[j];
  for (size_t i = 0; i + 1 < in.start.size(); i++) {
    for (size_t k = in.start[i]; k < in.start[i + 1]; k++) {
      const size_t place = out.start[in.column[k]]++;
      out.column[place] = static_cast<int32_t>(i);
      out.value[place] = in.value[k];
    }
  }
  for (size_t j = columns; j > 0; j--) out.start[j] = out.start[j - 1];
  out.start[0] = 0;
}

}  // namespace

SparseOperator::SparseOperator(Team& team, size_t n, size_t m) : team_(team) {
  rowsEliminated = n >= m;
  eliminated = std::max(n, m);
  kept = std::min(n, m);
  for (uint32_t c = 0; c < kMostChunks; c++) columns_.emplace_back(kept);
}

void SparseOperator::reset(const Sparse& rows, const NewtonSystem& system) {
  lines_ = &rows;
  pivot = system.diagonalA;
  if (!rowsEliminated) {
    transpose(rows, eliminated, transposed_);
    lines_ = &transposed_;
    pivot = system.diagonalB;
  }
  // Chunks of equal numbers of entries; how many depends on the matrix alone.
  const size_t entries = lines_->value.size();
  const uint32_t chunks =
      static_cast<uint32_t>(std::clamp<size_t>(entries / kEntriesPerChunk, 1, kMostChunks));
  chunkStart_.assign(chunks + 1, static_cast<uint32_t>(eliminated));
  for (uint32_t c = 0; c < chunks; c++) {
    const auto first = std::lower_bound(lines_->start.begin(), lines_->start.end() - 1, entries * c / chunks);
    chunkStart_[c] = static_cast<uint32_t>(first - lines_->start.begin());
  }
  chunkStart_[0] = 0;
}

// w = the sum of what `line(i, column, value, count, out)` adds for every line i.
template <class F>
void SparseOperator::scatter(double* w, F line) {
  const uint32_t chunks = static_cast<uint32_t>(chunkStart_.size() - 1);
  team_.run(chunks, [&](uint32_t c, unsigned) {
    double* out = c == 0 ? w : columns_[c].data();
    std::fill_n(out, kept, 0.0);
    for (size_t i = chunkStart_[c]; i < chunkStart_[c + 1]; i++) {
      const size_t start = lines_->start[i];
      line(i, lines_->column.data() + start, lines_->value.data() + start, lines_->start[i + 1] - start, out);
    }
  });
  for (uint32_t c = 1; c < chunks; c++) {
    const double* part = columns_[c].data();
    for (size_t j = 0; j < kept; j++) w[j] += part[j];
  }
}

void SparseOperator::normal(const double* q, double* w) {
  scatter(w, [&](size_t i, const int32_t* column, const double* value, size_t count, double* out) {
    const double t = dotOf(count, [&](size_t k) { return value[k] * q[column[k]]; }) / pivot[i];
    for (size_t k = 0; k < count; k++) out[column[k]] += t * value[k];
  });
}

void SparseOperator::forward(const double* q, double* p) {
  for (size_t i = 0; i < eliminated; i++) {
    const size_t start = lines_->start[i];
    const int32_t* column = lines_->column.data() + start;
    const double* value = lines_->value.data() + start;
    p[i] = dotOf(lines_->start[i + 1] - start, [&](size_t k) { return value[k] * q[column[k]]; });
  }
}

void SparseOperator::backward(const double* p, double* w) {
  scatter(w, [&](size_t i, const int32_t* column, const double* value, size_t count, double* out) {
    for (size_t k = 0; k < count; k++) out[column[k]] += p[i] * value[k];
  });
}

void SparseOperator::normalDiagonal(double* diagonal) {
  scatter(diagonal, [&](size_t i, const int32_t* column, const double* value, size_t count, double* out) {
    for (size_t k = 0; k < count; k++) out[column[k]] += value[k] * value[k] / pivot[i];
  });
}

DenseOperator::DenseOperator(Context& context, Report& report)
    : context_(context),
      report_(report),
      scale_(context.problem.n),
      weight_(padded<double>(context.problem.m)) {
  eliminated = context.problem.n;
  kept = context.problem.m;
}

void DenseOperator::reset(double epsilon, const double* f, const double* g, const double* stored,
                          size_t pitch, const NewtonSystem& system) {
  epsilon_ = epsilon;
  f_ = f;
  g_ = g;
  stored_ = stored;
  pitch_ = pitch;
  pivot = system.diagonalA;
}

PlanPass DenseOperator::planPassAt() {
  report_.passes++;
  PlanPass pass;
  pass.epsilon = epsilon_;
  pass.f = f_;
  pass.g = g_;
  return pass;
}

void DenseOperator::normal(const double* q, double* w) {
  if (stored_ == nullptr) {
    PlanPass pass = planPassAt();
    pass.columnWeight = q;
    pass.scaling = Scaling::normal;
    pass.a = pivot;
    pass.columnSum = w;
    planPass(context_.team, context_.geometry, context_.workspace, pass);
    return;
  }
  std::copy_n(q, kept, weight_.data());
  KernelSweep<double> sweep;
  sweep.normal = true;
  sweep.kernel = stored_;
  sweep.n = eliminated;
  sweep.m = kept;
  sweep.pitch = pitch_;
  sweep.v = weight_.data();
  sweep.a = pivot;
  sweep.u = scale_.data();
  sweep.columnSum = w;
  kernelSweep(context_.team, context_.workspace.columns, sweep);
}

void DenseOperator::forward(const double* q, double* p) {
  PlanPass pass = planPassAt();
  pass.columnWeight = q;
  pass.rowSum = p;
  planPass(context_.team, context_.geometry, context_.workspace, pass);
}

void DenseOperator::backward(const double* p, double* w) {
  std::copy_n(p, eliminated, scale_.data());
  PlanPass pass = planPassAt();
  pass.scaling = Scaling::given;
  pass.scale = scale_.data();
  pass.columnSum = w;
  planPass(context_.team, context_.geometry, context_.workspace, pass);
}

void DenseOperator::normalDiagonal(double* diagonal) { std::fill_n(diagonal, kept, 0.0); }

SchurSolver::SchurSolver(size_t n, size_t m)
    : residual_(std::max(n, m)),
      preconditioned_(std::max(n, m)),
      search_(std::max(n, m)),
      product_(std::max(n, m)),
      diagonal_(std::max(n, m)),
      pivotRight_(std::max(n, m)) {}

size_t SchurSolver::solve(PlanOperator& plan, const NewtonSystem& system, double target, size_t most,
                          const Monitor& monitor, double* p, double* q) {
  const size_t kept = plan.kept, eliminated = plan.eliminated;
  const double* diagonal = plan.rowsEliminated ? system.diagonalB : system.diagonalA;
  const double* right = plan.rowsEliminated ? system.y : system.x;
  const double* rightEliminated = plan.rowsEliminated ? system.x : system.y;
  double* solution = plan.rowsEliminated ? q : p;
  double* substituted = plan.rowsEliminated ? p : q;
  double *r = residual_.data(), *z = preconditioned_.data(), *s = search_.data(), *w = product_.data();

  plan.normalDiagonal(diagonal_.data());
  for (size_t j = 0; j < kept; j++) diagonal_[j] = std::max(diagonal[j] - diagonal_[j], 1e-14 * diagonal[j]);
  for (size_t i = 0; i < eliminated; i++) pivotRight_[i] = rightEliminated[i] / plan.pivot[i];
  plan.backward(pivotRight_.data(), r);
  for (size_t j = 0; j < kept; j++) {
    r[j] = right[j] - r[j];
    solution[j] = 0;
    s[j] = 0;
  }
  double rzBefore = 1;
  size_t iteration = 0;
  for (; iteration < most; iteration++) {
    if (monitor.cancelled() || monitor.expired()) return iteration;
    const double norm = dotOf(kept, [&](size_t j) { return std::fabs(r[j]); });
    if (!(norm > target)) break;
    for (size_t j = 0; j < kept; j++) z[j] = r[j] / diagonal_[j];
    const double rz = dotOf(kept, [&](size_t j) { return r[j] * z[j]; });
    const double beta = iteration == 0 ? 0 : rz / rzBefore;
    rzBefore = rz;
    for (size_t j = 0; j < kept; j++) s[j] = z[j] + beta * s[j];
    plan.normal(s, w);
    for (size_t j = 0; j < kept; j++) w[j] = diagonal[j] * s[j] - w[j];
    const double curvature = dotOf(kept, [&](size_t j) { return s[j] * w[j]; });
    if (!(curvature > 0)) break;  // rounding: no more is to be had
    const double alpha = rz / curvature;
    for (size_t j = 0; j < kept; j++) {
      solution[j] += alpha * s[j];
      r[j] -= alpha * w[j];
    }
  }
  plan.forward(solution, substituted);
  for (size_t i = 0; i < eliminated; i++)
    substituted[i] = (rightEliminated[i] - substituted[i]) / plan.pivot[i];
  return iteration;
}

}  // namespace extrema::transport
