#include "server/replica_agreement.h"

#include <algorithm>

#include "raft/quorum.h"

namespace quorate::server {

Agreement::Verdict Agreement::own(const StateHash& hash, std::span<const ServerId> voters) {
  return note(self_, hash, voters);
}

Agreement::Verdict Agreement::told(ServerId from, const StateHash& hash, std::span<const ServerId> voters) {
  const bool counts = std::find(voters.begin(), voters.end(), from) != voters.end();
  const bool known_place = hash.index != Index() && hash.index.value() % kStateHashStep == 0;
  if (hash.format != kStateHashFormat || !counts || !known_place || from == self_) return Verdict::kOpen;
  return note(from, hash, voters);
}

Agreement::Verdict Agreement::note(ServerId server, const StateHash& hash, std::span<const ServerId> voters) {
  std::map<ServerId, uint64_t>& hashes = places_[hash.index];
  hashes[server] = hash.hash;
  Verdict verdict = Verdict::kOpen;
  if (const auto ours = hashes.find(self_); ours != hashes.end()) {
    std::map<uint64_t, size_t> count;
    size_t told = 0;
    for (const ServerId voter : voters) {
      const auto found = hashes.find(voter);
      if (found == hashes.end()) continue;
      ++told;
      ++count[found->second];
    }
    const auto most = std::max_element(count.begin(), count.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != count.end() && most->second >= raft::majority(voters.size())) {
      if (most->first != ours->second) verdict = Verdict::kMinority;
    } else if (told == voters.size()) {
      verdict = Verdict::kNoMajority;
    }
  }
  while (places_.size() > kStateHashesMax) places_.erase(places_.begin());
  return verdict;
}

void Agreement::forget_own() {
  for (auto& [index, hashes] : places_) hashes.erase(self_);
}

}  // namespace quorate::server
