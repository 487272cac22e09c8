#include "server/replica_writes.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace quorate::server {
namespace {

template <class Writes>
auto find_number(Writes& writes, uint64_t number) {
  auto at = std::lower_bound(writes.begin(), writes.end(), number,
                             [](const auto& write, uint64_t n) { return write.number < n; });
  return at != writes.end() && at->number == number ? at : writes.end();
}

}  // namespace

void PendingWrites::attach(SessionId session, ConnectionId connection, uint32_t epoch) {
  detach(session);
  sessions_[session].attached = {connection, epoch};
}

void PendingWrites::detach(SessionId session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return;
  const bool waited = !at->second.writes.empty();
  for (const Write& write : at->second.writes) forget_bytes(write.body);
  sessions_.erase(at);
  if (!waited) return;
  std::erase_if(unsent_, [&](const PendingCommand& c) { return c.session == session; });
}

std::optional<PendingWrites::Attached> PendingWrites::attached(SessionId session) const {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return std::nullopt;
  return at->second.attached;
}

void PendingWrites::add(SessionId session, uint64_t number, uint64_t request, Bytes body, Instant now) {
  std::vector<Write>& writes = sessions_.at(session).writes;
  auto at = writes.end();
  while (at != writes.begin() && std::prev(at)->number > number) --at;
  ++count_;
  bytes_ += body.size();
  unsent_.push_back({session, number, 0, body});
  writes.insert(at, {number, request, std::move(body), now, now, false});
}

void PendingWrites::add_opening(uint64_t counter, Asker asker, Bytes body, Instant now) {
  ++count_;
  bytes_ += body.size();
  unsent_.push_back({SessionId(), 0, counter, body});
  openings_[counter] = {asker, std::move(body), now, now};
}

bool PendingWrites::contains(SessionId session, uint64_t number) const {
  const auto at = sessions_.find(session);
  return at != sessions_.end() && find_number(at->second.writes, number) != at->second.writes.end();
}

std::optional<Asker> PendingWrites::finish(SessionId session, uint64_t number) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return std::nullopt;
  const auto write = find_number(at->second.writes, number);
  if (write == at->second.writes.end()) return std::nullopt;
  const Asker asker{at->second.attached.connection, write->request, write->asked};
  forget_bytes(write->body);
  at->second.writes.erase(write);
  return asker;
}

std::optional<Asker> PendingWrites::finish_opening(uint64_t counter) {
  const auto at = openings_.find(counter);
  if (at == openings_.end()) return std::nullopt;
  const Asker asker = at->second.asker;
  forget_bytes(at->second.body);
  openings_.erase(at);
  std::erase_if(unsent_,
                [&](const PendingCommand& c) { return c.counter == counter && c.session == SessionId(); });
  return asker;
}

bool PendingWrites::sent_again(SessionId session, uint64_t number) const {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return false;
  const auto write = find_number(at->second.writes, number);
  return write != at->second.writes.end() && write->again;
}

size_t PendingWrites::count(SessionId session) const {
  const auto at = sessions_.find(session);
  return at == sessions_.end() ? 0 : at->second.writes.size();
}

bool PendingWrites::has_lower(SessionId session, uint64_t number) const {
  const auto at = sessions_.find(session);
  return at != sessions_.end() && !at->second.writes.empty() && at->second.writes.front().number < number;
}

std::vector<PendingCommand> PendingWrites::take_unsent() {
  std::vector<PendingCommand> commands;
  std::sort(again_.begin(), again_.end());
  again_.erase(std::unique(again_.begin(), again_.end()), again_.end());
  for (const auto& [session, number] : std::exchange(again_, {})) {
    const auto at = sessions_.find(session);
    if (at == sessions_.end()) continue;
    const auto write = find_number(at->second.writes, number);
    if (write != at->second.writes.end()) commands.push_back({session, number, 0, write->body});
  }
  std::vector<PendingCommand> unsent = std::exchange(unsent_, {});
  if (commands.empty()) return unsent;
  std::move(unsent.begin(), unsent.end(), std::back_inserter(commands));
  return commands;
}

void PendingWrites::send_again() {
  unsent_.clear();
  again_.clear();
  send_again_older(kNever, Instant{});
}

void PendingWrites::send_again(SessionId session, uint64_t number) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return;
  const auto write = find_number(at->second.writes, number);
  if (write == at->second.writes.end()) return;
  write->again = true;
  again_.emplace_back(session, number);
}

void PendingWrites::send_again_older(Instant before, Instant now) {
  if (has_unsent() || count_ == 0) return;
  for (auto& [counter, opening] : openings_) {
    if (opening.sent >= before) continue;
    opening.sent = std::max(opening.sent, now);
    unsent_.push_back({SessionId(), 0, counter, opening.body});
  }
  std::vector<SessionId> order;
  for (const auto& [id, session] : sessions_) {
    if (!session.writes.empty()) order.push_back(id);
  }
  std::sort(order.begin(), order.end());
  for (SessionId id : order) {
    for (Write& write : sessions_.at(id).writes) {
      if (write.sent >= before) continue;
      write.sent = std::max(write.sent, now);
      write.again = true;
      unsent_.push_back({id, write.number, 0, write.body});
    }
  }
}

std::vector<Asker> PendingWrites::take_openings_before(Instant before) {
  std::vector<Asker> askers;
  while (!openings_.empty() && openings_.begin()->second.asked < before) {
    if (auto asker = finish_opening(openings_.begin()->first)) askers.push_back(*asker);
  }
  return askers;
}

void PendingWrites::forget_bytes(const Bytes& body) {
  CHECK(count_ > 0 && bytes_ >= body.size());
  --count_;
  bytes_ -= body.size();
}

}  // namespace quorate::server
