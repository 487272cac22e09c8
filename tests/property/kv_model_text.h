// Names and paths as the model takes them apart.
#pragma once

#include <cstdint>
#include <cstdio>
#include <regex>
#include <string>

#include "kv/place_mode.h"

namespace quorate::kv {

inline std::string above(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

inline std::string suffix(uint64_t count) {
  char text[32];
  std::snprintf(text, sizeof(text), "%010llu", static_cast<unsigned long long>(count));
  return text;
}

inline bool is_lock_name(const std::string& path) {
  return std::regex_search(path, std::regex("lock-[0-9]+$"));
}
inline bool is_kazoo_name(const std::string& path) {
  return std::regex_search(path, std::regex("__r?lock__[0-9]+$"));
}

// How a place with this data holds; plainly exclusive, where it says nothing.
PlaceMode mode_in(const std::string& data);

}  // namespace quorate::kv
