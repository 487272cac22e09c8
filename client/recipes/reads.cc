#include "client/recipes/reads.h"

#include <algorithm>
#include <cstddef>

namespace quorate::client {
namespace {

// Read in one request, unless its answer would be too large.
constexpr size_t kNodesAtOnce = 250;

}  // namespace

Status read_each(Client& client, const std::vector<ReadRequest>& reads,
                 const std::function<void(const ReadRequest&, const ReadResult&)>& take) {
  for (size_t begin = 0; begin < reads.size(); begin += kNodesAtOnce) {
    const auto from = reads.begin() + static_cast<ptrdiff_t>(begin);
    const auto to = reads.begin() + static_cast<ptrdiff_t>(std::min(begin + kNodesAtOnce, reads.size()));
    const std::vector<ReadRequest> part(from, to);
    const Result<std::vector<ReadResult>> results = client.read_many(part);
    if (results.code() == ErrorCode::kTooLarge && part.size() > 1) {
      const auto middle = part.begin() + static_cast<ptrdiff_t>(part.size() / 2);
      if (Status status = read_each(client, {part.begin(), middle}, take); !status.ok()) return status;
      if (Status status = read_each(client, {middle, part.end()}, take); !status.ok()) return status;
      continue;
    }
    if (!results.ok()) return results.error();
    for (size_t i = 0; i < part.size(); ++i) take(part[i], (*results)[i]);
  }
  return {};
}

}  // namespace quorate::client
