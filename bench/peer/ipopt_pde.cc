// IPOPT on the PDE control problem of test/constrained/problems/pde-control.ts, from Debian's coinor-libipopt-dev:
//   g++ -O2 ipopt_pde.cc -I/usr/include/coin -lipopt -o ipopt_pde && ./ipopt_pde N tolerance
// Prints one line of JSON.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define HAVE_CSTDDEF
#include "IpIpoptApplication.hpp"
#include "IpSolveStatistics.hpp"
#include "IpTNLP.hpp"

using namespace Ipopt;

class Control : public TNLP {
 public:
  explicit Control(int size) : size_(size), m_(size * size), inverse_(std::pow((size + 1) / 2.0, 2)) {}
  double value = 0;

  bool get_nlp_info(Index& n, Index& m, Index& jacobian, Index& hessian, IndexStyleEnum& style) override {
    n = 2 * m_;
    m = m_;
    jacobian = 6 * m_ - 4 * size_;
    hessian = n;
    style = C_STYLE;
    return true;
  }
  bool get_bounds_info(Index n, Number* xl, Number* xu, Index m, Number* gl, Number* gu) override {
    for (Index i = 0; i < n; i++) xl[i] = -1e20, xu[i] = 1e20;
    for (Index j = 0; j < m; j++) gl[j] = gu[j] = 0;
    return true;
  }
  bool get_starting_point(Index n, bool, Number* x, bool, Number*, Number*, Index, bool, Number*) override {
    for (Index i = 0; i < n; i++) x[i] = 0;
    return true;
  }
  double target(Index k) const {
    const double scale = 0.1 / std::sqrt(15.0), middle = (size_ + 1) / 2.0;
    return std::sin(4 + scale * (k / size_ + 1 - middle)) + std::cos(3 + scale * (k % size_ + 1 - middle));
  }
  bool eval_f(Index, const Number* x, bool, Number& f) override {
    f = 0;
    for (Index k = 0; k < m_; k++) f += 0.5 * std::pow(x[k] - target(k), 2) + 0.05 * x[m_ + k] * x[m_ + k];
    return true;
  }
  bool eval_grad_f(Index, const Number* x, bool, Number* g) override {
    for (Index k = 0; k < m_; k++) g[k] = x[k] - target(k), g[m_ + k] = 0.1 * x[m_ + k];
    return true;
  }
  template <class F>
  void entries(F visit) const {
    for (Index k = 0; k < m_; k++) {
      const Index row = k / size_, column = k % size_;
      if (row > 0) visit(k, k - size_, inverse_);
      if (column > 0) visit(k, k - 1, inverse_);
      visit(k, k, -4 * inverse_);
      if (column + 1 < size_) visit(k, k + 1, inverse_);
      if (row + 1 < size_) visit(k, k + size_, inverse_);
      visit(k, m_ + k, 1.0);
    }
  }
  bool eval_g(Index, const Number* x, bool, Index m, Number* g) override {
    for (Index j = 0; j < m; j++) g[j] = 0;
    entries([&](Index i, Index j, double a) { g[i] += a * x[j]; });
    return true;
  }
  bool eval_jac_g(Index, const Number*, bool, Index, Index, Index* rows, Index* columns, Number* out) override {
    Index at = 0;
    entries([&](Index i, Index j, double a) {
      if (out == nullptr) {
        rows[at] = i;
        columns[at] = j;
      } else {
        out[at] = a;
      }
      at++;
    });
    return true;
  }
  bool eval_h(Index n, const Number*, bool, Number factor, Index, const Number*, bool, Index, Index* rows,
              Index* columns, Number* out) override {
    for (Index i = 0; i < n; i++) {
      if (out == nullptr) {
        rows[i] = columns[i] = i;
      } else {
        out[i] = factor * (i < m_ ? 1.0 : 0.1);
      }
    }
    return true;
  }
  void finalize_solution(SolverReturn, Index, const Number*, const Number*, const Number*, Index, const Number*,
                         const Number*, Number f, const IpoptData*, IpoptCalculatedQuantities*) override {
    value = f;
  }

 private:
  Index size_, m_;
  double inverse_;
};

int main(int, char** argv) {
  Control* control = new Control(std::atoi(argv[1]));
  SmartPtr<TNLP> problem = control;
  SmartPtr<IpoptApplication> app = IpoptApplicationFactory();
  app->Options()->SetIntegerValue("print_level", 0);
  app->Options()->SetStringValue("sb", "yes");
  app->Options()->SetNumericValue("tol", std::atof(argv[2]));
  if (app->Initialize() != Solve_Succeeded) return 1;
  const auto start = std::chrono::steady_clock::now();
  if (app->OptimizeTNLP(problem) != Solve_Succeeded) return 1;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"seconds\":%.6f,\"iterations\":%d,\"value\":%.12g,\"peakMiB\":%.1f}\n", seconds,
              static_cast<int>(app->Statistics()->IterationCount()), control->value, usage.ru_maxrss / 1024.0);
}
