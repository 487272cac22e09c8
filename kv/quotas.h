// Quotas of subtrees: how many nodes, and how many bytes of data, may be at a path and below it.
//
// As in ZooKeeper 3.8: a soft limit only warns, a hard limit refuses what would go beyond it; the path's own
// node counts; data of n bytes counts n, names nothing; only what grows is refused, so a subtree that is over
// its limit already can be made smaller in any steps. Unlike there, quotas nest, each is checked, and the
// path need not exist: a quota stays when its node goes.
//
// A change costs a look-up for each ancestor whose path is as long as that of a quota, and nothing where
// there are none.
//
// Thread safety: none.
//
// Invariant (check()): used is what a recount of the tree gives; hash() is the sum of the hashes of all
// quotas, use included, since the use decides what is refused.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/codec.h"
#include "base/result.h"

namespace quorate::kv {

inline constexpr size_t kQuotasMax = 10'000;

// -1: no such limit.
struct QuotaLimits {
  int64_t count_soft = -1;
  int64_t count_hard = -1;
  int64_t bytes_soft = -1;
  int64_t bytes_hard = -1;

  bool none() const { return *this == QuotaLimits{}; }
  friend bool operator==(const QuotaLimits&, const QuotaLimits&) = default;
};

struct QuotaUse {
  uint64_t count = 0;
  uint64_t bytes = 0;

  friend bool operator==(const QuotaUse&, const QuotaUse&) = default;
};

struct Quota {
  QuotaLimits limits;
  QuotaUse used;

  friend bool operator==(const Quota&, const Quota&) = default;
};

// Errors: kInvalidArgument for a limit below -1.
Status validate_quota(const QuotaLimits& limits);

class Quotas {
 public:
  bool empty() const { return quotas_.empty(); }
  size_t size() const { return quotas_.size(); }
  const Quota* find(std::string_view path) const;
  // In ascending order of path.
  std::vector<std::string> paths() const;

  // Limits without any remove the quota. `used` counts for a new one; of one that is there the use is known.
  // REQUIRES: there, or fewer than kQuotasMax.
  void set(std::string_view path, const QuotaLimits& limits, const QuotaUse& used);
  void mark_all_changed();
  // Paths that were set since this was asked last, in ascending order.
  std::vector<std::string> take_changed();

  // Whether `path` may be made with that much data. `existing` is its deepest ancestor that is there; what is
  // missing between the two is made too. Errors: kQuotaExceeded, naming the quota's path. Otherwise the paths
  // of quotas whose soft limit this goes beyond are added to `warnings`.
  Status check_create(std::string_view path, std::string_view existing, size_t bytes,
                      std::vector<std::string>& warnings) const;
  // Whether the data at `path` may change its size by so much.
  Status check_set(std::string_view path, int64_t bytes_more, std::vector<std::string>& warnings) const;

  // One node was made, changed or removed.
  void note(std::string_view path, int64_t count_more, int64_t bytes_more) {
    if (!empty()) note_at_ancestors(path, count_more, bytes_more);
  }

  uint64_t hash() const { return hash_; }
  // What is wrong, in a sentence. `recount` gives the use of a subtree, from the tree.
  std::optional<std::string> check(const std::function<QuotaUse(std::string_view)>& recount) const;

 private:
  struct PathHash {
    using is_transparent = void;
    size_t operator()(std::string_view path) const noexcept;
  };
  using Map = std::unordered_map<std::string, Quota, PathHash, std::equal_to<>>;

  // Whether one of them can be at a path of so many bytes: most of a deep path's components need no look-up.
  bool has_length(size_t bytes) const { return bytes < of_length_.size() && of_length_[bytes] != 0; }
  void count_length(size_t bytes, bool added);
  Status check_one(std::string_view path, int64_t count_more, int64_t bytes_more,
                   std::vector<std::string>& warnings) const;
  void note_at_ancestors(std::string_view path, int64_t count_more, int64_t bytes_more);
  static uint64_t hash_of(const std::string& path, const Quota& quota);

  Map quotas_;
  std::vector<uint32_t> of_length_;  // how many, by the bytes of their paths
  std::set<std::string> changed_;
  uint64_t hash_ = 0;
};

// ---- bytes (of the limits alone: the use is counted again from the nodes)

void append_quota(std::string& out, const QuotaLimits& limits);
QuotaLimits read_quota(ByteReader& in);

}  // namespace quorate::kv
