#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "descent/model.h"

namespace extrema::descent {

namespace {

constexpr size_t kEntriesPerLook = 1 << 18;

// log(1 + exp(z))
double softplus(double z) { return std::max(z, 0.0) + std::log1p(std::exp(-std::fabs(z))); }

// f(x) = Σ_r φ_r(a_rᵀ x) + ½ l2 |x|²: least squares, logistic, and softmax with k numbers a_rᵀ X in place of
// one. Kept are these margins, φ_r and the slopes φ'_r; a step of a block touches the rows that its columns
// do.
class RowsModel : public Model {
 public:
  RowsModel(const Problem& problem, const double* x, bool tracking, Monitor& monitor)
      : p_(problem),
        a_(problem.matrix),
        x_(x),
        monitor_(monitor),
        m_(problem.matrix.rows),
        k_(problem.classes),
        margins_(m_ * k_),
        losses_(m_),
        slopes_(m_ * k_),
        moved_(m_ * k_),
        slopeChange_(k_),
        sum_(k_),
        scattered_(m_),
        touched_(m_),
        isTouched_(m_) {
    n = a_.columns * k_;
    quadratic = problem.loss == Loss::leastSquares;
    semidefinite = true;
    tracks = tracking;
    takeColumns();
    squares_.resize(a_.columns);
    for (size_t j = 0; j < a_.columns; j++) {
      squares_[j] = a_.dense != nullptr ? cblas_ddot(static_cast<int>(m_), column(j), 1, column(j), 1) : 0;
      if (a_.dense == nullptr) {
        for (int32_t e = start_[j]; e < start_[j + 1]; e++) squares_[j] += values_[e] * values_[e];
      }
    }
    lipschitz.resize(n);
    gradient.resize(n);
    for (size_t i = 0; i < n; i++) lipschitz[i] = squares_[i / k_] * boundWeight(0, 0) + p_.l2;
    seen_.resize(n);
    sums_.resize(n);
  }

  double refresh() override {
    double value = 0;
    size_t work = 0;
    for (size_t r = 0; r < m_; r++) {
      rowProduct(r, x_, &margins_[r * k_]);
      losses_[r] = evaluate(r, &margins_[r * k_], &slopes_[r * k_]);
      value += losses_[r];
      work += rowLength(r) * k_;
      if (work < kEntriesPerLook) continue;
      work = 0;
      if (monitor_.cancelled()) return 0;
    }
    transposed(slopes_.data(), gradient.data());
    if (p_.l2 > 0) {
      double squares = 0;
      for (size_t i = 0; i < n; i++) {
        gradient[i] += p_.l2 * x_[i];
        squares += x_[i] * x_[i];
      }
      value += 0.5 * p_.l2 * squares;
    }
    return value;
  }

  double gradientScale() override {
    const std::vector<double> margins(k_);
    std::vector<double> slopes(m_ * k_), out(n);
    for (size_t r = 0; r < m_; r++) evaluate(r, margins.data(), &slopes[r * k_]);
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
    for (size_t a = 0; a < size; a++) {
      if (monitor_.cancelled()) return;
      const size_t j = static_cast<size_t>(block[a]) / k_, c = static_cast<size_t>(block[a]) % k_;
      if (a_.dense == nullptr) {
        for (int32_t e = start_[j]; e < start_[j + 1]; e++) scattered_[where_[e]] = values_[e];
      }
      const double* own = a_.dense != nullptr ? column(j) : scattered_.data();
      for (size_t b = 0; b <= a; b++) {
        const size_t other = static_cast<size_t>(block[b]) / k_, d = static_cast<size_t>(block[b]) % k_;
        double sum = 0;
        if (!weighted) {
          if (other == j) {
            sum = squares_[j];
          } else if (a_.dense != nullptr) {
            sum = cblas_ddot(static_cast<int>(m_), own, 1, column(other), 1);
          } else {
            for (int32_t e = start_[other]; e < start_[other + 1]; e++) sum += values_[e] * own[where_[e]];
          }
          sum *= boundWeight(c, d);
        } else if (a_.dense != nullptr) {
          const double* theirs = column(other);
          for (size_t r = 0; r < m_; r++) sum += theirs[r] * own[r] * weight(r, c, d);
        } else {
          for (int32_t e = start_[other]; e < start_[other + 1]; e++) {
            const size_t r = static_cast<size_t>(where_[e]);
            if (own[r] != 0) sum += values_[e] * own[r] * weight(r, c, d);
          }
        }
        if (a == b) sum += p_.l2;
        out[a * size + b] = sum;
        out[b * size + a] = sum;
      }
      if (a_.dense == nullptr) {
        for (int32_t e = start_[j]; e < start_[j + 1]; e++) scattered_[where_[e]] = 0;
      }
    }
  }

  void sparseBlock(const int32_t* block, size_t size, const int32_t* place, bool current,
                   SparseBlock& out) override {
    const bool weighted = current && !quadratic;
    int32_t count = 0;
    for (size_t a = 0; a < size; a++) {
      if (monitor_.cancelled()) return;
      const size_t j = static_cast<size_t>(block[a]) / k_, c = static_cast<size_t>(block[a]) % k_;
      list_.clear();
      eachPair(j, [&](size_t r, double value, size_t feature, double entry) {
        for (size_t d = 0; d < k_; d++) {
          const int32_t b = place[feature * k_ + d];
          if (b < 0) continue;
          if (!seen_[b]) {
            seen_[b] = 1;
            list_.push_back(b);
            sums_[b] = 0;
          }
          sums_[b] += value * entry * (weighted ? weight(r, c, d) : boundWeight(c, d));
        }
      });
      std::sort(list_.begin(), list_.end());
      out.diagonal[a] = p_.l2;
      for (const int32_t b : list_) {
        seen_[b] = 0;
        if (static_cast<size_t>(b) == a) {
          out.diagonal[a] += sums_[b];
        } else {
          out.indices[count] = b;
          out.values[count++] = sums_[b];
        }
      }
      out.indptr[a + 1] = count;
    }
  }

  void product(const double* v, bool current, double* out) override {
    for (size_t r = 0; r < m_; r++) {
      rowProduct(r, v, sum_.data());
      for (size_t c = 0; c < k_; c++) {
        double weighted = 0;
        for (size_t d = 0; d < k_; d++) weighted += (current ? weight(r, c, d) : boundWeight(c, d)) * sum_[d];
        moved_[r * k_ + c] = weighted;
      }
    }
    transposed(moved_.data(), out);
    std::fill(moved_.begin(), moved_.end(), 0.0);
    if (p_.l2 > 0) {
      for (size_t i = 0; i < n; i++) out[i] += p_.l2 * v[i];
    }
  }

  double trial(const int32_t* block, size_t size, const double* d) override {
    untouch();
    double change = 0;
    for (size_t a = 0; a < size; a++) {
      if (d[a] == 0) continue;
      const size_t i = static_cast<size_t>(block[a]), j = i / k_, c = i % k_;
      if (a_.dense != nullptr) {
        if (touchedCount_ == 0) {
          for (size_t r = 0; r < m_; r++) touch(r);
        }
        cblas_daxpy(static_cast<int>(m_), d[a], column(j), 1, &moved_[c], static_cast<int>(k_));
      } else {
        for (int32_t e = start_[j]; e < start_[j + 1]; e++) {
          const size_t r = static_cast<size_t>(where_[e]);
          touch(r);
          moved_[r * k_ + c] += d[a] * values_[e];
        }
      }
      change += p_.l2 * d[a] * (x_[i] + 0.5 * d[a]);
    }
    for (size_t t = 0; t < touchedCount_; t++) {
      const size_t r = static_cast<size_t>(touched_[t]);
      double* moved = &moved_[r * k_];
      if (quadratic) {
        // Without cancellation: (s + δ)²/2 - s²/2.
        change += moved[0] * (slopes_[r] + 0.5 * moved[0]);
        continue;
      }
      for (size_t c = 0; c < k_; c++) sum_[c] = margins_[r * k_ + c] + moved[c];
      change += evaluate(r, sum_.data(), slopeChange_.data()) - losses_[r];
    }
    return change;
  }

  void accept(const int32_t* block, size_t size, const double* d) override {
    const bool wholeRows = tracks && quadratic && a_.dense != nullptr && touchedCount_ > 0;
    for (size_t t = 0; t < touchedCount_; t++) {
      const size_t r = static_cast<size_t>(touched_[t]), from = r * k_;
      if (quadratic) {
        margins_[r] += moved_[r];
        slopes_[r] += moved_[r];
        slopeChange_[0] = moved_[r];
      } else {
        for (size_t c = 0; c < k_; c++) {
          margins_[from + c] += moved_[from + c];
          slopeChange_[c] = -slopes_[from + c];
        }
        losses_[r] = evaluate(r, &margins_[from], &slopes_[from]);
        for (size_t c = 0; c < k_; c++) slopeChange_[c] += slopes_[from + c];
      }
      if (!tracks || wholeRows) continue;
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
      if ((t & 255) == 0 && monitor_.cancelled()) return;
    }
    if (wholeRows)
      cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(m_), static_cast<int>(a_.columns), 1, a_.dense,
                  static_cast<int>(a_.columns), moved_.data(), 1, 1, gradient.data(), 1);
    if (tracks && p_.l2 > 0) {
      for (size_t a = 0; a < size; a++) gradient[block[a]] += p_.l2 * d[a];
    }
    untouch();
  }

  void rowSums(double* out) override {
    std::vector<double> sums(a_.columns);
    double across = 0;
    for (size_t c = 0; c < k_; c++) across += std::fabs(boundWeight(0, c));
    for (size_t j = 0; j < a_.columns; j++) {
      if (monitor_.cancelled()) return;
      std::fill(sums.begin(), sums.end(), 0.0);
      eachPair(j,
               [&](size_t, double value, size_t feature, double entry) { sums[feature] += value * entry; });
      double sum = 0;
      for (const double s : sums) sum += std::fabs(s);
      for (size_t c = 0; c < k_; c++) out[j * k_ + c] = across * sum + p_.l2;
    }
  }

  const Graph& graph() override {
    if (!graph_.indptr.empty()) return graph_;
    graph_.indptr.resize(n + 1);
    std::vector<int64_t> seen(a_.columns, -1);
    for (size_t j = 0; j < a_.columns && !monitor_.cancelled(); j++) {
      list_.clear();
      eachPair(j, [&](size_t, double, size_t feature, double entry) {
        if (seen[feature] == static_cast<int64_t>(j) || (a_.dense != nullptr && entry == 0)) return;
        seen[feature] = static_cast<int64_t>(j);
        list_.push_back(static_cast<int32_t>(feature));
      });
      std::sort(list_.begin(), list_.end());
      for (size_t c = 0; c < k_; c++) {
        for (const int32_t f : list_) {
          for (size_t d = 0; d < k_; d++) {
            if (static_cast<size_t>(f) != j || d != c)
              graph_.indices.push_back(static_cast<int32_t>(static_cast<size_t>(f) * k_ + d));
          }
        }
        graph_.indptr[j * k_ + c + 1] = static_cast<int32_t>(graph_.indices.size());
      }
    }
    return graph_;
  }

 private:
  const double* column(size_t j) const { return &values_[j * m_]; }

  // A by its columns: compressed, or dense with each column contiguous.
  void takeColumns() {
    if (a_.dense != nullptr) {
      values_.resize(m_ * a_.columns);
      constexpr size_t kTile = 32;
      for (size_t r0 = 0; r0 < m_; r0 += kTile) {
        for (size_t j0 = 0; j0 < a_.columns; j0 += kTile) {
          for (size_t r = r0; r < std::min(m_, r0 + kTile); r++) {
            for (size_t j = j0; j < std::min(a_.columns, j0 + kTile); j++)
              values_[j * m_ + r] = a_.dense[r * a_.columns + j];
          }
        }
      }
      return;
    }
    const size_t nonzeros = static_cast<size_t>(a_.indptr[m_]);
    start_.resize(a_.columns + 1);
    where_.resize(nonzeros);
    values_.resize(nonzeros);
    for (size_t e = 0; e < nonzeros; e++) start_[a_.indices[e] + 1]++;
    for (size_t j = 0; j < a_.columns; j++) start_[j + 1] += start_[j];
    std::vector<int32_t> at(start_.begin(), start_.end() - 1);
    for (size_t r = 0; r < m_; r++) {
      for (int32_t e = a_.indptr[r]; e < a_.indptr[r + 1]; e++) {
        const int32_t place = at[a_.indices[e]]++;
        where_[place] = static_cast<int32_t>(r);
        values_[place] = a_.data[e];
      }
    }
  }

  // Bound of the second derivative of φ in its outputs c and d: 1, ¼, ½ (δ - 1/k) (Böhning).
  double boundWeight(size_t c, size_t d) const {
    if (p_.loss == Loss::leastSquares) return 1;
    if (p_.loss == Loss::logistic) return 0.25;
    return 0.5 * ((c == d ? 1.0 : 0.0) - 1 / static_cast<double>(k_));
  }

  // The second derivative itself.
  double weight(size_t r, size_t c, size_t d) const {
    if (p_.loss == Loss::leastSquares) return 1;
    const double s = slopes_[r * k_ + c];
    if (p_.loss == Loss::logistic) {
      const double p = std::fabs(s);
      return p * (1 - p);
    }
    const size_t own = static_cast<size_t>(p_.target[r]);
    const double p = s + (own == c ? 1 : 0), q = slopes_[r * k_ + d] + (own == d ? 1 : 0);
    return c == d ? p * (1 - p) : -p * q;
  }

  // φ_r and its slopes at these margins of row r.
  double evaluate(size_t r, const double* margins, double* slopes) const {
    const double target = p_.target[r];
    if (p_.loss == Loss::leastSquares) {
      const double residual = margins[0] - target;
      slopes[0] = residual;
      return 0.5 * residual * residual;
    }
    if (p_.loss == Loss::logistic) {
      const double z = -target * margins[0];
      slopes[0] = -target / (1 + std::exp(-z));
      return softplus(z);
    }
    double largest = margins[0], sum = 0;
    for (size_t c = 1; c < k_; c++) largest = std::max(largest, margins[c]);
    for (size_t c = 0; c < k_; c++) {
      slopes[c] = std::exp(margins[c] - largest);
      sum += slopes[c];
    }
    const size_t own = static_cast<size_t>(target);
    for (size_t c = 0; c < k_; c++) slopes[c] = slopes[c] / sum - (c == own ? 1 : 0);
    return largest - margins[own] + std::log(sum);
  }

  size_t rowLength(size_t r) const {
    return a_.dense != nullptr ? a_.columns : static_cast<size_t>(a_.indptr[r + 1] - a_.indptr[r]);
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

  double columnDot(size_t i, const double* w) const {
    const size_t j = i / k_, c = i % k_;
    if (a_.dense != nullptr)
      return cblas_ddot(static_cast<int>(m_), column(j), 1, w + c, static_cast<int>(k_));
    double sum = 0;
    for (int32_t e = start_[j]; e < start_[j + 1]; e++)
      sum += values_[e] * w[static_cast<size_t>(where_[e]) * k_ + c];
    return sum;
  }

  // out = Aᵀ w
  void transposed(const double* w, double* out) const {
    size_t work = 0;
    for (size_t i = 0; i < n; i++) {
      out[i] = columnDot(i, w);
      work += a_.dense != nullptr ? m_ : static_cast<size_t>(start_[i / k_ + 1] - start_[i / k_]);
      if (work < kEntriesPerLook) continue;
      work = 0;
      if (monitor_.cancelled()) return;
    }
  }

  // f(r, A_rj, other feature, A_r,other) over the rows of feature j.
  template <class F>
  void eachPair(size_t j, F&& f) const {
    if (a_.dense != nullptr) {
      for (size_t r = 0; r < m_; r++) {
        const double value = column(j)[r];
        if (value == 0) continue;
        for (size_t other = 0; other < a_.columns; other++)
          f(r, value, other, a_.dense[r * a_.columns + other]);
      }
      return;
    }
    for (int32_t e = start_[j]; e < start_[j + 1]; e++) {
      const size_t r = static_cast<size_t>(where_[e]);
      for (int32_t o = a_.indptr[r]; o < a_.indptr[r + 1]; o++)
        f(r, values_[e], static_cast<size_t>(a_.indices[o]), a_.data[o]);
    }
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

  const Problem& p_;
  const Matrix& a_;
  const double* x_;
  Monitor& monitor_;
  size_t m_, k_;
  std::vector<int32_t> start_, where_;
  std::vector<double> values_, squares_;
  std::vector<double> margins_, losses_, slopes_, moved_, slopeChange_, sum_, scattered_;
  std::vector<int32_t> touched_;
  std::vector<char> isTouched_;
  size_t touchedCount_ = 0;
  Graph graph_;
  std::vector<int32_t> list_;
  std::vector<char> seen_;
  std::vector<double> sums_;
};

}  // namespace

std::unique_ptr<Model> rowsModel(const Problem& problem, const double* x, bool tracks, Monitor& monitor) {
  return std::make_unique<RowsModel>(problem, x, tracks, monitor);
}

}  // namespace extrema::descent
