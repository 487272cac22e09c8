#include "tests/fuzz/state_seeds.h"

#include <map>

#include "kv/command.h"
#include "kv/state_machine.h"
#include "raft/configuration.h"

namespace quorate::fuzz {
namespace {

std::string capture(kv::StateMachine& state) {
  kv::RecordList records;
  state.begin_capture();
  while (!state.capture(1 << 20, records)) {
  }
  std::map<std::string, std::string> newest;
  for (const kv::RecordView& record : records) {
    if (record.value) {
      newest[std::string(record.key)] = *record.value;
    } else {
      newest.erase(std::string(record.key));
    }
  }
  std::string run;
  for (const auto& [key, value] : newest) kv::append_record(run, key, value);
  return run;
}

// A session that owns something, so that there is a record of every kind.
kv::StateMachine rich_state() {
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
  ask(kv::AcquireOp{"/left", "you"});
  ask(kv::DeleteOp{"/left", -1, true});
  ask(kv::SetOp{"/a", "x", -1});
  ask(kv::DeleteOp{"/a/b/c", -1});
  return rich;
}

}  // namespace

std::vector<std::string> state_seeds() {
  kv::StateMachine empty, rich = rich_state();
  return {capture(empty), capture(rich)};
}

std::vector<NamedState> named_state_seeds() {
  std::vector<NamedState> seeds;
  kv::StateMachine empty, rich = rich_state();
  for (kv::StateMachine* state : {&empty, &rich}) {
    NamedState seed;
    seed.name.cluster = ClusterId(7);
    seed.name.index = state->applied();
    seed.name.term = Term(1);
    seed.name.configuration = Bytes(raft::encode_configuration({}));
    seed.name.state_hash = state->state_hash();
    kv::append_record(seed.records, server::kStateNameKey, server::encode_state_name(seed.name));
    seed.records += capture(*state);
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace quorate::fuzz
