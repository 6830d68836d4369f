#pragma once

#include <stdexcept>
#include <string>

namespace extrema {

// What a kernel throws: becomes an ExtremaError with this code at the façade.
class Error : public std::runtime_error {
 public:
  Error(const char* code, const std::string& message) : std::runtime_error(message), code_(code) {}
  const char* code() const noexcept { return code_; }

 private:
  const char* code_;
};

}  // namespace extrema
