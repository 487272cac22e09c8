#include "server/replica_barriers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorate::server {

void Barriers::add(WaitingRead read) { collected_.push_back(std::move(read)); }

std::optional<Barriers::Question> Barriers::ask(Term term, Instant now, uint64_t counter) {
  if (collected_.empty()) return std::nullopt;
  Question question{counter, {}};
  for (const WaitingRead& read : collected_) {
    if (std::holds_alternative<PingRequest>(read.body)) question.alive.push_back(read.session);
  }
  open_[counter] = {term, now, std::exchange(collected_, {})};
  return question;
}

void Barriers::confirm(uint64_t counter, Term term, Index index, const std::vector<SessionId>& gone) {
  const auto at = open_.find(counter);
  if (at == open_.end() || at->second.term != term) return;
  confirmed_.emplace(index, Served{std::move(at->second.reads), {gone.begin(), gone.end()}});
  open_.erase(at);
}

void Barriers::collect_again(Instant sent_before) {
  std::vector<WaitingRead> again;
  for (auto at = open_.begin(); at != open_.end();) {
    if (at->second.sent >= sent_before) {
      ++at;
      continue;
    }
    std::move(at->second.reads.begin(), at->second.reads.end(), std::back_inserter(again));
    at = open_.erase(at);
  }
  collected_.insert(collected_.begin(), std::make_move_iterator(again.begin()),
                    std::make_move_iterator(again.end()));
}

void Barriers::collect_again(uint64_t counter) {
  const auto at = open_.find(counter);
  if (at == open_.end()) return;
  collected_.insert(collected_.begin(), std::make_move_iterator(at->second.reads.begin()),
                    std::make_move_iterator(at->second.reads.end()));
  open_.erase(at);
}

std::vector<Barriers::Served> Barriers::take_applied(Index applied) {
  std::vector<Served> served;
  while (!confirmed_.empty() && confirmed_.begin()->first <= applied) {
    served.push_back(std::move(confirmed_.begin()->second));
    confirmed_.erase(confirmed_.begin());
  }
  return served;
}

std::vector<WaitingRead> Barriers::take_older(Instant before) {
  std::vector<WaitingRead> older;
  const auto take = [&](std::vector<WaitingRead>& reads) {
    auto keep = std::stable_partition(reads.begin(), reads.end(),
                                      [&](const WaitingRead& read) { return read.asked < before; });
    std::move(reads.begin(), keep, std::back_inserter(older));
    reads.erase(reads.begin(), keep);
  };
  take(collected_);
  for (auto at = open_.begin(); at != open_.end();) {
    take(at->second.reads);
    at = at->second.reads.empty() ? open_.erase(at) : std::next(at);
  }
  return older;
}

}  // namespace quorate::server
