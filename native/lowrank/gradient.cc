#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "lowrank/dictionary.h"

namespace extrema::lowrank {

namespace {

int asInt(size_t n) { return static_cast<int>(n); }

void gemm(CBLAS_TRANSPOSE first, size_t m, size_t n, size_t k, const double* a, size_t lda, const double* b,
          double beta, double* c) {
  cblas_dgemm(CblasRowMajor, first, CblasNoTrans, asInt(m), asInt(n), asInt(k), 1, a, asInt(lda), b, asInt(n),
              beta, c, asInt(n));
}
void gemm(CBLAS_TRANSPOSE first, size_t m, size_t n, size_t k, const float* a, size_t lda, const float* b,
          double beta, float* c) {
  cblas_sgemm(CblasRowMajor, first, CblasNoTrans, asInt(m), asInt(n), asInt(k), 1, a, asInt(lda), b, asInt(n),
              static_cast<float>(beta), c, asInt(n));
}

constexpr size_t kBlockNumbers = size_t{1} << 19;  // of coefficients that are held at a time
constexpr size_t kChunkWork = size_t{1} << 18;     // multiplications of a chunk
constexpr size_t kLanes = 8;

// Sums in eight lanes, which compilers turn into vectors.
struct Lanes {
  double lane[kLanes] = {};
  double total() const {
    double sum = 0;
    for (const double x : lane) sum += x;
    return sum;
  }
};

template <class T>
class Products {
 public:
  Products(const T* samples, size_t n, const Coding& coding, size_t mostRows, Team& team)
      : samples_(samples),
        n_(n),
        coding_(coding),
        team_(team),
        blockRows_(std::min(mostRows, std::max<size_t>(64, kBlockNumbers / n))),
        chunkRows_(std::max<size_t>(8, kChunkWork / (n * n))),
        z_(blockRows_ * n),
        w_(std::is_same_v<T, double> ? 0 : n * n),
        part_(std::is_same_v<T, double> ? 0 : n * n),
        sums_((blockRows_ + chunkRows_ - 1) / chunkRows_),
        magnitudes_(team.size()) {
    for (auto& room : magnitudes_) room.resize(coding.shaping == Shaping::keep ? n : 0);
  }

  Sums evaluate(size_t begin, size_t rows, const double* w, double* out) {
    Sums all;
    const T* factor = asOwn(w);
    for (size_t at = 0; at < rows && !team_.monitor().cancelled(); at += blockRows_) {
      const size_t count = std::min(blockRows_, rows - at);
      const T* y = samples_ + (begin + at) * n_;
      shape(y, count, factor, z_.data(), all);
      multiply(y, count, z_.data(), at > 0, out);
    }
    return all;
  }

  void codes(size_t rows, const double* w, T* out) {
    Sums unused;
    const T* factor = asOwn(w);
    for (size_t at = 0; at < rows && !team_.monitor().cancelled(); at += blockRows_)
      shape(samples_ + at * n_, std::min(blockRows_, rows - at), factor, out + at * n_, unused);
  }

  void addSquares(size_t begin, size_t rows, double* out) {
    for (size_t at = 0; at < rows && !team_.monitor().cancelled(); at += blockRows_) {
      const T* y = samples_ + (begin + at) * n_;
      multiply(y, std::min(blockRows_, rows - at), y, true, out);
    }
  }

 private:
  const T* asOwn(const double* w) {
    if constexpr (std::is_same_v<T, double>) {
      return w;
    } else {
      for (size_t i = 0; i < n_ * n_; i++) w_[i] = static_cast<T>(w[i]);
      return w_.data();
    }
  }

  // z = shaped(y w), chunk by chunk; the sums in their order.
  void shape(const T* y, size_t rows, const T* w, T* z, Sums& all) {
    const auto chunks = static_cast<uint32_t>((rows + chunkRows_ - 1) / chunkRows_);
    team_.run(chunks, [&](uint32_t chunk, unsigned worker) {
      const size_t begin = chunk * chunkRows_, count = std::min(chunkRows_, rows - begin);
      T* own = z + begin * n_;
      gemm(CblasNoTrans, count, n_, n_, y + begin * n_, n_, w, 0, own);
      Sums& sums = sums_[chunk];
      sums = {};
      for (size_t i = begin * n_; i < (begin + count) * n_; i++)
        sums.largest = std::max(sums.largest, static_cast<double>(std::fabs(y[i])));
      switch (coding_.shaping) {
        case Shaping::cube:
          powers<3>(own, count * n_, sums);
          break;
        case Shaping::fourth:
          powers<4>(own, count * n_, sums);
          break;
        default:
          for (size_t i = 0; i < count; i++) thin(own + i * n_, worker, sums);
      }
    });
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
      const Sums& sums = sums_[chunk];
      all.objective += sums.objective;
      all.second += sums.second;
      all.fourth += sums.fourth;
      all.largest = std::max(all.largest, sums.largest);
    }
  }

  template <int kPower>
  void powers(T* z, size_t count, Sums& sums) {
    const T unit = static_cast<T>(1 / coding_.scale);
    Lanes objective, second, fourth;
    const auto one = [&](size_t i, size_t lane) {
      const T x = z[i] * unit, square = x * x;
      const T shaped = kPower == 3 ? x * std::fabs(x) : x * square;
      objective.lane[lane] += static_cast<double>(std::fabs(shaped * x));
      second.lane[lane] += static_cast<double>(square);
      fourth.lane[lane] += static_cast<double>(square) * static_cast<double>(square);
      z[i] = shaped * unit;
    };
    size_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      for (size_t lane = 0; lane < kLanes; lane++) one(i + lane, lane);
    }
    for (; i < count; i++) one(i, 0);
    sums.objective = objective.total();
    sums.second = second.total();
    sums.fourth = fourth.total();
  }

  // Takes the small ones out of the coefficients of a sample.
  void thin(T* z, unsigned worker, Sums& sums) {
    if (coding_.shaping == Shaping::threshold) {
      const T least = static_cast<T>(coding_.threshold);
      for (size_t j = 0; j < n_; j++) {
        if (std::fabs(z[j]) < least) z[j] = 0;
      }
    } else if (coding_.keep < n_) {
      // The first of equal magnitudes stay.
      std::vector<T>& magnitudes = magnitudes_[worker];
      for (size_t j = 0; j < n_; j++) magnitudes[j] = std::fabs(z[j]);
      const auto last = magnitudes.begin() + static_cast<std::ptrdiff_t>(coding_.keep - 1);
      std::nth_element(magnitudes.begin(), last, magnitudes.end(), [](T a, T b) { return a > b; });
      const T least = *last;
      size_t ties = coding_.keep;
      for (size_t j = 0; j < n_; j++) ties -= std::fabs(z[j]) > least;
      for (size_t j = 0; j < n_; j++) {
        const T magnitude = std::fabs(z[j]);
        if (magnitude < least || (magnitude == least && ties == 0)) {
          z[j] = 0;
        } else if (magnitude == least) {
          ties--;
        }
      }
    }
    for (size_t j = 0; j < n_; j++) sums.objective += static_cast<double>(z[j]) * static_cast<double>(z[j]);
  }

  // out (+)= yᵀ z, by rows of out.
  void multiply(const T* y, size_t rows, const T* z, bool add, double* out) {
    const size_t height = std::max<size_t>(8, std::min(n_, 4 * kChunkWork / (rows * n_)));
    const auto chunks = static_cast<uint32_t>((n_ + height - 1) / height);
    team_.run(chunks, [&](uint32_t chunk, unsigned) {
      const size_t begin = chunk * height, count = std::min(height, n_ - begin);
      if constexpr (std::is_same_v<T, double>) {
        gemm(CblasTrans, count, n_, rows, y + begin, n_, z, add ? 1 : 0, out + begin * n_);
      } else {
        T* part = part_.data() + begin * n_;
        gemm(CblasTrans, count, n_, rows, y + begin, n_, z, 0, part);
        double* sum = out + begin * n_;
        for (size_t i = 0; i < count * n_; i++) sum[i] = (add ? sum[i] : 0) + static_cast<double>(part[i]);
      }
    });
  }

  const T* samples_;
  size_t n_;
  Coding coding_;
  Team& team_;
  size_t blockRows_, chunkRows_;
  Aligned<T> z_, w_, part_;
  std::vector<Sums> sums_;
  std::vector<std::vector<T>> magnitudes_;  // for each worker
};

}  // namespace

struct Gradient::Work {
  size_t rows;
  std::unique_ptr<Products<double>> as64;
  std::unique_ptr<Products<float>> as32;
};

Gradient::Gradient(const Samples& samples, const Coding& coding, size_t mostRows, Team& team)
    : work_(std::make_unique<Work>()) {
  work_->rows = samples.rows;
  if (samples.as64 != nullptr) {
    work_->as64 = std::make_unique<Products<double>>(samples.as64, samples.n, coding, mostRows, team);
  } else {
    work_->as32 = std::make_unique<Products<float>>(samples.as32, samples.n, coding, mostRows, team);
  }
}
Gradient::~Gradient() = default;

Sums Gradient::evaluate(size_t begin, size_t rows, const double* w, double* out) {
  return work_->as64 ? work_->as64->evaluate(begin, rows, w, out)
                     : work_->as32->evaluate(begin, rows, w, out);
}

void Gradient::codes(const double* w, void* out) {
  if (work_->as64) {
    work_->as64->codes(work_->rows, w, static_cast<double*>(out));
  } else {
    work_->as32->codes(work_->rows, w, static_cast<float*>(out));
  }
}

void Gradient::addSquares(size_t begin, size_t rows, double* out) {
  if (work_->as64) {
    work_->as64->addSquares(begin, rows, out);
  } else {
    work_->as32->addSquares(begin, rows, out);
  }
}

}  // namespace extrema::lowrank
