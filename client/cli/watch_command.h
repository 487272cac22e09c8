// The command `watch`: every change that can be known, one a line, until a signal.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

int watch(const Globals& globals, const std::string& path);

}  // namespace quorate::cli
