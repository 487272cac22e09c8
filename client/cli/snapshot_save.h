// `snapshot save FILE` from a running cluster.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

int save_running(const Globals& globals, const std::string& file);

}  // namespace quorate::cli
