#include "server/replica_checkpoints.h"

#include "base/check.h"

namespace quorate::server {

bool Checkpoints::due(const kv::StateMachine& state) const {
  if (state.applied() <= durable_) return false;  // nothing was applied since
  if (wanted_ > durable_ && state.applied() >= wanted_) return true;
  return state.dirty_bytes() >= options_.dirty_bytes || log_bytes_ >= options_.log_bytes;
}

void Checkpoints::begin(kv::StateMachine& state, StateName name) {
  CHECK(name.index == state.applied());
  name_ = std::move(name);
  records_.clear();
  log_bytes_ = 0;
  state.begin_capture();
  phase_ = Phase::kCapturing;
}

void Checkpoints::go_on(kv::StateMachine& state, Index log) {
  if (phase_ == Phase::kCapturing && state.capture(options_.slice_bytes, records_)) phase_ = Phase::kCaptured;
  if (phase_ != Phase::kCaptured || log < name_.index) return;
  job_ = jobs_.add(WriteCheckpoint{name_, std::exchange(records_, {})});
  phase_ = Phase::kWriting;
}

std::optional<Index> Checkpoints::done(uint64_t job) {
  if (phase_ != Phase::kWriting || job != job_) return std::nullopt;
  phase_ = Phase::kNone;
  durable_ = name_.index;
  return durable_;
}

void Checkpoints::reset(Index index) {
  phase_ = Phase::kNone;
  records_.clear();
  log_bytes_ = 0;
  job_ = 0;
  durable_ = index;
}

}  // namespace quorate::server
