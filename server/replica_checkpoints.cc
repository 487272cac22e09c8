#include "server/replica_checkpoints.h"

#include "base/check.h"

namespace quorate::server {

void Checkpoints::stagger(size_t place, size_t servers) {
  CHECK(place < servers);
  place_ = place;
  servers_ = servers;
}

bool Checkpoints::enough(const kv::StateMachine& state) const {
  const auto reached = [this](size_t bytes, size_t limit) {
    return bytes >= (place_ == 0 ? limit : limit / servers_ * (servers_ - place_));
  };
  return reached(state.dirty_bytes(), options_.dirty_bytes) || reached(log_bytes_, options_.log_bytes);
}

bool Checkpoints::due(const kv::StateMachine& state) const {
  if (state.applied() <= durable_) return false;  // nothing was applied since
  if (wanted_ > durable_ && state.applied() >= wanted_) return true;
  return enough(state);
}

void Checkpoints::begin(kv::StateMachine& state, StateName name) {
  CHECK(name.index == state.applied());
  name_ = std::move(name);
  records_.clear();
  log_bytes_ = 0;
  place_ = 0;
  next_slice_ = Instant();
  state.begin_capture();
  phase_ = Phase::kCapturing;
}

void Checkpoints::capture(kv::StateMachine& state, Instant now) {
  if (now < next_slice_ && !enough(state)) return;
  if (state.capture(options_.slice_bytes, records_)) phase_ = Phase::kCaptured;
  next_slice_ = now + options_.slice_pause;
}

void Checkpoints::go_on(kv::StateMachine& state, Index log, Instant now) {
  if (phase_ == Phase::kCapturing) capture(state, now);
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
