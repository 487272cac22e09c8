// Builds a state from nodes that were read elsewhere: another kind of cluster whose clients move over. Their
// Stats (zxids, times, versions, counts of creates) become the tree's own, so nothing that a client compares
// falls. Sessions and what they own do not come with them.
//
// Thread safety: none.
#pragma once

#include <memory>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "kv/checkpoint.h"
#include "kv/state_machine.h"

namespace quorate::kv {

class StateImport {
 public:
  explicit StateImport(const Limits& limits = {});
  ~StateImport();

  // A parent before its children, each path once, "/" first. Nodes with one czxid need orders that differ.
  // Errors: kInvalidArgument for an ephemeral node; kCorruption for what no tree can hold.
  Status add(std::string_view path, const NodeRecord& node);
  // Errors: kInvalidArgument for a path or limits that cannot be, or with more than kQuotasMax of them.
  Status set_quota(std::string_view path, const QuotaLimits& limits);
  // The state as of index 0, with `last` as its zxid and its base; no history. REQUIRES: called once. Errors:
  // kInvalidArgument if a node is of a later zxid; kCorruption if the nodes do not fit together, naming one.
  Result<StateMachine> finish(Zxid last);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::kv
