// kv::StateLoader: a state from the records of a checkpoint, a snapshot or a backup.
#include <map>

#include "base/check.h"
#include "base/codec.h"
#include "kv/state_machine.h"
#include "tests/fuzz/command_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

std::string capture(kv::StateMachine& state) {
  std::vector<kv::Record> records;
  state.begin_capture();
  while (!state.capture(1 << 20, records)) {
  }
  std::map<std::string, std::string> newest;
  for (const kv::Record& record : records) {
    if (record.value) {
      newest[record.key] = *record.value;
    } else {
      newest.erase(record.key);
    }
  }
  std::string run;
  for (const auto& [key, value] : newest) kv::append_record(run, key, value);
  return run;
}

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

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  kv::StateMachine empty;
  seeds.push_back(capture(empty));
  // A session that owns something, so that there is a record of every kind.
  kv::StateMachine rich;
  const auto apply = [&](const kv::Command& command) {
    std::string payload;
    kv::append_stamp(payload, {2'000, 2'000});
    return rich.apply(rich.applied().next(), payload + kv::encode_command(command));
  };
  kv::OpenSession open;
  open.origin = {ServerId(1), BootNonce(2), 3};
  open.timeout_ms = 10'000;
  apply(open);
  const SessionId session(1);
  uint64_t number = 0;
  const auto ask = [&](kv::Operation operation) {
    ++number;
    apply(kv::SessionRequest{session, 1, number, 1, std::move(operation)});
  };
  ask(kv::CreateOp{"/a/b/c", "data", false, false, true});
  ask(kv::CreateOp{"/a/e-", "mine", true, true, false});
  ask(kv::AcquireOp{"/lock", "me"});
  ask(kv::SetOp{"/a", "x", -1});
  ask(kv::DeleteOp{"/a/b/c", -1});
  seeds.push_back(capture(rich));
  return seeds;
}

const Target kTarget("state_records", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
