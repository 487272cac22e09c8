// Who the members of the cluster are: the payload of a configuration entry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quorate::raft {

enum class MemberRole : uint8_t { kVoter = 1, kLearner = 2 };

struct Member {
  ServerId id;
  // The life of the data folder that was admitted. A server whose folder has another one may receive, never
  // vote.
  Incarnation incarnation;
  MemberRole role = MemberRole::kVoter;
  std::string address;  // where its peers reach it, "host:port"

  friend bool operator==(const Member&, const Member&) = default;
};

struct Configuration {
  ClusterId cluster_id;
  // The hash of the state that the log begins from: 0, or that of a restored backup. A server that does not
  // have that state cannot begin with entry 1.
  uint64_t base_state = 0;
  std::vector<Member> members;  // by ascending id, no id twice

  const Member* find(ServerId id) const;
  bool is_voter(ServerId id) const;
  size_t voter_count() const;

  friend bool operator==(const Configuration&, const Configuration&) = default;
};

std::string encode_configuration(const Configuration& configuration);
// Errors: kCorruption for bytes that encode_configuration cannot have made.
Result<Configuration> decode_configuration(std::string_view payload);

}  // namespace quorate::raft
