// kv::decode_command: what a client's request, a peer's Forward and an entry of the log carry.
#include "kv/command.h"
#include "base/check.h"
#include "kv/state_machine.h"
#include "tests/fuzz/command_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void run(std::string_view bytes) {
  const auto command = kv::decode_command(bytes);
  if (!command.ok()) {
    CHECK(command.code() == ErrorCode::kMalformed || command.code() == ErrorCode::kUnsupported);
    return;
  }
  CHECK(kv::encode_command(*command) == bytes);
  // Whatever decodes can be asked for, and applied: a refusal is an outcome.
  (void)kv::validate(*command);
  kv::StateMachine machine;
  std::string payload;
  kv::append_stamp(payload, {1'000, 1'000});
  payload += bytes;
  machine.apply(Index(1), payload);
  CHECK(!machine.check_consistency().has_value());
}

const Target kTarget("command", run, command_seeds);

}  // namespace
}  // namespace quorate::fuzz
