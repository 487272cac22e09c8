// kv::decode_outcome: kept outcomes, from a checkpoint.
#include "base/check.h"
#include "kv/command.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void run(std::string_view bytes) {
  const auto outcome = kv::decode_outcome(bytes);
  if (!outcome.ok()) {
    CHECK(outcome.code() == ErrorCode::kMalformed || outcome.code() == ErrorCode::kUnsupported);
    return;
  }
  CHECK(kv::encode_outcome(*outcome) == bytes);
}

std::vector<std::string> seeds() {
  kv::Outcome refused;
  refused.code = ErrorCode::kNoNode;
  refused.message = "there is no such node";
  kv::Outcome made;
  made.zxid = Zxid(300);
  made.path = "/a/b-0000000003";
  made.stat = {Zxid(300),    Zxid(300), Zxid(300), 1'700'000'000'000, 1'700'000'000'001, 1, 2, 3,
               SessionId(9), 4,         5};
  made.held = true;
  made.token = Token(300);
  kv::Outcome opened;
  opened.zxid = Zxid(9);
  opened.session = SessionId(9);
  opened.epoch = 2;
  opened.timeout_ms = 10'000;
  opened.next_number = 17;
  return {kv::encode_outcome({}), kv::encode_outcome(refused), kv::encode_outcome(made),
          kv::encode_outcome(opened)};
}

const Target kTarget("outcome", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
