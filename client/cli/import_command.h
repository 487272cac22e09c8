// `import --zookeeper HOST:PORT FILE`: all that a ZooKeeper ensemble holds, as a backup that `snapshot
// restore` makes a new cluster of; `--verify` compares an ensemble with such a file.
//
// Why a file, and not writes to a running cluster: it carries Stats as they are (versions, zxids, counts of
// creates), which no request may set; a restore already begins above all zxids and tokens of before; and it
// can be checked as a whole before any client sees it.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace quorate::cli {

struct ImportArguments {
  std::vector<std::string> servers;  // HOST:PORT
  std::string path = "/";
  std::string auth_file;
  std::string file;
  bool verify = false;
};

int import_zookeeper(const Globals& globals, const ImportArguments& args);

}  // namespace quorate::cli
