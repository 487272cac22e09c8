#include "server/replica_snapshots.h"

#include <algorithm>

#include "base/check.h"
#include "base/checksum.h"
#include "raft/configuration.h"

namespace quorate::server {

// ---- the side that has it

SnapshotSender::Sending* SnapshotSender::find(uint64_t id) {
  const auto found =
      std::find_if(sendings_.begin(), sendings_.end(), [id](const Sending& s) { return s.id == id; });
  return found == sendings_.end() ? nullptr : &*found;
}

void SnapshotSender::close(size_t at) {
  jobs_.add(CloseSnapshot{sendings_[at].id});
  sendings_.erase(sendings_.begin() + static_cast<std::ptrdiff_t>(at));
}

void SnapshotSender::close_all() {
  while (!sendings_.empty()) close(0);
}

void SnapshotSender::refuse(ServerId to, const SnapshotFetch& fetch, ErrorCode code, std::string why) {
  SnapshotChunk chunk;
  chunk.asker = fetch.asker;
  chunk.snapshot = fetch.snapshot;
  chunk.after = fetch.after;
  chunk.error = {code, std::move(why)};
  messages_.emplace_back(to, std::move(chunk));
}

// An asker has one snapshot. It asks for a new one because the answer to its first question was lost, or
// because it cannot go on with the one that it had.
SnapshotSender::Sending* SnapshotSender::open(ServerId from, const SnapshotFetch& fetch, Index checkpoint) {
  for (size_t i = 0; i < sendings_.size(); ++i) {
    Sending& known = sendings_[i];
    if (known.asker != from) continue;
    if (known.boot == fetch.asker && !known.advanced && known.index >= fetch.at_least) return &known;
    close(i);
    break;
  }
  if (sendings_.size() >= kSnapshotsMax) {
    const auto done =
        std::find_if(sendings_.begin(), sendings_.end(), [](const Sending& s) { return s.complete; });
    if (done == sendings_.end()) return nullptr;
    close(static_cast<size_t>(done - sendings_.begin()));
  }
  Sending sending;
  sending.id = random_.next() | 1;
  sending.asker = from;
  sending.boot = fetch.asker;
  sending.index = checkpoint;
  sendings_.push_back(std::move(sending));
  return &sendings_.back();
}

void SnapshotSender::fetch(ServerId from, const SnapshotFetch& fetch, Index checkpoint, Instant now) {
  const bool first = fetch.snapshot == 0;
  Sending* sending = first ? open(from, fetch, checkpoint) : find(fetch.snapshot);
  if (sending == nullptr) {
    return refuse(from, fetch, ErrorCode::kUnavailable,
                  first ? "as many snapshots as may be are being sent: ask again later"
                        : "there is no such snapshot: begin anew");
  }
  if (sending->asker != from || sending->boot != fetch.asker) return;
  sending->used = now;
  sending->advanced = sending->advanced || !first;
  if (sending->job != 0) return;
  sending->after = fetch.after;
  sending->job = jobs_.add(ReadSnapshot{sending->id, fetch.after, part_bytes_});
}

bool SnapshotSender::done(const StoreDone& done, Term term) {
  const auto found = std::find_if(sendings_.begin(), sendings_.end(),
                                  [&done](const Sending& s) { return s.job != 0 && s.job == done.id; });
  if (found == sendings_.end()) return false;
  found->job = 0;
  SnapshotChunk chunk;
  chunk.asker = found->boot;
  chunk.term = term;
  chunk.snapshot = found->id;
  chunk.after = found->after;
  const ServerId to = found->asker;
  const auto* part = std::get_if<SnapshotPart>(&done.result);
  if (done.error.ok() && part != nullptr) {
    found->index = part->name.index;
    found->complete = part->complete;
    chunk.name = Bytes(encode_state_name(part->name));
    chunk.name_checksum = checksum64(chunk.name.view());
    chunk.records = part->records;
    chunk.checksum = checksum64(part->records.view());
    chunk.last_key = part->last_key;
    chunk.complete = part->complete;
  } else {
    chunk.error = {ErrorCode::kUnavailable, "it cannot be read: " + done.error.message};
    close(static_cast<size_t>(found - sendings_.begin()));
  }
  messages_.emplace_back(to, std::move(chunk));
  return true;
}

void SnapshotSender::tick(Instant now) {
  for (size_t i = sendings_.size(); i-- > 0;) {
    if (sendings_[i].used + kSnapshotIdle <= now) close(i);
  }
}

Instant SnapshotSender::deadline() const {
  Instant at = kNever;
  for (const Sending& sending : sendings_) at = std::min(at, sending.used + kSnapshotIdle);
  return at;
}

std::optional<Index> SnapshotSender::oldest() const {
  std::optional<Index> oldest;
  for (const Sending& sending : sendings_) oldest = oldest ? std::min(*oldest, sending.index) : sending.index;
  return oldest;
}

// ---- the side that needs it

void SnapshotReceiver::advance(const Situation& at) {
  if (phase_ == Phase::kFinishing) return;
  if (!at.needed) return give_up();
  if (phase_ == Phase::kNone) {
    if (at.leader == ServerId() || at.now < ask_again_) return;
    refusals_ = 0;
    begin_anew(at.leader);
    note_ = "the log does not reach this server: asking server " + std::to_string(source_.value()) +
            " for the state";
  }
  const bool named = phase_ == Phase::kReceiving || phase_ == Phase::kReceived;
  if (named && name_.index < at.of_use) {
    note_ = "the state that was being received is older by now than what is here: asking for another one";
    begin_anew(at.leader != ServerId() ? at.leader : source_);
  }
  if (phase_ == Phase::kReceived) {
    // What was received may have been committed in the sender's term; no leader of an earlier one need have
    // it.
    if (at.durable_term < term_) return;
    finish_job_ = jobs_.add(FinishReceive{});
    phase_ = Phase::kFinishing;
    return;
  }
  if (storing_.size() >= kPartsStoringMax) return;
  if (asked_ && at.now < ask_again_) return;
  if (asked_) {
    ++unanswered_;
    if (unanswered_ >= kUnansweredMax && at.leader != ServerId() && at.leader != source_) {
      begin_anew(at.leader);
    } else if (unanswered_ >= kUnansweredLongMax) {
      begin_anew(source_behind(source_, at));
    }
  }
  if (!asked_ && at.now < ask_again_) return;
  ask(at);
}

void SnapshotReceiver::ask(const Situation& at) {
  asked_ = true;
  ask_again_ = at.now + options_.resend_interval;
  messages_.emplace_back(source_, SnapshotFetch{options_.boot, snapshot_, after_, at.at_least});
}

// Any voter may have a state that is of use.
ServerId SnapshotReceiver::source_behind(ServerId source, const Situation& at) const {
  ServerId lowest, next;
  for (const ServerId id : at.voters) {
    if (id == options_.id) continue;
    if (lowest == ServerId() || id < lowest) lowest = id;
    if (id > source && (next == ServerId() || id < next)) next = id;
  }
  return next != ServerId() ? next : lowest != ServerId() ? lowest : source;
}

void SnapshotReceiver::begin_anew(ServerId source) {
  if (source != source_) refusals_ = 0;
  phase_ = Phase::kAsking;
  source_ = source;
  snapshot_ = 0;
  after_.clear();
  term_ = Term();
  asked_ = false;
  unanswered_ = 0;
  other_names_ = 0;
  ask_again_ = Instant();
}

void SnapshotReceiver::give_up() {
  if (phase_ == Phase::kNone) return;
  if (begun_) jobs_.add(AbandonReceive{});
  begun_ = false;
  phase_ = Phase::kNone;
}

bool SnapshotReceiver::other_name(const SnapshotChunk& chunk) const {
  return phase_ == Phase::kReceiving && chunk.name.view() != name_bytes_.view();
}

bool SnapshotReceiver::fits(const SnapshotChunk& chunk, const StateName& name, const Situation& at) const {
  if (checksum64(chunk.records.view()) != chunk.checksum) return false;
  if (chunk.name_checksum != 0 && checksum64(chunk.name.view()) != chunk.name_checksum) return false;
  if (other_name(chunk)) return false;
  // The log goes on from it once the store has switched: too late to find that it is none.
  if (!raft::decode_configuration(name.configuration.view()).ok()) return false;
  if (name.cluster != at.cluster || name.term > chunk.term) return false;
  if (phase_ == Phase::kAsking && (name.index < at.at_least || chunk.snapshot == 0)) return false;
  // Each part takes us further, or it is the empty end.
  return chunk.last_key > after_ || (chunk.complete && chunk.records.empty());
}

// A server that has none now has one soon, and one that has lost ours can give another. But one whose state
// is damaged says the same again at the same place: another may have it whole.
void SnapshotReceiver::refused(ServerId from, const SnapshotChunk& chunk, const Situation& at) {
  if (phase_ == Phase::kReceiving) {
    note_ =
        "server " + std::to_string(from.value()) + " does not go on with the state: " + chunk.error.message;
  }
  const bool elsewhere = ++refusals_ >= kRefusalsMax;
  begin_anew(elsewhere ? source_behind(source_, at) : source_);
  ask_again_ = at.now + options_.resend_interval;
}

bool SnapshotReceiver::take(ServerId from, const SnapshotChunk& chunk, const Situation& at) {
  const bool waiting = (phase_ == Phase::kAsking || phase_ == Phase::kReceiving) && asked_;
  if (!waiting || from != source_ || chunk.asker != options_.boot || chunk.after != after_) return false;
  if (snapshot_ != 0 && chunk.snapshot != snapshot_) return false;
  if (!chunk.error.ok()) {
    refused(from, chunk, at);
    return false;
  }
  Result<StateName> name = decode_state_name(chunk.name.view());
  if (!name.ok() || !fits(chunk, *name, at)) {
    note_ = "a part of the state that server " + std::to_string(from.value()) +
            " sent is damaged or does not fit: asking for it again";
    if (other_name(chunk) && ++other_names_ >= kOtherNamesMax) begin_anew(source_);
    return false;
  }
  if (phase_ == Phase::kAsking) {
    phase_ = Phase::kReceiving;
    snapshot_ = chunk.snapshot;
    name_ = std::move(*name);
    name_bytes_ = chunk.name;
    begun_ = true;
    storing_.push_back(jobs_.add(BeginReceive{name_}));
  }
  term_ = std::max(term_, chunk.term);
  bytes_ += chunk.records.size();
  if (!chunk.records.empty()) {
    storing_.push_back(jobs_.add(ReceiveRecords{chunk.records}));
    after_ = chunk.last_key;
  }
  unanswered_ = 0;
  other_names_ = 0;
  asked_ = false;
  ask_again_ = at.now;
  if (chunk.complete) phase_ = Phase::kReceived;
  return true;
}

bool SnapshotReceiver::done(StoreDone& done, Instant now) {
  if (const auto at = std::find(storing_.begin(), storing_.end(), done.id); at != storing_.end()) {
    storing_.erase(at);
    if (!done.error.ok() && under_way() && !finishing()) {
      note_ = "the state that is being received cannot be stored: " + done.error.message;
      give_up();
      ask_again_ = now + kAfterDamage;
    }
    return true;
  }
  if (done.id != finish_job_ || phase_ != Phase::kFinishing) return false;
  phase_ = Phase::kNone;
  begun_ = false;
  finish_job_ = 0;
  if (auto* state = std::get_if<ReceivedState>(&done.result); state != nullptr && done.error.ok()) {
    received_ = std::move(*state);
  } else {
    note_ = "the state that was received is not used: " + done.error.message;
    ask_again_ = now + kAfterDamage;
  }
  return true;
}

Instant SnapshotReceiver::deadline(Instant now) const {
  const bool stored_first = phase_ == Phase::kReceiving && storing_.size() >= kPartsStoringMax;
  if (stored_first || phase_ == Phase::kReceived || phase_ == Phase::kFinishing) return kNever;
  return ask_again_ > now ? ask_again_ : kNever;
}

}  // namespace quorate::server
