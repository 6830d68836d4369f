// Eigen's conjugate gradients with incomplete Cholesky on the 5-point Laplacian, as a measured peer.
// eigen_cg <points on a side> <repetitions> <tolerance> prints one JSON answer.
#include <Eigen/IterativeLinearSolvers>
#include <Eigen/SparseCore>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int, char** argv) {
  const int side = std::atoi(argv[1]), repetitions = std::atoi(argv[2]), n = side * side;
  using Matrix = Eigen::SparseMatrix<double>;
  std::vector<Eigen::Triplet<double>> entries;
  for (int i = 0; i < n; i++) {
    entries.emplace_back(i, i, 4);
    if (i % side > 0) entries.emplace_back(i, i - 1, -1);
    if (i % side + 1 < side) entries.emplace_back(i, i + 1, -1);
    if (i >= side) entries.emplace_back(i, i - side, -1);
    if (i + side < n) entries.emplace_back(i, i + side, -1);
  }
  Matrix a(n, n);
  a.setFromTriplets(entries.begin(), entries.end());
  const Eigen::VectorXd b = Eigen::VectorXd::Ones(n);
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  std::printf("{\"eigen\": \"%d.%d.%d\", \"seconds\": [", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION,
              EIGEN_MINOR_VERSION);
  long iterations = 0;
  double residual = 0;
  for (int k = 0; k < repetitions; k++) {
    const double start = now();
    Eigen::ConjugateGradient<Matrix, Eigen::Lower | Eigen::Upper, Eigen::IncompleteCholesky<double>> solver;
    solver.setTolerance(std::atof(argv[3]));
    solver.setMaxIterations(100000);
    solver.compute(a);
    const Eigen::VectorXd x = solver.solve(b);
    std::printf("%s%.6f", k > 0 ? ", " : "", now() - start);
    iterations = solver.iterations();
    residual = (b - a * x).norm() / b.norm();
  }
  std::printf("], \"iterations\": %ld, \"residual\": %.3e}\n", iterations, residual);
}
