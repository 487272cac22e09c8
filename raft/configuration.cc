#include "raft/configuration.h"

#include <algorithm>

#include "base/codec.h"

namespace quorate::raft {
namespace {
constexpr uint8_t kVersion = 1;

Error corrupt(const char* what) {
  return Error{ErrorCode::kCorruption, std::string("configuration entry: ") + what};
}
}  // namespace

const Member* Configuration::find(ServerId id) const {
  const auto at = std::find_if(members.begin(), members.end(), [id](const Member& m) { return m.id == id; });
  return at == members.end() ? nullptr : &*at;
}

bool Configuration::is_voter(ServerId id) const {
  const Member* member = find(id);
  return member != nullptr && member->role == MemberRole::kVoter;
}

size_t Configuration::voter_count() const {
  return static_cast<size_t>(std::count_if(members.begin(), members.end(),
                                           [](const Member& m) { return m.role == MemberRole::kVoter; }));
}

// u8 version (1) | u64 cluster id | u64 base state | varint members | for each: u32 id | u64 incarnation | u8
// role | string address.
std::string encode_configuration(const Configuration& configuration) {
  std::string out;
  ByteWriter writer(out);
  writer.u8(kVersion);
  writer.u64(configuration.cluster_id.value());
  writer.u64(configuration.base_state);
  writer.varint(configuration.members.size());
  for (const Member& member : configuration.members) {
    writer.u32(member.id.value());
    writer.u64(member.incarnation.value());
    writer.u8(static_cast<uint8_t>(member.role));
    writer.string(member.address);
  }
  return out;
}

Result<Configuration> decode_configuration(std::string_view payload) {
  ByteReader in(payload);
  if (in.u8() != kVersion) return corrupt("its version is unknown");
  Configuration configuration;
  configuration.cluster_id = ClusterId(in.u64());
  configuration.base_state = in.u64();
  const uint64_t count = in.varint();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) {
    Member member;
    member.id = ServerId(in.u32());
    member.incarnation = Incarnation(in.u64());
    const uint8_t role = in.u8();
    member.address = std::string(in.string());
    if (in.failed()) break;
    if (role != static_cast<uint8_t>(MemberRole::kVoter) &&
        role != static_cast<uint8_t>(MemberRole::kLearner)) {
      return corrupt("a member's role is unknown");
    }
    member.role = static_cast<MemberRole>(role);
    const ServerId before = configuration.members.empty() ? ServerId{} : configuration.members.back().id;
    if (member.id <= before) return corrupt("its members are not in ascending order of their ids");
    configuration.members.push_back(std::move(member));
  }
  if (!in.done()) return corrupt("it is cut short, or bytes are left over");
  return configuration;
}

}  // namespace quorate::raft
