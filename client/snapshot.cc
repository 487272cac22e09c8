#include "client/quorate/snapshot.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
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

api::ClientFrame part_frame(uint64_t snapshot, const std::string& after) {
  api::ClientFrame frame;
  frame.mutable_read_snapshot()->set_snapshot(snapshot);
  frame.mutable_read_snapshot()->set_after(after);
  return frame;
}

// What is asked next, and what is handed on. A mistake of the stream or of `take` becomes the reply.
class SnapshotReading {
 public:
  SnapshotReading(Host& host, OnSnapshotPart take) : host_(host), take_(std::move(take)) {}

  // As Take has it.
  bool take(Outcome& reply, api::ClientFrame& next) {
    if (reply.code() == ErrorCode::kSnapshotGone && ++beginnings_ < kBeginningsMax) {
      snapshot_ = 0;
      after_.clear();
    } else if (!reply.ok() || !look_at(*reply->mutable_snapshot_part(), reply)) {
      return false;
    }
    next = part_frame(snapshot_, after_);
    return true;
  }

 private:
  // False: that was the last, or `reply` is the error now.
  bool look_at(api::SnapshotPart& part, Outcome& reply) {
    if (snapshot_ == 0) {
      snapshot_ = part.snapshot();
      first_ = true;
      if (snapshot_ != 0) return true;
      return refuse(reply, {ErrorCode::kUnsupported, "the server began a snapshot without a name"});
    }
    if (checksum64(part.records()) != part.checksum() && !part.name().empty()) {
      if (++damaged_ < kDamagedMax) return true;
      return refuse(reply,
                    {ErrorCode::kCorruption, "parts of the snapshot arrive damaged: is the network sound?"});
    }
    damaged_ = 0;
    const bool nothing_yet = part.records().empty() && !part.complete();
    const Instant now = host_.now();
    if (nothing_yet && progress_ && now - *progress_ > kCheckpointMax) {
      return refuse(reply, {ErrorCode::kTimeout,
                            "the server has made no checkpoint in 5 minutes: is its disk full? Its log "
                            "says"});
    }
    if (!nothing_yet || !progress_) progress_ = now;
    if (!part.last_key().empty()) after_ = part.last_key();
    const bool complete = part.complete();
    const SnapshotPart told{first_ && !nothing_yet, std::move(*part.mutable_name()),
                            std::move(*part.mutable_records()), complete};
    if (!nothing_yet) first_ = false;
    if (Status taken = take_(told); !taken.ok()) return refuse(reply, taken.error());
    return !complete;
  }

  static bool refuse(Outcome& reply, Error error) {
    reply = Outcome(std::move(error));
    return false;
  }

  Host& host_;
  const OnSnapshotPart take_;
  uint64_t snapshot_ = 0;  // 0: to be begun
  bool first_ = true;
  std::string after_;
  size_t beginnings_ = 0, damaged_ = 0;
  std::optional<Instant> progress_;  // when the last part came, or the first answer
};

Take reading(Host& host, OnSnapshotPart take) {
  return [reading = std::make_shared<SnapshotReading>(host, std::move(take))](
             Outcome& reply, api::ClientFrame& next) { return reading->take(reply, next); };
}

}  // namespace

Call<Status> AsyncClient::read_snapshot(OnSnapshotPart take) {
  return make_call<Status>(
      impl_, start_exchange(impl_, part_frame(0, {}), reading(impl_->host, std::move(take))), status_in);
}

Status Client::read_snapshot(const OnSnapshotPart& take) {
  Outcome last = impl_->exchange(part_frame(0, {}), reading(impl_->host, std::ref(take)));
  return status_in(last);
}

}  // namespace quorate::client
