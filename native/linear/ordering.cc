#include "linear/ordering.h"

#include <algorithm>
#include <cmath>

namespace extrema::linear {

namespace {

// The quotient graph. A live variable stands for itself and those found to be like it; its list has its
// elements first, then its variables. A live element is an eliminated variable with the list of those that
// its elimination joined.
class QuotientGraph {
 public:
  QuotientGraph(size_t n, const int32_t* indptr, const int32_t* indices, int32_t* order)
      : n_(n),
        order_(order),
        start_(n),
        length_(n),
        elements_(n, 0),
        weight_(n, 1),
        degree_(n, 0),
        external_(n, 0),
        outside_(n, 0),
        state_(n, kVariable),
        reached_(n, 0),
        measured_(n, 0),
        mark_(n, 0),
        head_(n + 1, -1),
        next_(n, -1),
        previous_(n, -1),
        member_(n, -1),
        last_(n),
        bucket_(n, -1),
        chain_(n, -1),
        hash_(n, 0) {
    const double many = std::max(16.0, 10 * std::sqrt(static_cast<double>(n)));
    std::vector<char> isDense(n);
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
      const int32_t count = indptr[i + 1] - indptr[i];
      isDense[i] = count > many;
      if (!isDense[i]) total += static_cast<size_t>(count);
    }
    lists_.reserve(total + total / 4 + n);
    for (size_t i = 0; i < n; i++) {
      last_[i] = static_cast<int32_t>(i);
      start_[i] = lists_.size();
      if (isDense[i]) {
        state_[i] = kDead;
        dense_.push_back(static_cast<int32_t>(i));
        continue;
      }
      for (int32_t k = indptr[i]; k < indptr[i + 1]; k++) {
        const auto j = static_cast<size_t>(indices[k]);
        if (j != i && !isDense[j]) lists_.push_back(indices[k]);
      }
      length_[i] = lists_.size() - start_[i];
      degree_[i] = static_cast<int32_t>(length_[i]);
      enter(static_cast<int32_t>(i));
    }
    left_ = static_cast<int32_t>(n - dense_.size());
  }

  void run(Monitor& monitor) {
    for (size_t step = 0; left_ > 0; step++) {
      if (step % 1024 == 0 && monitor.cancelled()) return;
      eliminate();
    }
    for (const int32_t i : dense_) order_[placed_++] = i;
  }

 private:
  enum State : char { kVariable, kElement, kDead };
  static size_t at(int32_t i) { return static_cast<size_t>(i); }

  void enter(int32_t i) {
    const int32_t d = degree_[at(i)];
    next_[at(i)] = head_[at(d)];
    previous_[at(i)] = -1;
    if (head_[at(d)] >= 0) previous_[at(head_[at(d)])] = i;
    head_[at(d)] = i;
    least_ = std::min(least_, d);
  }
  void leave(int32_t i) {
    const size_t k = at(i);
    if (next_[k] >= 0) previous_[at(next_[k])] = previous_[k];
    if (previous_[k] >= 0) {
      next_[at(previous_[k])] = next_[k];
    } else {
      head_[at(degree_[k])] = next_[k];
    }
  }
  // j goes right after i and what goes with i.
  void join(int32_t i, int32_t j) {
    member_[at(last_[at(i)])] = j;
    last_[at(i)] = last_[at(j)];
    state_[at(j)] = kDead;
  }

  // Moves the live lists together if `room` more entries would not fit.
  void makeRoom(size_t room) {
    if (lists_.size() + room <= lists_.capacity()) return;
    std::vector<int32_t> live;
    for (size_t i = 0; i < n_; i++) {
      if (state_[i] != kDead) live.push_back(static_cast<int32_t>(i));
    }
    std::sort(live.begin(), live.end(),
              [this](int32_t i, int32_t j) { return start_[at(i)] < start_[at(j)]; });
    size_t end = 0;
    for (const int32_t i : live) {
      std::copy_n(&lists_[start_[at(i)]], length_[at(i)], &lists_[end]);
      start_[at(i)] = end;
      end += length_[at(i)];
    }
    lists_.resize(end);
    if (end + room > lists_.capacity()) lists_.reserve(end + end / 2 + room);
  }

  void eliminate() {
    while (head_[at(least_)] < 0) least_++;
    const int32_t p = head_[at(least_)];
    leave(p);
    pass_++;
    const int32_t reach = joinLists(p);
    measureElements(p);
    const int32_t left = reach - updateLists(p);
    finish(p, left);
    for (int32_t i = p; i >= 0; i = member_[at(i)]) {
      order_[placed_++] = i;
      left_--;
    }
  }

  // The list of the new element p: what p and its elements reach. They leave their degree lists. Returns
  // their weight.
  int32_t joinLists(int32_t p) {
    const size_t from = start_[at(p)];
    size_t room = length_[at(p)];
    for (size_t k = from; k < from + elements_[at(p)]; k++) room += length_[at(lists_[k])];
    makeRoom(room);
    const size_t begin = lists_.size();
    int32_t reach = 0;
    reached_[at(p)] = pass_;
    const auto take = [&](int32_t i) {
      if (state_[at(i)] != kVariable || reached_[at(i)] == pass_) return;
      reached_[at(i)] = pass_;
      lists_.push_back(i);
      reach += weight_[at(i)];
      leave(i);
    };
    const size_t own = start_[at(p)];
    for (size_t k = own; k < own + length_[at(p)]; k++) {
      const int32_t j = lists_[k];
      if (k >= own + elements_[at(p)]) {
        take(j);
      } else if (state_[at(j)] == kElement) {
        for (size_t l = start_[at(j)]; l < start_[at(j)] + length_[at(j)]; l++) take(lists_[l]);
        state_[at(j)] = kDead;
      }
    }
    state_[at(p)] = kElement;
    start_[at(p)] = begin;
    length_[at(p)] = lists_.size() - begin;
    elements_[at(p)] = 0;
    return reach;
  }

  // outside_e = |L_e \ L_p| for the elements of all variables in L_p.
  void measureElements(int32_t p) {
    for (size_t k = start_[at(p)]; k < start_[at(p)] + length_[at(p)]; k++) {
      const int32_t i = lists_[k];
      for (size_t l = start_[at(i)]; l < start_[at(i)] + elements_[at(i)]; l++) {
        const size_t e = at(lists_[l]);
        if (state_[e] != kElement) continue;
        if (measured_[e] != pass_) {
          measured_[e] = pass_;
          outside_[e] = degree_[e];
        }
        outside_[e] -= weight_[at(i)];
      }
    }
  }

  // New lists of the variables in L_p, and what they reach besides. Those that reach nothing else go with p:
  // returns their weight. Those alike become one.
  int32_t updateLists(int32_t p) {
    int32_t gone = 0;
    touched_.clear();
    for (size_t k = start_[at(p)]; k < start_[at(p)] + length_[at(p)]; k++) {
      const int32_t i = lists_[k];
      const size_t from = start_[at(i)];
      uint32_t hash = 0;
      int32_t external = 0;
      scratch_.assign(1, p);
      for (size_t l = from; l < from + elements_[at(i)]; l++) {
        const int32_t e = lists_[l];
        if (state_[at(e)] != kElement) continue;
        if (outside_[at(e)] == 0) {
          // All that e reaches p reaches too.
          state_[at(e)] = kDead;
          continue;
        }
        external += outside_[at(e)];
        hash += static_cast<uint32_t>(e);
        scratch_.push_back(e);
      }
      const size_t elements = scratch_.size();
      for (size_t l = from + elements_[at(i)]; l < from + length_[at(i)]; l++) {
        const int32_t j = lists_[l];
        if (state_[at(j)] != kVariable || reached_[at(j)] == pass_) continue;
        external += weight_[at(j)];
        hash += static_cast<uint32_t>(j);
        scratch_.push_back(j);
      }
      if (external == 0) {
        gone += weight_[at(i)];
        join(p, i);
        continue;
      }
      // It fits: what reached i, p or an element that p took in, is no longer in the list.
      std::copy(scratch_.begin(), scratch_.end(), &lists_[from]);
      elements_[at(i)] = elements;
      length_[at(i)] = scratch_.size();
      external_[at(i)] = external;
      mergeAlike(i, static_cast<size_t>(hash % static_cast<uint32_t>(n_)));
    }
    for (const int32_t i : touched_) bucket_[hash_[at(i)]] = -1;
    return gone;
  }

  void mergeAlike(int32_t i, size_t hash) {
    if (bucket_[hash] >= 0) {
      tag_++;
      for (size_t l = start_[at(i)]; l < start_[at(i)] + length_[at(i)]; l++) mark_[at(lists_[l])] = tag_;
      for (int32_t other = bucket_[hash]; other >= 0; other = chain_[at(other)]) {
        if (length_[at(other)] != length_[at(i)] || elements_[at(other)] != elements_[at(i)]) continue;
        const int32_t* list = &lists_[start_[at(other)]];
        if (!std::all_of(list, list + length_[at(other)], [this](int32_t j) { return mark_[at(j)] == tag_; }))
          continue;
        weight_[at(other)] += weight_[at(i)];
        join(other, i);
        return;
      }
    }
    chain_[at(i)] = bucket_[hash];
    bucket_[hash] = i;
    hash_[at(i)] = hash;
    touched_.push_back(i);
  }

  // The element's list keeps the live variables; they get their degrees.
  void finish(int32_t p, int32_t reach) {
    size_t end = start_[at(p)];
    const int32_t eliminated = countMembers(p);
    for (size_t k = start_[at(p)]; k < start_[at(p)] + length_[at(p)]; k++) {
      const int32_t i = lists_[k];
      if (state_[at(i)] != kVariable) continue;
      const int32_t others = reach - weight_[at(i)];
      degree_[at(i)] =
          std::min({degree_[at(i)] + others, external_[at(i)] + others, left_ - eliminated - weight_[at(i)]});
      enter(i);
      lists_[end++] = i;
    }
    length_[at(p)] = end - start_[at(p)];
    lists_.resize(end);
    degree_[at(p)] = reach;
    if (length_[at(p)] == 0) state_[at(p)] = kDead;
  }
  int32_t countMembers(int32_t p) const {
    int32_t count = 0;
    for (int32_t i = p; i >= 0; i = member_[at(i)]) count++;
    return count;
  }

  size_t n_, placed_ = 0;
  int32_t left_ = 0, least_ = 0, pass_ = 0, tag_ = 0;
  int32_t* order_;
  std::vector<int32_t> lists_;
  std::vector<size_t> start_, length_, elements_;
  std::vector<int32_t> weight_, degree_, external_, outside_;
  std::vector<State> state_;
  std::vector<int32_t> reached_, measured_, mark_, head_, next_, previous_, member_, last_, bucket_, chain_;
  std::vector<size_t> hash_;
  std::vector<int32_t> touched_, scratch_, dense_;
};

}  // namespace

void minimumDegree(size_t n, const int32_t* indptr, const int32_t* indices, int32_t* order,
                   Monitor& monitor) {
  QuotientGraph(n, indptr, indices, order).run(monitor);
}

}  // namespace extrema::linear
