#include "transport/solve.h"
namespace extrema::transport {
void sinkhornNewtonSparse(const Problem& p, const Options& o, double* f, double* g, Report& r, History& h, Monitor& m) { sinkhorn(p, o, f, g, r, h, m); }
}
