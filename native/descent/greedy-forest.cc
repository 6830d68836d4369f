#include "descent/greedy-forest.h"

namespace extrema::descent {

void GreedyForest::grow(const std::vector<int32_t>& order) {
  const Graph& graph = s_.model.graph();
  sets_.clear();
  s_.size = 0;
  for (size_t k = 0; k < s_.live.size(); k++) {
    const int32_t i = order[k];
    bool closes = false;
    int32_t end = graph.indptr[i];
    for (; end < graph.indptr[i + 1] && !closes; end++) {
      if (s_.place[graph.indices[end]] < 0) continue;
      char& mark = roots_[sets_.find(graph.indices[end])];
      closes = mark != 0;
      mark = 1;
    }
    for (int32_t e = graph.indptr[i]; e < end; e++) {
      if (s_.place[graph.indices[e]] >= 0) roots_[sets_.find(graph.indices[e])] = 0;
    }
    if (closes) continue;
    for (int32_t e = graph.indptr[i]; e < end; e++) {
      if (s_.place[graph.indices[e]] >= 0) sets_.unite(i, sets_.find(graph.indices[e]));
    }
    s_.place[i] = static_cast<int32_t>(s_.size);
    s_.block[s_.size++] = i;
  }
  s_.leave();
}

}  // namespace extrema::descent
