// Numbers for the paths that one entry names, so that what is noted of each stands in a vector.
//
// Thread safety: none.
//
// Clients choose the paths and can compute a checksum that has no key. So it only comes first where two are
// compared, since long paths begin alike; paths that have the same find their places by their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "base/checksum.h"

namespace quorate::kv {

class PathNumbers {
 public:
  struct Numbered {
    size_t number = 0;  // from 0 up, in the order in which they come first
    bool first = false;
  };
  // REQUIRES: the path stays where it is.
  Numbered of(std::string_view path) {
    const auto [at, first] = numbers_.try_emplace({checksum64(path), path}, numbers_.size());
    return {at->second, first};
  }

 private:
  std::map<std::pair<uint64_t, std::string_view>, size_t> numbers_;
};

}  // namespace quorate::kv
