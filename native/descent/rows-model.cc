#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "descent/columns.h"
#include "descent/model.h"
#include "descent/pairs.h"
#include "descent/row-loss.h"

namespace extrema::descent {

namespace {

// f(x) = Σ_r φ_r(a_rᵀ x) + ½ l2 |x|²: least squares, logistic, and softmax with k numbers a_rᵀ X in place of
// one. Kept are these margins, φ_r and the slopes φ'_r; a step of a block touches the rows that its columns
// do.
class RowsModel : public Model {
 public:
  RowsModel(const Problem& problem, const double* x, bool tracking, Team& team)
      : p_(problem),
        a_(problem.matrix),
        x_(x),
        team_(team),
        loss_(problem),
        columns_(problem.matrix, team),
        pairs_(problem, columns_, loss_, team.monitor()),
        m_(problem.matrix.rows),
        k_(problem.classes),
        squares_(a_.columns),
        margins_(m_ * k_),
        losses_(m_),
        slopes_(m_ * k_),
        moved_(m_ * k_),
        slopeChange_(k_),
        sum_(k_),
        touched_(m_),
        isTouched_(m_) {
    n = a_.columns * k_;
    quadratic = problem.loss == Loss::leastSquares;
    semidefinite = true;
    tracks = tracking;
    forEach(team, a_.columns, columns_.entries(), [&](size_t j, unsigned) {
      columns_.each(j, [&](size_t, double value) { squares_[j] += value * value; });
    });
    lipschitz.resize(n);
    gradient.resize(n);
    for (size_t i = 0; i < n; i++) lipschitz[i] = squares_[i / k_] * loss_.bound(0, 0) + p_.l2;
  }

  double refresh() override {
    findMargins();
    double value = 0, squares = 0;
    for (const double loss : losses_) value += loss;
    transposed(slopes_.data(), gradient.data());
    if (!(p_.l2 > 0)) return value;
    for (size_t i = 0; i < n; i++) {
      gradient[i] += p_.l2 * x_[i];
      squares += x_[i] * x_[i];
    }
    return value + 0.5 * p_.l2 * squares;
  }

  double gradientScale() override {
    const std::vector<double> margins(k_);
    std::vector<double> slopes(m_ * k_), out(n);
    for (size_t r = 0; r < m_; r++) loss_.evaluate(r, margins.data(), &slopes[r * k_]);
    transposed(slopes.data(), out.data());
    double most = 0;
    for (const double g : out) most = std::max(most, std::fabs(g));
    return most;
  }

  void blockGradient(const int32_t* block, size_t size, double* out) override {
    for (size_t a = 0; a < size; a++) {
      const size_t i = static_cast<size_t>(block[a]);
      out[a] = tracks ? gradient[i] : columnDot(i, slopes_.data()) + p_.l2 * x_[i];
    }
  }

  void hessian(const int32_t* block, size_t size, bool current, double* out) override {
    const bool weighted = current && !quadratic;
    // Of one margin the weights go into the column, of several there is one for each pair.
    const bool folds = weighted && k_ == 1;
    scattered_.resize(team_.size() * m_);
    const size_t each = size == 0 ? 0 : columns_.entries() / a_.columns;
    forEach(team_, size, size * size * each, [&](size_t turn, unsigned worker) {
      // Long rows and short ones in turns, so that chunks are alike.
      const size_t a = turn % 2 == 0 ? turn / 2 : size - (turn + 1) / 2;
      const size_t j = static_cast<size_t>(block[a]) / k_, c = static_cast<size_t>(block[a]) % k_;
      double* own = &scattered_[worker * m_];
      columns_.each(j, [&](size_t r, double value) {
        own[r] = folds ? value * loss_.second(r, &slopes_[r], 0, 0) : value;
      });
      for (size_t b = 0; b <= a; b++) {
        const size_t other = static_cast<size_t>(block[b]) / k_, d = static_cast<size_t>(block[b]) % k_;
        double sum = 0;
        if (weighted && !folds) {
          columns_.each(other, [&](size_t r, double value) {
            if (own[r] != 0) sum += value * own[r] * loss_.second(r, &slopes_[r * k_], c, d);
          });
        } else {
          sum = !weighted && other == j ? squares_[j] : columns_.dot(other, own, 1);
          if (!weighted) sum *= loss_.bound(c, d);
        }
        if (a == b) sum += p_.l2;
        out[a * size + b] = sum;
        out[b * size + a] = sum;
      }
      columns_.each(j, [&](size_t r, double) { own[r] = 0; });
    });
  }

  void sparseBlock(const int32_t* block, size_t size, const int32_t* place, bool current,
                   SparseBlock& out) override {
    pairs_.block(block, size, place, current && !quadratic ? slopes_.data() : nullptr, out);
  }

  void product(const double* v, bool current, double* out) override {
    for (size_t r = 0; r < m_; r++) {
      rowProduct(r, v, sum_.data());
      for (size_t c = 0; c < k_; c++) {
        double weighted = 0;
        for (size_t d = 0; d < k_; d++)
          weighted += (current ? loss_.second(r, &slopes_[r * k_], c, d) : loss_.bound(c, d)) * sum_[d];
        moved_[r * k_ + c] = weighted;
      }
    }
    transposed(moved_.data(), out);
    std::fill(moved_.begin(), moved_.end(), 0.0);
    if (p_.l2 > 0) {
      for (size_t i = 0; i < n; i++) out[i] += p_.l2 * v[i];
    }
  }

  double trial(const int32_t* block, size_t size, const double* g, const double* d) override {
    untouch();
    if (isSingle(size)) return d[0] * (g[0] + 0.5 * d[0] * lipschitz[block[0]]);
    double change = 0;
    for (size_t a = 0; a < size; a++) {
      if (d[a] == 0) continue;
      const size_t i = static_cast<size_t>(block[a]), j = i / k_, c = i % k_;
      if (a_.dense != nullptr && touchedCount_ == 0) {
        for (size_t r = 0; r < m_; r++) touch(r);
      } else if (a_.dense == nullptr) {
        columns_.each(j, [&](size_t r, double) { touch(r); });
      }
      columns_.add(j, d[a], &moved_[c], k_);
      change += quadratic ? d[a] * (g[a] + 0.5 * p_.l2 * d[a]) : p_.l2 * d[a] * (x_[i] + 0.5 * d[a]);
    }
    for (size_t t = 0; t < touchedCount_; t++) {
      const size_t r = static_cast<size_t>(touched_[t]);
      const double* moved = &moved_[r * k_];
      if (quadratic) {
        change += 0.5 * moved[0] * moved[0];
        continue;
      }
      for (size_t c = 0; c < k_; c++) sum_[c] = margins_[r * k_ + c] + moved[c];
      change += loss_.evaluate(r, sum_.data(), slopeChange_.data()) - losses_[r];
    }
    return change;
  }

  void accept(const int32_t* block, size_t size, const double* d) override {
    if (isSingle(size)) {
      columns_.add(static_cast<size_t>(block[0]), d[0], slopes_.data(), 1);
      return;
    }
    const bool wholeRows = tracks && quadratic && a_.dense != nullptr && touchedCount_ > 0;
    for (size_t t = 0; t < touchedCount_; t++) {
      const size_t r = static_cast<size_t>(touched_[t]);
      moveRow(r);
      if (tracks && !wholeRows) addRow(r);
      if ((t & 255) == 0 && team_.monitor().cancelled()) return;
    }
    if (wholeRows) addWholeRows();
    if (tracks && p_.l2 > 0) {
      for (size_t a = 0; a < size; a++) gradient[block[a]] += p_.l2 * d[a];
    }
    untouch();
  }

  void rowSums(double* out) override { pairs_.rowSums(out); }
  const Graph& graph() override { return pairs_.graph(); }

 private:
  // One coordinate of a sum of squares whose gradient nobody follows: the slopes alone move.
  bool isSingle(size_t size) const { return quadratic && !tracks && size == 1; }

  // Margins, losses and slopes at x. By columns where most of x is 0.
  void findMargins() {
    const size_t nonzeros = n - static_cast<size_t>(std::count(x_, x_ + n, 0.0));
    const bool byColumns = 4 * nonzeros < n;
    if (byColumns) {
      std::fill(margins_.begin(), margins_.end(), 0.0);
      for (size_t i = 0; i < n; i++) {
        if (x_[i] != 0) columns_.add(i / k_, x_[i], &margins_[i % k_], k_);
      }
    }
    forEach(team_, m_, columns_.entries() * k_, [&](size_t r, unsigned) {
      if (!byColumns) rowProduct(r, x_, &margins_[r * k_]);
      losses_[r] = loss_.evaluate(r, &margins_[r * k_], &slopes_[r * k_]);
    });
  }

  // Takes the move of row r; what its slopes change by is left in slopeChange_.
  void moveRow(size_t r) {
    const size_t from = r * k_;
    if (quadratic) {
      margins_[r] += moved_[r];
      slopes_[r] += moved_[r];
      slopeChange_[0] = moved_[r];
      return;
    }
    for (size_t c = 0; c < k_; c++) {
      margins_[from + c] += moved_[from + c];
      slopeChange_[c] = -slopes_[from + c];
    }
    losses_[r] = loss_.evaluate(r, &margins_[from], &slopes_[from]);
    for (size_t c = 0; c < k_; c++) slopeChange_[c] += slopes_[from + c];
  }

  // gradient += a_r slopeChange_ᵀ
  void addRow(size_t r) {
    for (size_t c = 0; c < k_; c++) {
      const double change = slopeChange_[c];
      if (change == 0) continue;
      if (a_.dense != nullptr) {
        cblas_daxpy(static_cast<int>(a_.columns), change, a_.dense + r * a_.columns, 1, &gradient[c],
                    static_cast<int>(k_));
      } else {
        for (int32_t e = a_.indptr[r]; e < a_.indptr[r + 1]; e++)
          gradient[static_cast<size_t>(a_.indices[e]) * k_ + c] += change * a_.data[e];
      }
    }
  }

  // gradient += Aᵀ moved, each chunk its own part of the gradient.
  void addWholeRows() {
    const size_t parts = (a_.columns + kPart - 1) / kPart;
    forEach(team_, parts, columns_.entries(), [&](size_t part, unsigned) {
      const size_t from = part * kPart, length = std::min(a_.columns, from + kPart) - from;
      cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(m_), static_cast<int>(length), 1,
                  a_.dense + from, static_cast<int>(a_.columns), moved_.data(), 1, 1, &gradient[from], 1);
    });
  }

  // out_c = a_rᵀ v_c
  void rowProduct(size_t r, const double* v, double* out) const {
    if (a_.dense != nullptr) {
      for (size_t c = 0; c < k_; c++)
        out[c] = cblas_ddot(static_cast<int>(a_.columns), a_.dense + r * a_.columns, 1, v + c,
                            static_cast<int>(k_));
      return;
    }
    std::fill_n(out, k_, 0.0);
    for (int32_t e = a_.indptr[r]; e < a_.indptr[r + 1]; e++) {
      const double* at = v + static_cast<size_t>(a_.indices[e]) * k_;
      for (size_t c = 0; c < k_; c++) out[c] += a_.data[e] * at[c];
    }
  }

  double columnDot(size_t i, const double* w) const { return columns_.dot(i / k_, w + i % k_, k_); }

  // out = Aᵀ w
  void transposed(const double* w, double* out) const {
    forEach(team_, n, columns_.entries() * k_, [&](size_t i, unsigned) { out[i] = columnDot(i, w); });
  }

  void touch(size_t r) {
    if (isTouched_[r]) return;
    isTouched_[r] = 1;
    touched_[touchedCount_++] = static_cast<int32_t>(r);
  }

  void untouch() {
    for (size_t t = 0; t < touchedCount_; t++) {
      const size_t r = static_cast<size_t>(touched_[t]);
      isTouched_[r] = 0;
      std::fill_n(&moved_[r * k_], k_, 0.0);
    }
    touchedCount_ = 0;
  }

  static constexpr size_t kPart = 512;

  const Problem& p_;
  const Matrix& a_;
  const double* x_;
  Team& team_;
  RowLoss loss_;
  Columns columns_;
  Pairs pairs_;
  size_t m_, k_;
  std::vector<double> squares_, margins_, losses_, slopes_, moved_, slopeChange_, sum_, scattered_;
  std::vector<int32_t> touched_;
  std::vector<char> isTouched_;
  size_t touchedCount_ = 0;
};

}  // namespace

std::unique_ptr<Model> rowsModel(const Problem& problem, const double* x, bool tracks, Team& team) {
  return std::make_unique<RowsModel>(problem, x, tracks, team);
}

}  // namespace extrema::descent
