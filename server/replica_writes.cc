#include "server/replica_writes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::server {

void PendingWrites::attach(SessionId session, ConnectionId connection, uint32_t epoch) {
  detach(session);
  sessions_[session].attached = {connection, epoch};
}

void PendingWrites::detach(SessionId session) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return;
  for (const auto& [number, write] : at->second.writes) {
    if (write.where == Write::Where::kAgain) again_.erase({session, number});
    forget_bytes(write.body);
  }
  sessions_.erase(at);
}

std::optional<PendingWrites::Attached> PendingWrites::attached(SessionId session) const {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return std::nullopt;
  return at->second.attached;
}

const PendingWrites::Write* PendingWrites::find(SessionId session, uint64_t number) const {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return nullptr;
  const auto write = at->second.writes.find(number);
  return write == at->second.writes.end() ? nullptr : &write->second;
}

PendingWrites::Write* PendingWrites::find(SessionId session, uint64_t number) {
  return const_cast<Write*>(std::as_const(*this).find(session, number));
}

void PendingWrites::add(SessionId session, uint64_t number, uint64_t request, Bytes body, Instant now,
                        bool again) {
  std::map<uint64_t, Write>& writes = sessions_.at(session).writes;
  ++count_;
  bytes_ += body.size();
  const auto [write, added] = writes.try_emplace(number, Write{request, std::move(body), now});
  CHECK(added);
  write->second.again = again;
  const auto behind = again_.lower_bound({session, 0});
  if (behind != again_.end() && behind->first == session) return put_again(session, number, write->second);
  name_unsent({session, number, 0});
}

void PendingWrites::add_opening(uint64_t counter, Asker asker, Bytes body, Instant now) {
  ++count_;
  bytes_ += body.size();
  openings_[counter] = {asker, std::move(body), now};
  name_unsent({SessionId(), 0, counter});
}

// Most of what is no more to be sent is found when the rest is; without a leader nothing is sent.
void PendingWrites::name_unsent(Unsent command) {
  constexpr size_t kGone = 1'000;
  if (unsent_.size() > 2 * (count_ + kGone))
    std::erase_if(unsent_, [this](const Unsent& named) { return !is_unsent(named); });
  unsent_.push_back(command);
}

bool PendingWrites::is_unsent(const Unsent& command) {
  if (command.session == SessionId()) {
    const auto at = openings_.find(command.counter);
    return at != openings_.end() && at->second.unsent;
  }
  const Write* const write = find(command.session, command.number);
  return write != nullptr && write->where == Write::Where::kUnsent;
}

bool PendingWrites::contains(SessionId session, uint64_t number) const {
  return find(session, number) != nullptr;
}

std::optional<Asker> PendingWrites::finish(SessionId session, uint64_t number) {
  const auto at = sessions_.find(session);
  if (at == sessions_.end()) return std::nullopt;
  const auto found = at->second.writes.find(number);
  if (found == at->second.writes.end()) return std::nullopt;
  const Write& write = found->second;
  const Asker asker{at->second.attached.connection, write.request, write.asked};
  if (write.delayed) again_room_ = kSentAgainBytesMax;
  if (write.where == Write::Where::kAgain) again_.erase({session, number});
  forget_bytes(write.body);
  at->second.writes.erase(found);
  return asker;
}

std::optional<Asker> PendingWrites::finish_opening(uint64_t counter) {
  const auto at = openings_.find(counter);
  if (at == openings_.end()) return std::nullopt;
  const Asker asker = at->second.asker;
  forget_bytes(at->second.body);
  openings_.erase(at);
  return asker;
}

bool PendingWrites::sent_again(SessionId session, uint64_t number) const {
  const Write* const write = find(session, number);
  return write != nullptr && write->again;
}

bool PendingWrites::was_sent_last_in(uint64_t sending, SessionId session, uint64_t number) const {
  const Write* const write = find(session, number);
  return write != nullptr && write->where == Write::Where::kSent && write->sending == sending;
}

size_t PendingWrites::count(SessionId session) const {
  const auto at = sessions_.find(session);
  return at == sessions_.end() ? 0 : at->second.writes.size();
}

bool PendingWrites::has_lower(SessionId session, uint64_t number) const {
  const auto at = sessions_.find(session);
  return at != sessions_.end() && !at->second.writes.empty() && at->second.writes.begin()->first < number;
}

PendingCommand PendingWrites::take(SessionId session, uint64_t number, Instant now, uint64_t sending) {
  Write& write = *find(session, number);
  write.where = Write::Where::kSent;
  write.sent = now;
  write.sending = sending;
  return {session, number, 0, write.body};
}

std::vector<PendingCommand> PendingWrites::take_unsent(Instant now, bool sparingly, uint64_t sending) {
  std::vector<PendingCommand> commands;
  while (!again_.empty() && (!sparingly || again_room_ > 0)) {
    const auto [session, number] = *again_.begin();
    again_.erase(again_.begin());
    commands.push_back(take(session, number, now, sending));
    again_room_ -= std::min(again_room_, commands.back().body.size() + kPendingBytes);
  }
  for (const Unsent& named : std::exchange(unsent_, {})) {
    if (!is_unsent(named)) continue;
    if (named.session != SessionId()) {
      commands.push_back(take(named.session, named.number, now, sending));
      continue;
    }
    Opening& opening = openings_.at(named.counter);
    opening.unsent = false;
    opening.sent = now;
    commands.push_back({SessionId(), 0, named.counter, opening.body});
  }
  return commands;
}

void PendingWrites::put_again(SessionId session, uint64_t number, Write& write) {
  if (write.where == Write::Where::kSent) write.again = true;
  write.where = Write::Where::kAgain;
  write.delayed = true;
  again_.emplace(session, number);
}

void PendingWrites::send_again() {
  unsent_.clear();
  again_room_ = kSentAgainBytesMax;
  for (auto& [counter, opening] : openings_) {
    opening.unsent = true;
    unsent_.push_back({SessionId(), 0, counter});
  }
  for (auto& [id, session] : sessions_) {
    for (auto& [number, write] : session.writes) put_again(id, number, write);
  }
}

void PendingWrites::send_again(SessionId session, uint64_t number) {
  Write* const write = find(session, number);
  if (write != nullptr && write->where == Write::Where::kSent) put_again(session, number, *write);
}

void PendingWrites::send_again_older(Instant before, Instant now) {
  if (again_room_since_ < before) {
    again_room_ = kSentAgainBytesMax;
    again_room_since_ = now;
  }
  const bool others = !has_unsent();
  for (auto& [counter, opening] : openings_) {
    if (opening.unsent || opening.sent >= before) continue;
    opening.unsent = true;
    unsent_.push_back({SessionId(), 0, counter});
  }
  if (!others || count_ == 0) return;
  for (auto& [id, session] : sessions_) {
    for (auto& [number, write] : session.writes) {
      if (write.sent < before) put_again(id, number, write);
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
