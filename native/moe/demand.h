#pragma once

#include <vector>

#include "moe/routing.h"

namespace extrema::moe {

// What tokens choose at given prices: the k + 1 best experts of each, kept up to date as single prices
// change.
class Demand {
 public:
  Demand(const Routing& routing, Monitor& monitor);

  // From scratch.
  void evaluate();
  // Changes p_e so that expert e is wanted by as many tokens as it can take, or to 0 if it is wanted by
  // fewer: between the capacity-th and the next of what tokens would pay, s_te less the best they could have
  // instead.
  void balance(size_t e);
  // How many tokens more than they can take want the experts, and fewer those that have a price.
  double imbalance();
  // phi(p)
  double bound() const;
  // The mean of s_te - s_tf between a token's best expert e and its (k + 1)-th best f: what a price is
  // measured in.
  double spread() const;

  // The experts that token t takes, fewer than k only if `partial`.
  size_t taken(size_t t, const int32_t** experts) const;

  std::vector<double> prices;
  std::vector<int32_t> load;  // after imbalance()

 private:
  void evaluateToken(size_t t);
  void setPrice(size_t e, double price);

  const Routing& routing_;
  Monitor& monitor_;
  size_t width_;  // k + 1
  std::vector<double> value_;
  std::vector<int32_t> expert_;
  std::vector<double> scratch_, offers_;
  std::vector<double> column_;  // the scores by experts
};

}  // namespace extrema::moe
