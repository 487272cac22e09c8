#include "server/formation.h"

#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace quorate::server {
namespace {

// An answer older than this many probe intervals says nothing about now.
constexpr int kAnswerIntervals = 3;
constexpr Duration kNoteInterval = std::chrono::seconds(5);
// The same note is repeated after twice as long each time, up to this.
constexpr Duration kReminderMax = std::chrono::minutes(10);

}  // namespace

uint64_t plan_digest(const std::vector<PlannedMember>& plan, ClusterId restored, uint64_t base_state) {
  std::string bytes;
  ByteWriter out(bytes);
  for (const PlannedMember& member : plan) {
    out.u32(member.id.value());
    out.string(member.address);
  }
  if (base_state != 0) {
    out.u64(restored.value());
    out.u64(base_state);
  }
  return checksum64(bytes);
}

Result<raft::Configuration> read_founding(const raft::Entry& entry) {
  if (entry.index != Index(1) || entry.kind != raft::EntryKind::kConfiguration) {
    return Error{ErrorCode::kCorruption, "the first log entry is not a configuration"};
  }
  return raft::decode_configuration(entry.payload());
}

Formation::Formation(Options options, Instant now)
    : options_(std::move(options)),
      plan_(plan_digest(options_.plan, options_.cluster_id, options_.base_state)),
      next_probe_(now),
      next_note_(now) {
  CHECK_MSG(!options_.plan.empty(), "a cluster is formed from a list of members");
}

std::optional<raft::Entry> Formation::tick(Instant now) {
  if (now < next_probe_) return std::nullopt;
  if (auto entry = decide(now)) return entry;
  probe_all();
  note_who_is_missing(now);
  next_probe_ = now + options_.probe_interval;
  return std::nullopt;
}

std::optional<raft::Entry> Formation::receive(Instant now, const PeerMessage& message) {
  if (const auto* probe = std::get_if<Probe>(&message.body)) {
    if (probe->plan == plan_) {
      heard_[message.from] = {probe->incarnation, now};
    } else {
      refuse_plan(now, message.from);
    }
    send(message.from, ProbeReply{options_.incarnation, plan_});
    return decide(now);
  }
  if (const auto* reply = std::get_if<ProbeReply>(&message.body)) {
    if (reply->plan != plan_) {
      refuse_plan(now, message.from);
      return std::nullopt;
    }
    heard_[message.from] = {reply->incarnation, now};
    return decide(now);
  }
  if (const auto* founding = std::get_if<Founding>(&message.body)) {
    auto entries = raft::decode_entries(founding->entry);
    if (!entries.ok() || entries->size() != 1) return std::nullopt;
    auto configuration = read_founding(entries->front());
    if (!configuration.ok()) return std::nullopt;
    if (configuration->find(options_.id) == nullptr) {
      refuse(now, message.from,
             "the cluster of server " + std::to_string(message.from.value()) +
                 " does not list this server as a member");
      return std::nullopt;
    }
    // An empty folder gets the state from the others; one with a state of its own has no place in their log.
    if (options_.base_state != 0 && (configuration->base_state != options_.base_state ||
                                     configuration->cluster_id != options_.cluster_id)) {
      refuse(
          now, message.from,
          "the cluster of server " + std::to_string(message.from.value()) +
              " began from another state than the one restored here: start this server with an empty folder");
      return std::nullopt;
    }
    return entries->front();
  }
  return std::nullopt;
}

std::optional<raft::Entry> Formation::decide(Instant now) {
  if (!decides()) return std::nullopt;
  raft::Configuration configuration;
  configuration.cluster_id = options_.cluster_id;
  configuration.base_state = options_.base_state;
  for (const PlannedMember& member : options_.plan) {
    Incarnation incarnation = options_.incarnation;
    if (member.id != options_.id) {
      const auto heard = heard_.find(member.id);
      if (heard == heard_.end()) return std::nullopt;
      if (heard->second.at + kAnswerIntervals * options_.probe_interval < now) return std::nullopt;
      incarnation = heard->second.incarnation;
    }
    configuration.members.push_back({member.id, incarnation, raft::MemberRole::kVoter, member.address});
  }
  const std::string payload = raft::encode_configuration(configuration);
  const raft::Proposal proposal{raft::EntryKind::kConfiguration, payload};
  return raft::encode_entries(kFoundingTerm, Index(1), std::span(&proposal, 1)).front();
}

void Formation::probe_all() {
  for (const PlannedMember& member : options_.plan) {
    if (member.id != options_.id) send(member.id, Probe{options_.incarnation, plan_});
  }
}

void Formation::note_who_is_missing(Instant now) {
  if (now < next_note_) return;
  next_note_ = now + kNoteInterval;
  std::string missing;
  for (const PlannedMember& member : options_.plan) {
    const auto heard = heard_.find(member.id);
    const bool here =
        member.id == options_.id ||
        (heard != heard_.end() && heard->second.at + kAnswerIntervals * options_.probe_interval >= now);
    if (here) continue;
    if (!missing.empty()) missing += ", ";
    missing += std::to_string(member.id.value()) + " (" + member.address + ")";
  }
  std::string note = missing.empty() ? "forming the cluster: all are here, waiting for server " +
                                           std::to_string(options_.plan.front().id.value()) + " to found it"
                                     : "forming the cluster needs every member; waiting for " + missing;
  // The same news again comes ever more rarely: somebody may look only hours later.
  const bool again = note == said_;
  if (again && now < remind_at_) return;
  reminder_ = again ? std::min(2 * reminder_, kReminderMax) : kNoteInterval;
  remind_at_ = now + reminder_;
  said_ = note;
  note_ = std::move(note);
}

void Formation::refuse_plan(Instant now, ServerId other) {
  refuse(now, other,
         "no cluster is formed with server " + std::to_string(other.value()) +
             ": it was started with another --cluster list, or restored from another backup or with another "
             "cluster id; start all with the same list, and restore all alike or none");
}

// Once in a while for each of them: they may be refused for different reasons.
void Formation::refuse(Instant now, ServerId other, std::string why) {
  Instant& next = next_refusal_[other];
  if (now < next) return;
  next = now + kReminderMax;
  refusals_.push_back(std::move(why));
}

void Formation::send(ServerId to, PeerBody body) {
  messages_.push_back(PeerMessage{options_.id, to, options_.boot, std::move(body)});
}

std::vector<PeerMessage> Formation::take_messages() { return std::exchange(messages_, {}); }
std::string Formation::take_note() { return std::exchange(note_, {}); }
std::vector<std::string> Formation::take_refusals() { return std::exchange(refusals_, {}); }

}  // namespace quorate::server
