// The null server: one epoll loop that answers each frame at once and does no work at all. What is measured
// against it is the price of sockets, system calls and the load generator itself.
#pragma once

#include "base/result.h"
#include "client/bench/net.h"
#include "tests/bench/process.h"

namespace quorate::bench {

struct NullServer {
  Child process;
  Port port = 0;
};

// Errors: kIo.
Result<NullServer> start_null_server();

}  // namespace quorate::bench
