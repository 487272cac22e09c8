// Figures and how they are written: what the reports of this program share.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/load.h"
#include "tests/bench/machine.h"

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
// Of an aim.
std::string verdict(bool met);

using Cells = std::vector<std::string>;
// Columns as wide as their widest cell: the first one to the left, the others to the right.
// REQUIRES: at least one row, and each as long as the first.
std::string aligned(const std::vector<Cells>& table);

std::string json_figures(const Figures& figures);
// Quoted. Control characters become spaces.
std::string json_string(const std::string& text);
std::string json_machine(const Machine& machine);

}  // namespace quorate::bench
