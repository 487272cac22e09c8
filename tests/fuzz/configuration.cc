// raft::decode_configuration: the members, from an entry, a snapshot's name or a peer's message.
#include "raft/configuration.h"
#include "base/check.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

void run(std::string_view bytes) {
  const auto configuration = raft::decode_configuration(bytes);
  if (!configuration.ok()) {
    CHECK(configuration.code() == ErrorCode::kCorruption);
    return;
  }
  CHECK(raft::encode_configuration(*configuration) == bytes);
}

std::vector<std::string> seeds() {
  raft::Configuration configuration;
  configuration.cluster_id = ClusterId(0x1234567890abcdef);
  std::vector<std::string> seeds = {raft::encode_configuration(configuration)};
  for (const uint32_t id : {1U, 2U, 3U, 200U}) {
    const auto role = id == 2 ? raft::MemberRole::kLearner : raft::MemberRole::kVoter;
    configuration.members.push_back({ServerId(id), Incarnation(id * 7), role, "host:123"});
    seeds.push_back(raft::encode_configuration(configuration));
  }
  return seeds;
}

const Target kTarget("configuration", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
