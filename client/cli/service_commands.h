// What the commands of `quorate service` share.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/service_check.h"
#include "client/quorate/service.h"

namespace quorate::cli {

struct ServiceWish {
  std::string base;
  client::ServiceInstance instance;
  CheckWish check;
};

// Until a signal, or until the command ends: then with its exit code.
int register_service(const Globals& globals, const ServiceWish& wish,
                     const std::vector<std::string>& command);

}  // namespace quorate::cli
