// The command `watch`: every change, one a line with its zxid, until a signal or until the history does not
// reach back far enough.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

struct WatchArguments {
  std::string path;
  bool recursive = false;
  uint64_t since = 0;  // 0: from now on
};
int watch(const Globals& globals, const WatchArguments& args);

}  // namespace quorate::cli
