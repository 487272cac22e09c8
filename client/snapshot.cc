#include "client/quorate/snapshot.h"

#include <chrono>
#include <utility>

#include "base/checksum.h"
#include "client/client_impl.h"

namespace quorate::client {

namespace {

// How often another server's snapshot is begun before the reading is given up.
constexpr size_t kBeginningsMax = 10;
// Parts in a row whose checksum does not match.
constexpr size_t kDamagedMax = 3;
// A server that makes no checkpoint in this time cannot make one.
constexpr std::chrono::minutes kCheckpointMax{5};

}  // namespace

Status Client::read_snapshot(const OnSnapshotPart& take) {
  uint64_t snapshot = 0;  // 0: to be begun
  bool first = true;
  std::string after;
  size_t beginnings = 0, damaged = 0;
  Instant progress = impl_->host.now();
  while (true) {
    api::ClientFrame frame;
    frame.mutable_read_snapshot()->set_snapshot(snapshot);
    frame.mutable_read_snapshot()->set_after(after);
    Result<api::Reply> reply = impl_->read(std::move(frame));
    if (reply.code() == ErrorCode::kSnapshotGone && ++beginnings < kBeginningsMax) {
      snapshot = 0;
      after.clear();
      continue;
    }
    if (!reply.ok()) return reply.error();
    api::SnapshotPart& part = *reply->mutable_snapshot_part();
    if (snapshot == 0) {
      snapshot = part.snapshot();
      first = true;
      if (snapshot == 0) return Error{ErrorCode::kUnsupported, "the server began a snapshot without a name"};
      continue;
    }
    if (checksum64(part.records()) != part.checksum() && !part.name().empty()) {
      if (++damaged >= kDamagedMax)
        return Error{ErrorCode::kCorruption, "parts of the snapshot arrive damaged: is the network sound?"};
      continue;
    }
    damaged = 0;
    const bool nothing_yet = part.records().empty() && !part.complete();
    if (nothing_yet && impl_->host.now() - progress > kCheckpointMax) {
      return Error{ErrorCode::kTimeout,
                   "the server has made no checkpoint in 5 minutes: is its disk full? Its log "
                   "says"};
    }
    if (!nothing_yet) progress = impl_->host.now();
    const bool complete = part.complete();
    if (!part.last_key().empty()) after = part.last_key();
    const SnapshotPart told{first && !nothing_yet, std::move(*part.mutable_name()),
                            std::move(*part.mutable_records()), complete};
    if (!nothing_yet) first = false;
    if (Status taken = take(told); !taken.ok()) return taken;
    if (complete) return {};
  }
}

}  // namespace quorate::client
