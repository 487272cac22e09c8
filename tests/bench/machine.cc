#include "tests/bench/machine.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace quorate::bench {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != line.npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// The mount with the longest path above the folder; of equals the last one hides the others.
std::string file_system_of(const std::string& folder) {
  std::error_code ignored;
  const std::string path = std::filesystem::canonical(folder, ignored).string() + "/";
  std::ifstream mounts("/proc/self/mounts");
  std::string best = "unknown";
  size_t best_size = 0;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream fields(line);
    std::string device, point, type;
    fields >> device >> point >> type;
    const std::string prefix = point == "/" ? point : point + "/";
    if (path.rfind(prefix, 0) == 0 && prefix.size() >= best_size) {
      best_size = prefix.size();
      best = type + " on " + device;
    }
  }
  return best;
}

}  // namespace

std::string Machine::describe() const {
  return std::to_string(cores) + (cores == 1 ? " core" : " cores") + ", " + cpu + "; Linux " + kernel + "; " +
         file_system;
}

Machine describe_machine(const std::string& folder) {
  utsname name{};
  const bool known = ::uname(&name) == 0;
  return {static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)), cpu_model(), known ? name.release : "unknown",
          file_system_of(folder)};
}

}  // namespace quorate::bench
