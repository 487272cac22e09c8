// One load in figures, and how they are written.
#pragma once

#include <string>

#include "client/bench/load.h"

namespace quorate::bench {

// One load, summed up. Times in microseconds.
struct Figures {
  double rate = 0;  // operations a second
  double p50_us = 0, p99_us = 0, p999_us = 0;
};
Figures figures_of(const LoadResult& result);

// As printf does, up to 255 bytes.
__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...);
// "1,234,567"
std::string with_commas(double value);
// Three digits that matter, in us, ms or s.
std::string time_text(double us);
}  // namespace quorate::bench
