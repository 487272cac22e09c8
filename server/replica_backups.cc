#include "server/replica_backups.h"

#include <algorithm>

#include "base/checksum.h"

namespace quorate::server {
namespace {

Error gone(const char* why) {
  return {ErrorCode::kSnapshotGone, std::string(why) + ": begin the snapshot anew"};
}

}  // namespace

void Backups::answer(Backup& backup, Answer answer) {
  if (!backup.asker) return;
  answers_.emplace_back(*backup.asker, std::move(answer));
  backup.asker.reset();
}

void Backups::close(size_t at) {
  Backup& backup = backups_[at];
  answer(backup, gone("this server no longer has it"));
  if (backup.reading) jobs_.add(CloseSnapshot{backup.id});
  backups_.erase(backups_.begin() + static_cast<std::ptrdiff_t>(at));
}

void Backups::close_all() {
  while (!backups_.empty()) close(0);
}

Result<SnapshotPartReply> Backups::begin(Index index, Instant now) {
  if (backups_.size() >= kBackupsMax) {
    const auto complete = [](const Backup& each) { return each.complete; };
    auto quiet = std::find_if(backups_.begin(), backups_.end(), complete);
    if (quiet == backups_.end()) {
      quiet = std::find_if(backups_.begin(), backups_.end(), [now](const Backup& each) {
        return !each.asker && each.used + kBackupQuiet <= now;
      });
    }
    if (quiet == backups_.end()) {
      return {ErrorCode::kLimitReached,
              "this server makes " + std::to_string(kBackupsMax) +
                  " snapshots for clients already: try again later, or ask another"};
    }
    close(static_cast<size_t>(quiet - backups_.begin()));
  }
  Backup backup;
  backup.id = random_.next() | 1;
  backup.index = index;
  backup.used = now;
  backups_.push_back(std::move(backup));
  SnapshotPartReply reply;
  reply.snapshot = backups_.back().id;
  return reply;
}

void Backups::ask(const Asker& asker, const SnapshotPartRequest& request, Instant now) {
  const auto found = std::find_if(backups_.begin(), backups_.end(),
                                  [&](const Backup& each) { return each.id == request.snapshot; });
  if (found == backups_.end()) {
    answers_.emplace_back(asker, gone("this server has no such snapshot"));
    return;
  }
  // Its client has a new connection, and what was asked over the old one is answered to nobody.
  answer(*found,
         Error{ErrorCode::kInvalidArgument, "this snapshot was asked for again meanwhile: one at a time"});
  found->complete = false;
  found->asker = asker;
  found->after = request.after;
  found->asked = found->used = now;
}

void Backups::advance(Index checkpoint) {
  for (Backup& backup : backups_) {
    if (!backup.asker || backup.job != 0) continue;
    if (!backup.reading && checkpoint < backup.index) continue;
    backup.reading = true;
    backup.job_after = backup.after;
    backup.job = jobs_.add(ReadSnapshot{backup.id, backup.after, part_bytes_});
  }
}

bool Backups::done(const StoreDone& done) {
  const auto found = std::find_if(backups_.begin(), backups_.end(), [&done](const Backup& each) {
    return each.job != 0 && each.job == done.id;
  });
  if (found == backups_.end()) return false;
  found->job = 0;
  const auto* part = std::get_if<SnapshotPart>(&done.result);
  if (!done.error.ok() || part == nullptr) {
    close(static_cast<size_t>(found - backups_.begin()));
    return true;
  }
  if (found->after != found->job_after) return true;  // asked for another part meanwhile
  SnapshotPartReply reply;
  reply.snapshot = found->id;
  reply.name = encode_state_name(part->name);
  reply.records = part->records;
  reply.checksum = checksum64(part->records.view());
  reply.last_key = part->last_key;
  reply.complete = part->complete;
  found->complete = part->complete;
  answer(*found, std::move(reply));
  return true;
}

void Backups::tick(Instant now) {
  for (size_t i = backups_.size(); i-- > 0;) {
    Backup& backup = backups_[i];
    if (backup.asker && backup.asked + kBackupAnswer <= now) {
      SnapshotPartReply nothing_yet;
      nothing_yet.snapshot = backup.id;
      answer(backup, std::move(nothing_yet));
    }
    if (!backup.asker && backup.used + kBackupIdle <= now) close(i);
  }
}

Instant Backups::deadline() const {
  Instant at = kNever;
  for (const Backup& backup : backups_)
    at = std::min(at, backup.asker ? backup.asked + kBackupAnswer : backup.used + kBackupIdle);
  return at;
}

std::optional<Index> Backups::wanted() const {
  std::optional<Index> wanted;
  for (const Backup& backup : backups_) {
    if (!backup.reading) wanted = wanted ? std::max(*wanted, backup.index) : backup.index;
  }
  return wanted;
}

}  // namespace quorate::server
