#include "server/replica_barriers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace quorate::server {
namespace {

// What a request takes beside its own size; those that have more than a path are counted in whole.
size_t bytes_behind(const RequestBody& body) {
  return std::visit(
      [](const auto& request) {
        size_t bytes = 0;
        if constexpr (requires { request.path.size(); }) bytes += request.path.size();
        if constexpr (requires { request.root.size(); }) bytes += request.root.size();
        if constexpr (requires { request.node.size(); }) bytes += request.node.size();
        if constexpr (requires { request.prefix.size(); }) bytes += request.prefix.size();
        if constexpr (requires { request.after.size(); }) bytes += request.after.size();
        if constexpr (requires { request.after->name; })
          bytes += request.after ? request.after->name.size() : 0;
        if constexpr (requires { request.parts; }) {
          for (const auto& part : request.parts) {
            bytes += sizeof(part);
            bytes += std::visit([](const auto& one) { return one.path.size(); }, part);
          }
        }
        return bytes;
      },
      body);
}

}  // namespace

void Barriers::add(WaitingRead read) {
  read.bytes = sizeof(WaitingRead) + bytes_behind(read.body);
  bytes_ += read.bytes;
  due_ = std::min(due_, read.asked + read.gather);
  collected_.push_back(std::move(read));
}

void Barriers::find_due() {
  due_ = kNever;
  for (const WaitingRead& read : collected_) due_ = std::min(due_, read.asked + read.gather);
}

std::optional<Barriers::Question> Barriers::ask(Term term, Instant now, uint64_t counter) {
  if (collected_.empty()) return std::nullopt;
  Question question{counter, {}};
  auto end = collected_.begin();
  for (; end != collected_.end() && question.alive.size() < kQuestionAliveMax; ++end) {
    if (std::holds_alternative<PingRequest>(end->body)) question.alive.push_back(end->session);
  }
  std::vector<WaitingRead> behind(std::make_move_iterator(end), std::make_move_iterator(collected_.end()));
  collected_.erase(end, collected_.end());
  open_[counter] = {term, now, std::exchange(collected_, std::move(behind))};
  find_due();
  return question;
}

void Barriers::confirm(uint64_t counter, Term term, Index index, const std::vector<SessionId>& gone) {
  const auto at = open_.find(counter);
  if (at == open_.end() || at->second.term != term) return;
  Served served{{}, {gone.begin(), gone.end()}};
  // The index covers older questions too. Their reads are served along, because reads of a connection must
  // not overtake each other: one may set the watch whose event is owed before the other's answer. Their pings
  // wait on: only their own question told the leader of them.
  for (auto older = open_.begin(); older != at; ++older) {
    std::vector<WaitingRead>& reads = older->second.reads;
    const auto first = std::stable_partition(reads.begin(), reads.end(), [](const WaitingRead& read) {
      return std::holds_alternative<PingRequest>(read.body);
    });
    std::move(first, reads.end(), std::back_inserter(served.reads));
    reads.erase(first, reads.end());
  }
  std::move(at->second.reads.begin(), at->second.reads.end(), std::back_inserter(served.reads));
  open_.erase(at);
  std::erase_if(open_, [](const auto& open) { return open.second.reads.empty(); });
  // An answer that overtook another one does not let its reads overtake either.
  if (!confirmed_.empty()) index = std::max(index, confirmed_.rbegin()->first);
  confirmed_.emplace(index, std::move(served));
}

void Barriers::collect_again(Instant sent_before) {
  for (const auto& [counter, question] : open_) {
    if (question.sent >= sent_before) continue;
    collect_again(counter);
    return;
  }
}

void Barriers::collect_again(uint64_t counter) {
  const auto first = open_.lower_bound(counter);
  std::vector<WaitingRead> again;
  for (auto at = first; at != open_.end(); ++at) {
    std::move(at->second.reads.begin(), at->second.reads.end(), std::back_inserter(again));
  }
  open_.erase(first, open_.end());
  collected_.insert(collected_.begin(), std::make_move_iterator(again.begin()),
                    std::make_move_iterator(again.end()));
  find_due();
}

std::vector<Barriers::Served> Barriers::take_applied(Index applied) {
  std::vector<Served> served;
  while (!confirmed_.empty() && confirmed_.begin()->first <= applied) {
    served.push_back(std::move(confirmed_.begin()->second));
    confirmed_.erase(confirmed_.begin());
    for (const WaitingRead& read : served.back().reads) bytes_ -= read.bytes;
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
  find_due();
  for (auto at = open_.begin(); at != open_.end();) {
    take(at->second.reads);
    at = at->second.reads.empty() ? open_.erase(at) : std::next(at);
  }
  for (const WaitingRead& read : older) bytes_ -= read.bytes;
  return older;
}

}  // namespace quorate::server
