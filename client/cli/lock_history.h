// The command `lock history`.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

int lock_history(const Globals& globals, const std::string& path);

}  // namespace quorate::cli
