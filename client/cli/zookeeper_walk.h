// Every node of a ZooKeeper ensemble that is not ephemeral, one by one, with what the protocol tells of it.
//
// The tree is not held still: each node is as it was when it was read. A node that goes meanwhile is passed
// over; whoever needs one moment walks twice and compares (import_command.cc says why that is enough).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/cli/zookeeper_reader.h"
#include "kv/checkpoint.h"

namespace quorate::cli {

struct SourceNode {
  std::string path;
  // Its data and list of permissions are views into the two below; its order among the nodes of one
  // transaction is not told by the protocol and 0.
  kv::NodeRecord record() const;

  zookeeper::Stat stat;
  std::string data;
  bool null_data = false;
  std::string acl;                    // canonical bytes (kv/acl.h); none: open to all
  std::vector<std::string> children;  // names of those that are to be walked
};

// How many children were ever made, which is the next sequence number, out of a Stat: cversion counts their
// deletions too. Modulo 2^31, as ZooKeeper's own count.
uint64_t creates_of(int32_t cversion, int32_t children);

// A number that two nodes share only if clients cannot tell them apart: path, data, permissions, and of the
// Stat all but pzxid, which the end of an ephemeral child changes too, and what follows from the children.
uint64_t node_hash(std::string_view path, const kv::NodeRecord& node);

class ZookeeperWalk {
 public:
  // Nodes that are being read at the same time.
  static constexpr size_t kNodesAtOnce = 128;

  struct Sink {
    // An error ends the walk.
    std::function<Status(SourceNode&&)> node;
    // A node that cannot be taken, and with it all below it.
    std::function<void(const std::string& path, const std::string& why)> left_out;
    // Of a node with so many children, whose names the source has refused to tell: what they are believed to
    // be. They are asked for one by one. None: it is left out.
    std::function<std::optional<std::vector<std::string>>(const std::string& path, size_t children)> names{};
  };

  // Of `root` and below it, and of the nodes above it. "/zookeeper" belongs to each ensemble itself, and is
  // left to it.
  ZookeeperWalk(ZookeeperReader& reader, std::string root, Sink sink);

  void visit(std::string path) { to_visit_.push_back(std::move(path)); }
  // Until all that is to be visited, and what is below, was. Errors: the reader's, and those of the sink;
  // kCorruption for an answer that no server can give.
  Status run();
  uint64_t ephemerals() const { return ephemerals_; }

 private:
  struct Visit {
    SourceNode node;
    int pending = 0;       // answers
    bool hidden = false;   // its data may not be read
    bool dropped = false;  // gone, ephemeral or left out
  };
  using VisitPtr = std::shared_ptr<Visit>;

  bool wanted(std::string_view path) const;
  void begin_some();
  void begin(std::string path);
  Status take_data(const VisitPtr& visit, zookeeper::Reply&& reply);
  Status take_hidden(const VisitPtr& visit, zookeeper::Reply&& reply);
  Status take_acl(const VisitPtr& visit, zookeeper::Reply&& reply);
  Status take_children(const VisitPtr& visit, zookeeper::Reply&& reply);
  void take_names(const VisitPtr& visit, std::vector<std::string>&& names);
  // After each answer: the last one finishes the node.
  Status answered(const VisitPtr& visit);
  void ask(const VisitPtr& visit, zookeeper::RequestBody body,
           Status (ZookeeperWalk::*take)(const VisitPtr&, zookeeper::Reply&&));
  // What an answer with an error means for the node. An error: it means that nothing can be read.
  Status refused(const VisitPtr& visit, zookeeper::ErrorCode error);
  void leave_out(const VisitPtr& visit, const std::string& why);

  ZookeeperReader& reader_;
  const std::string root_;
  const Sink sink_;
  std::vector<std::string> to_visit_;
  size_t active_ = 0;
  uint64_t ephemerals_ = 0;
};

}  // namespace quorate::cli
