// The load's adapter for Quorate's own protocol (proto/client.proto). Each connection opens a session of its
// own, numbers its writes, and tells with each which outcomes have arrived, as the client library does.
//
// The few messages that the load needs are encoded and decoded by hand, because at a million requests a
// second the generator must cost less than what it measures. A test compares them byte for byte with the
// generated classes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/bench/conversation.h"
#include "client/bench/keys.h"

namespace quorate::bench {

inline constexpr std::string_view kNativeMagic = "QUORATE1";
inline constexpr uint32_t kSessionTimeoutMs = 30'000;

// Which numbers of a session's writes have been answered: all below floor(), and some above it. At most 64
// numbers are under way at once.
class AnsweredNumbers {
 public:
  // The number for the next write: 1, 2, 3, ...
  uint64_t next() { return next_++; }
  // REQUIRES: next() gave the number, and it was not answered before.
  void answered(uint64_t number);
  // What a write says as acked_below.
  uint64_t floor() const { return floor_; }

 private:
  uint64_t next_ = 1;
  uint64_t floor_ = 1;
  uint64_t above_ = 0;  // bit i: floor_ + i was answered
};

class NativeConversation final : public Conversation {
 public:
  // `number` becomes part of the session's password.
  explicit NativeConversation(uint32_t number) : number_(number) {}

  bool open(std::string& out) override;
  void request(const Request& request, std::string& out) override;
  // Sends the refused request of a slot again: a write keeps its number, so that it is applied once.
  void retry(uint32_t slot, std::string& out);
  Heard hear(std::string_view in, std::string& out) override;
  bool close(std::string& out) override;

 private:
  static constexpr uint32_t kSlots = 64;
  // A request's id is its counter * kIdSlots + its slot; the slots beyond kSlots are for what belongs to
  // none.
  static constexpr uint64_t kIdSlots = 128;
  static constexpr uint64_t kOpenSlot = 64, kCloseSlot = 65, kPingSlot = 66;

  struct SlotState {
    Request request{Step::kGet, 0, 0};
    uint64_t number = 0;  // of the write that is under way or was refused; 0 for a read
    std::string node;     // the queue node of the lock that is held or waited for
  };

  uint64_t next_id(uint64_t slot) { return ++counter_ * kIdSlots + slot; }
  void put_request(const SlotState& slot, std::string& out);
  void ping_when_due(std::string& out);
  Heard hear_reply(std::string_view body, Heard heard);
  Heard hear_acquired(SlotState& slot, std::string_view outcome, Heard heard);
  Heard hear_granted(std::string_view body, Heard heard);

  const uint32_t number_;
  uint64_t counter_ = 0;
  AnsweredNumbers numbers_;
  std::array<SlotState, kSlots> slots_;
  std::vector<std::string> early_grants_;  // told before the answer to their acquire was
  uint64_t next_ping_ns_ = 0;
  uint64_t since_ping_check_ = 0;
  std::string operation_, write_;  // scratch: bodies while they are wrapped into the next
};

}  // namespace quorate::bench
