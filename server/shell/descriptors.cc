#include "server/shell/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace quorate::server {

void occupy_closed_streams() {
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(each, F_GETFD) < 0) (void)!::open("/dev/null", each == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

uint64_t raise_descriptor_limit(size_t clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return UINT64_MAX;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::max<rlim_t>(before, std::min<rlim_t>(limit.rlim_max, clients + kOwnDescriptors));
  if (limit.rlim_cur == before || setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

size_t clients_with_room(size_t clients, uint64_t limit) {
  return std::min<uint64_t>(clients, limit - std::min(kOwnDescriptors, limit / 2));
}

}  // namespace quorate::server
