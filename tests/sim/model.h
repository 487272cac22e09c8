// What the committed log says, and so what every client may be told: a state machine of its own applies each
// entry once, when it is first committed anywhere. It never restarts, loads no checkpoint and receives no
// state.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kv/state_machine.h"
#include "kv/watch_table.h"
#include "raft/entry.h"
#include "server/client_message.h"

namespace quorate::sim {

class Model {
 public:
  using Verdict = std::optional<std::string>;  // as in tests/sim/context.h
  using PastChange = kv::StateMachine::PastChange;

  explicit Model(const kv::Limits& limits);

  // What it does. REQUIRES: the entry behind the last one.
  kv::Applied apply(const raft::Entry& entry);
  const kv::StateMachine& state() const { return state_; }

  // A client was told what became of its request.
  Verdict check_outcome(SessionId session, uint64_t number, const kv::Outcome& told) const;
  // A client was told that nothing was done of its request.
  Verdict check_refused(SessionId session, uint64_t number) const;
  // A read was answered. What is no read of nodes or children is passed over.
  Verdict check_read(const server::RequestBody& asked, const server::ClientReply& reply) const;
  // A feed that was complete up to `since` was told these changes, and is complete up to `up_to`.
  Verdict check_feed(kv::WatchKind kind, std::string_view root, Zxid since, Zxid up_to,
                     const std::vector<PastChange>& told) const;
  // What changed at `root` and below it after `since`, up to and including `up_to`.
  std::vector<PastChange> changes(std::string_view root, Zxid since, Zxid up_to) const;
  // Whether there was a node after that entry.
  bool existed(const std::string& path, Zxid zxid) const { return node_at(path, zxid) != nullptr; }
  // Whether the node, or its children, changed behind that entry.
  bool changed_since(const std::string& path, Zxid zxid) const;
  // Whether there is such a node by now, or none.
  bool is_as(const std::string& path, bool exists, Zxid czxid, Zxid mzxid) const;
  // May a server say that it does not know what changed after `since`?
  bool forgotten(Zxid since) const { return since < state_.history_floor(); }

  uint64_t nodes_reaped() const { return nodes_reaped_; }

 private:
  // A node from this zxid on.
  struct Node {
    Zxid from;
    bool exists = false;
    std::string data;
    kv::Stat stat;
  };
  struct ChildChange {
    Zxid zxid;
    bool made = false;
    std::string name;
  };

  void note(const kv::Applied& applied);
  void note_node(const std::string& path);
  const Node* node_at(const std::string& path, Zxid zxid) const;
  std::vector<std::string> children_at(const std::string& path, Zxid zxid) const;
  Verdict check_node(const server::GetRequest& asked, const Error& error, const server::NodeReply* shown,
                     Zxid zxid) const;
  Verdict check_children(const std::string& path, const Error& error, const server::ChildrenReply* shown,
                         Zxid zxid) const;

  kv::StateMachine state_;
  std::map<std::pair<SessionId, uint64_t>, kv::Outcome> outcomes_;
  std::vector<PastChange> changes_;                        // all, in order
  std::map<std::string, std::vector<Node>> nodes_;         // what each path was, in order
  std::map<std::string, std::vector<ChildChange>> below_;  // by parent, in order
  uint64_t nodes_reaped_ = 0;
};

}  // namespace quorate::sim
