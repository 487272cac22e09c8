// kv::StateLoader: a state from the records of a checkpoint, a snapshot or a backup.
#include "base/check.h"
#include "base/codec.h"
#include "kv/state_machine.h"
#include "tests/fuzz/command_seeds.h"
#include "tests/fuzz/state_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void run(std::string_view bytes) {
  kv::StateLoader loader;
  ByteReader in(bytes);
  while (in.remaining() > 0) {
    const std::string_view key = in.string();
    const std::string_view value = in.string();
    if (in.failed()) return;
    if (const Status added = loader.add(key, value); !added.ok()) {
      CHECK(added.code() == ErrorCode::kCorruption || added.code() == ErrorCode::kUnsupported);
      return;
    }
  }
  auto state = loader.finish();
  if (!state.ok()) return;
  // What was taken for a state is one, and goes on.
  const auto wrong = state->check_consistency();
  CHECK_MSG(!wrong.has_value(), wrong.value_or(""));
  std::string payload;
  kv::append_stamp(payload, state->last_stamp());
  payload += command_seeds().front();
  if (state->applied().value() < UINT64_MAX / 4) state->apply(state->applied().next(), payload);
}

const Target kTarget("state_records", run, state_seeds);

}  // namespace
}  // namespace quorate::fuzz
