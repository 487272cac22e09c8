// Keeps somebody who does the same wrong thing over and over (a stranger that dials every second, a scanner)
// from filling the log: the first time is told at once, then at most once a minute, with how many there were.
//
// Thread safety: none.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/time.h"

namespace quorate::server {

class LogRepeats {
 public:
  static constexpr Duration kInterval = std::chrono::minutes(1);
  static constexpr size_t kKindsMax = 256;

  // The line to log, or "" for one to be left out. `kind` is what makes two lines the same news.
  std::string admit(const std::string& kind, std::string line, Instant now) {
    auto found = told_.find(kind);
    if (found == told_.end()) {
      if (told_.size() >= kKindsMax) told_.clear();
      told_[kind] = {now, 0};
      return line;
    }
    Told& told = found->second;
    if (now - told.at < kInterval) {
      ++told.left_out;
      return {};
    }
    if (told.left_out > 0)
      line += " (and " + std::to_string(told.left_out) + " times since this was last told)";
    told = {now, 0};
    return line;
  }

 private:
  struct Told {
    Instant at;
    uint64_t left_out = 0;
  };
  std::map<std::string, Told> told_;
};

}  // namespace quorate::server
