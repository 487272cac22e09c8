#include "kv/quotas.h"

#include <algorithm>

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

bool beyond(int64_t limit, uint64_t used, int64_t more) {
  return more > 0 && limit >= 0 && used + static_cast<uint64_t>(more) > static_cast<uint64_t>(limit);
}

Error exceeded(std::string_view path, int64_t limit, std::string_view what, uint64_t used) {
  std::string text = "the quota of " + shown(path) + " is " + std::to_string(limit);
  text.append(what)
      .append(", of which ")
      .append(std::to_string(used))
      .append(" are in use; delete something there");
  return {ErrorCode::kQuotaExceeded, std::move(text)};
}

}  // namespace

Status validate_quota(const QuotaLimits& limits) {
  if (std::min({limits.count_soft, limits.count_hard, limits.bytes_soft, limits.bytes_hard}) >= -1) return {};
  return {ErrorCode::kInvalidArgument, "a quota's limit is a number from 0 on, or -1 for none"};
}

size_t Quotas::PathHash::operator()(std::string_view path) const noexcept { return checksum64(path); }

uint64_t Quotas::hash_of(const std::string& path, const Quota& quota) {
  const auto& [limits, used] = quota;
  const uint64_t words[] = {checksum64(path),
                            static_cast<uint64_t>(limits.count_soft),
                            static_cast<uint64_t>(limits.count_hard),
                            static_cast<uint64_t>(limits.bytes_soft),
                            static_cast<uint64_t>(limits.bytes_hard),
                            used.count,
                            used.bytes};
  return checksum64({reinterpret_cast<const char*>(words), sizeof(words)});
}

const Quota* Quotas::find(std::string_view path) const {
  const auto at = quotas_.find(path);
  return at == quotas_.end() ? nullptr : &at->second;
}

std::vector<std::string> Quotas::paths() const {
  std::vector<std::string> paths;
  paths.reserve(quotas_.size());
  for (const auto& [path, quota] : quotas_) paths.push_back(path);
  std::sort(paths.begin(), paths.end());
  return paths;
}

void Quotas::mark_all_changed() {
  for (const auto& [path, quota] : quotas_) changed_.insert(path);
}

std::vector<std::string> Quotas::take_changed() {
  std::vector<std::string> paths(changed_.begin(), changed_.end());
  changed_.clear();
  return paths;
}

void Quotas::set(std::string_view path, const QuotaLimits& limits, const QuotaUse& used) {
  changed_.emplace(path);
  auto at = quotas_.find(path);
  if (at == quotas_.end()) {
    if (limits.none()) return;
    CHECK(quotas_.size() < kQuotasMax);
    at = quotas_.emplace(path, Quota{{}, used}).first;
    count_length(path.size(), true);
  } else {
    hash_ -= hash_of(at->first, at->second);
  }
  if (limits.none()) {
    count_length(path.size(), false);
    quotas_.erase(at);
    return;
  }
  at->second.limits = limits;
  hash_ += hash_of(at->first, at->second);
}

void Quotas::count_length(size_t bytes, bool added) {
  if (bytes >= of_length_.size()) of_length_.resize(bytes + 1);
  of_length_[bytes] += added ? 1 : uint32_t(-1);
}

Status Quotas::check_one(std::string_view path, int64_t count_more, int64_t bytes_more,
                         std::vector<std::string>& warnings) const {
  const Quota* quota = has_length(path.size()) ? find(path) : nullptr;
  if (quota == nullptr) return {};
  const auto& [limits, used] = *quota;
  if (beyond(limits.count_hard, used.count, count_more)) {
    return exceeded(path, limits.count_hard, " nodes", used.count);
  }
  if (beyond(limits.bytes_hard, used.bytes, bytes_more)) {
    return exceeded(path, limits.bytes_hard, " bytes", used.bytes);
  }
  if (beyond(limits.count_soft, used.count, count_more) ||
      beyond(limits.bytes_soft, used.bytes, bytes_more)) {
    warnings.emplace_back(path);
  }
  return {};
}

Status Quotas::check_create(std::string_view path, std::string_view existing, size_t bytes,
                            std::vector<std::string>& warnings) const {
  if (empty()) return {};
  const size_t warnings_before = warnings.size();
  int64_t made = 0;  // at this path or below it
  for (std::string_view at = path;; at = parent_of(at)) {
    if (at.size() > existing.size()) ++made;
    if (Status status = check_one(at, made, static_cast<int64_t>(bytes), warnings); !status.ok()) {
      warnings.resize(warnings_before);
      return status;
    }
    if (at == "/") return {};
  }
}

Status Quotas::check_set(std::string_view path, int64_t bytes_more,
                         std::vector<std::string>& warnings) const {
  if (empty() || bytes_more <= 0) return {};
  const size_t warnings_before = warnings.size();
  for (std::string_view at = path;; at = parent_of(at)) {
    if (Status status = check_one(at, 0, bytes_more, warnings); !status.ok()) {
      warnings.resize(warnings_before);
      return status;
    }
    if (at == "/") return {};
  }
}

void Quotas::note_at_ancestors(std::string_view path, int64_t count_more, int64_t bytes_more) {
  for (std::string_view at = path;; at = parent_of(at)) {
    const auto found = has_length(at.size()) ? quotas_.find(at) : quotas_.end();
    if (found != quotas_.end()) {
      QuotaUse& used = found->second.used;
      hash_ -= hash_of(found->first, found->second);
      used.count += static_cast<uint64_t>(count_more);  // modulo 2^64: adding what is negative takes away
      used.bytes += static_cast<uint64_t>(bytes_more);
      hash_ += hash_of(found->first, found->second);
    }
    if (at == "/") return;
  }
}

std::optional<std::string> Quotas::check(const std::function<QuotaUse(std::string_view)>& recount) const {
  uint64_t hash = 0;
  for (const auto& [path, quota] : quotas_) {
    hash += hash_of(path, quota);
    if (quota.limits.none()) return "a quota without limits is kept at " + shown(path);
    if (quota.used != recount(path))
      return "the use of the quota at " + shown(path) + " is not what was counted";
  }
  if (hash != hash_) return "the quotas' hash is not that of the quotas";
  std::vector<uint32_t> of_length(of_length_.size());
  for (const auto& [path, quota] : quotas_) {
    if (path.size() < of_length.size()) ++of_length[path.size()];
    if (!has_length(path.size())) return "a quota's path is of a length that was not counted";
  }
  if (of_length != of_length_) return "the lengths of the quotas' paths are not what was counted";
  return std::nullopt;
}

void append_quota(std::string& bytes, const QuotaLimits& limits) {
  ByteWriter out(bytes);
  out.i64(limits.count_soft);
  out.i64(limits.count_hard);
  out.i64(limits.bytes_soft);
  out.i64(limits.bytes_hard);
}

QuotaLimits read_quota(ByteReader& in) {
  QuotaLimits limits;
  limits.count_soft = in.i64();
  limits.count_hard = in.i64();
  limits.bytes_soft = in.i64();
  limits.bytes_hard = in.i64();
  return limits;
}

}  // namespace quorate::kv
