// ZooKeeper's zoo.cfg, read as the settings that our flags would have had: whoever has one can start with it.
//
// What is taken over: clientPort, clientPortAddress, dataDir with its file myid, dynamicConfigFile, server.N,
// tickTime, minSessionTimeout, maxSessionTimeout, maxClientCnxns, maxCnxns, 4lw.commands.whitelist. Our data
// stands in a folder of its own below dataDir, beside ZooKeeper's, which is not read (quorate import does
// that). Any other key is named with the reason why it has no effect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/shell/config_file.h"

namespace quorate::server {

// The folder below dataDir.
inline constexpr const char* kZooCfgDataFolder = "quorate";

struct ZooCfg {
  std::vector<ConfigFileValue> values;  // by the names of our settings
  std::vector<std::string> ignored;     // one line for each key that has no effect
};

// The settings of a file with that text. `myid` is the text of dataDir/myid if there is one. Errors, naming
// the line: kBadConfiguration.
Result<ZooCfg> parse_zoo_cfg(const std::string& text, const std::optional<std::string>& myid);

// Reads the file, the dynamic configuration that it names, and myid. Errors: kBadConfiguration.
Result<ZooCfg> read_zoo_cfg(const std::string& path);

}  // namespace quorate::server
