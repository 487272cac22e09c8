// `snapshot save FILE` from a running cluster, and what it shares with the other commands of backups.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace quorate::cli {

int save_running(const Globals& globals, const std::string& file);

// As report(), of a file or a folder: one that is not there is no node.
int report_file(const std::string& name, const Error& error);

}  // namespace quorate::cli
