#pragma once

#include "transport/light-bridge/mixture.h"
#include "transport/light-bridge/stream.h"

namespace extrema::transport::bridge {

// Of n points: log c (source) or log v, and the softmax of its terms (n × K) unless null.
void evaluate(const Mixture& mixture, bool source, unsigned threads, const double* x, size_t n,
              double* logSum, double* weights, Monitor& monitor);

// out (n × D): the drift at time t.
void drift(const Mixture& mixture, double t, unsigned threads, const double* x, size_t n, double* out,
           Monitor& monitor);

// out (n × count × D): draws from pi(x1 | x0). Draw j takes number j of `picks` for its component and the D
// numbers from j D on of `normals`.
void sample(const Mixture& mixture, unsigned threads, const double* x, size_t n, size_t count, Stream picks,
            Stream normals, double* out, Monitor& monitor);

// Euler-Maruyama from x (n × D) along the times grid_0 < … < grid_last. Where keep_s != 0 the state at grid_s
// goes to out (n × kept × D). Each step takes n D numbers of `normals`, rounded up to an even count.
void trajectories(const Mixture& mixture, unsigned threads, const double* x, size_t n, const double* grid,
                  const double* keep, size_t gridSize, Stream normals, double* out, Monitor& monitor);

}  // namespace extrema::transport::bridge
