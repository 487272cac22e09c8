// ZooKeeper's quotas: nodes below "/zookeeper/quota", in which its clients' setquota, listquota and delquota
// read and write. Here a quota is no node; these are shown of what the tree knows, and what is written to
// them sets it.
//
//   /zookeeper/quota/a/b                   there for every node "/a/b", and where a quota is
//   /zookeeper/quota/a/b/zookeeper_limits  its limits; only where there are some
//   /zookeeper/quota/a/b/zookeeper_stats   what it holds; written without effect
//
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "kv/view.h"
#include "proto/zookeeper.h"
#include "server/replica_zookeeper_words.h"

namespace quorate::server {

inline constexpr std::string_view kQuotaRoot = "/zookeeper/quota";

// True for what is below "/zookeeper/quota".
bool is_quota_path(std::string_view path);

// What a session sees there; nothing where there is no such node. A quota that it may not read is not there.
std::optional<ReservedNode> quota_node(std::string_view path, const kv::StateMachine& state,
                                       const kv::View& view);
// The names below "/zookeeper/quota" itself.
std::vector<std::string> quota_roots(const kv::StateMachine& state, const kv::View& view);

// What a request that writes to such a node comes to: an answer at once, or an operation that sets the quota,
// after which the request is answered like any other. Nothing if it writes to none. (In a multi these nodes
// are refused as all reserved ones are.)
bool writes_quota(const zookeeper::RequestBody& request);
using QuotaWrite = std::variant<zookeeper::ErrorCode, kv::SetQuotaOp>;
std::optional<QuotaWrite> quota_write(const zookeeper::RequestBody& request, const kv::StateMachine& state,
                                      const kv::View& view);

// As ZooKeeper 3.8 writes and reads limits: "count=5,bytes=-1=;byteHardLimit=100;countHardLimit=-1".
std::string limits_text(const kv::QuotaLimits& limits);
// Nothing for what is no such text.
std::optional<kv::QuotaLimits> parse_limits(std::string_view text);

}  // namespace quorate::server
