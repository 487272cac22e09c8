#include "tests/sim/trace.h"

#include <cinttypes>

#include "base/checksum.h"

namespace quorate::sim {

void Trace::line(SimTime now, std::string_view who, std::string_view what) {
  char stamp[40];
  std::snprintf(stamp, sizeof(stamp), "%4" PRId64 ".%06" PRId64 " s  ", now.count() / 1'000'000'000,
                now.count() / 1'000 % 1'000'000);
  std::string text = stamp;
  text.append(who).append(": ").append(what).append("\n");
  hash_ = checksum64(text, hash_);
  ++lines_;
  if (file_ != nullptr) std::fwrite(text.data(), 1, text.size(), file_);
}

}  // namespace quorate::sim
