#include "client/cli/lock_text.h"

namespace quorate::cli {

std::string mode_text(const client::Contender& contender) {
  switch (contender.mode) {
    case client::LockMode::kExclusive:
      return "exclusive";
    case client::LockMode::kShared:
      return "shared";
    case client::LockMode::kPermit:
      break;
  }
  return "permit of " + std::to_string(contender.permits);
}

nlohmann::json contender_json(const client::Contender& contender) {
  return {{"node", contender.node},
          {"mode", contender.mode == client::LockMode::kPermit ? "permit" : mode_text(contender)},
          {"permits", contender.permits},
          {"delay_ms", contender.delay.count()},
          {"token", contender.token.value()},
          {"session", hex_id(contender.session.value())},
          {"name", contender.name},
          {"since_ms", contender.since_ms}};
}

}  // namespace quorate::cli
