// decode_state_name: which state a checkpoint, a snapshot's part or a backup holds.
#include "base/check.h"
#include "server/store_job.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void run(std::string_view bytes) {
  const auto name = server::decode_state_name(bytes);
  if (!name.ok()) {
    CHECK(name.code() == ErrorCode::kMalformed || name.code() == ErrorCode::kUnsupported);
    return;
  }
  CHECK(server::encode_state_name(*name) == bytes);
}

std::vector<std::string> seeds() {
  server::StateName name;
  std::vector<std::string> seeds = {server::encode_state_name(name)};
  name.cluster = ClusterId(77);
  name.index = Index(1000);
  name.term = Term(3);
  name.configuration = Bytes(std::string("members"));
  name.state_hash = 0x1234567890abcdef;
  seeds.push_back(server::encode_state_name(name));
  return seeds;
}

const Target kTarget("state_name", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
