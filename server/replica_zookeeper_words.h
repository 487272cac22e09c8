// From ZooKeeper's words to the tree's and back: operations, Stats, lists of permissions, error codes; and
// the nodes that ZooKeeper has from the beginning and the tree does not.
//
// Thread safety: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kv/command.h"
#include "kv/view.h"
#include "proto/zookeeper.h"
#include "raft/raft.h"

namespace quorate::server {

// The one table of codes.
zookeeper::ErrorCode zookeeper_code(ErrorCode code);

// What ZooKeeper calls an operation where it shows what a connection did last; "NA" where it shows nothing.
std::string_view zookeeper_letters(zookeeper::OpCode op);

zookeeper::Stat zookeeper_stat(const kv::Stat& stat);
zookeeper::Acl zookeeper_acl(const kv::Acl& acl);

// ---- operations. What is wrong with one is found where it is applied.

// True for what is replicated: a create, a set, a delete, a multi and the like, but not an auth.
bool is_write(const zookeeper::RequestBody& request);
// An auth or a step of SASL.
bool proves_somebody(const zookeeper::RequestBody& request);
// Takes what is large out of the request and leaves the rest, for the answer. REQUIRES: is_write(request).
kv::Operation operation_of(zookeeper::RequestBody& request);

// What a write is answered. REQUIRES: an outcome of the operation that `request` asked for.
zookeeper::ReplyBody zookeeper_outcome(const zookeeper::RequestBody& request, const kv::Outcome& outcome);

// ---- "/zookeeper" and what is below it: nodes that every server shows and nobody can change. They are in no
// log and in no state.

bool is_reserved(std::string_view path);
// What a write to a reserved path is answered; nothing if it writes to none. A multi with such an operation
// is refused for it, whatever the others would have come to.
std::optional<zookeeper::Reply> reserved_refusal(const zookeeper::Request& request);
struct ReservedNode {
  std::string data;
  zookeeper::Stat stat;
  std::vector<std::string> children;
  bool may_write = false;  // what its list of permissions says
};
// Where clients reach the servers, as far as it is known here.
using ClientAddresses = std::map<ServerId, std::string>;
// What "/zookeeper/config" holds.
std::string config_text(const raft::Configuration& configuration, const ClientAddresses& addresses);
inline constexpr std::string_view kConfigPath = "/zookeeper/config";
// Nothing where there is no such node.
std::optional<ReservedNode> reserved_node(std::string_view path, const raft::Configuration& configuration,
                                          const ClientAddresses& addresses);
inline constexpr int32_t kReservedNodes = 3;
// "/" with the reserved child.
void add_reserved(zookeeper::Stat& root);

}  // namespace quorate::server
