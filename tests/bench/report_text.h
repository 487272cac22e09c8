// Figures and how they are written: what the reports of this program share.
#pragma once

#include <string>
#include <vector>

#include "client/bench/figures.h"
#include "tests/bench/machine.h"

namespace quorate::bench {

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
