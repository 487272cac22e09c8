// One command of each kind, encoded, for the targets that read commands.
#pragma once

#include <string>
#include <vector>

namespace quorate::fuzz {

std::vector<std::string> command_seeds();

}  // namespace quorate::fuzz
