#pragma once

#include <cstddef>
#include <cstdint>

#include "core/team.h"
#include "linear/view.h"

namespace extrema::dense {

// In the order of lib/backend/linear-dense.ts. countSketch is sparseSign with one nonzero.
enum class SketchKind : int { gaussian, srht, sparseSign, rows, normRows };

// A random matrix S of `rows` x `inputRows` with E S^T S = I. Word w of the stream are the 64 bits w of the
// generator under `key`: high and low half.
//   gaussian    S_ij = normal(word j p + i) / sqrt(rows), p = rows rounded up to even
//   srht        S_ij = sign_j (-1)^(bits of i' & j) / sqrt(rows), i' = selection[i]; sign_j the lowest bit of
//   word j sparseSign  in column j `nonzeros` different rows, by R. W. Floyd's sampling, each +-1 /
//   sqrt(nonzeros): of word
//               j nonzeros + t the high half, times the number of rows left, over 2^32 is the row and the
//               lowest bit the sign
//   rows        row i is scales[i] times unit vector selection[i]
//   normRows    the same, drawn from the matrix: word i chooses a row with probability proportional to its
//   squared norm
struct Sketch {
  SketchKind kind = SketchKind::sparseSign;
  size_t rows = 0, inputRows = 0, nonzeros = 8;
  uint32_t key[2] = {};
  int32_t* selection = nullptr;
  double* scales = nullptr;
};

// Draws the rows of `normRows`: fills selection and scales.
void drawRows(Team& team, const Sketch& sketch, const MatrixView& a);
// out (rows x columns of a) = S a
void applySketch(Team& team, const Sketch& sketch, const MatrixView& a, double* out);
// out (inputRows x columns) = S^T y, y rows x columns
void applySketchTransposed(Team& team, const Sketch& sketch, const double* y, size_t columns, double* out);

}  // namespace extrema::dense
