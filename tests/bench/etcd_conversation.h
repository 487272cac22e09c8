// The load's adapter for etcd: its services over gRPC, that is HTTP/2 without TLS. Each connection has its
// requests under way as streams of their own, as a gRPC client does. Gets are linearizable, etcd's default.
//
// Of HTTP/2 there is what one such client needs. Headers that the server sends are not read, so its HPACK
// table is not kept either: an answer with a message is done, one without was refused.
//
// A lock is etcd's own, held by a lease of the connection. REQUIRES: one lock at a time.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "client/bench/conversation.h"

namespace quorate::bench {

class EtcdConversation final : public Conversation {
 public:
  // Asks for a lease: the answer shows that the server serves, and later requests refer to its headers.
  bool open(std::string& out) override;
  void request(const Request& request, std::string& out) override;
  Heard hear(std::string_view in, std::string& out) override;
  bool close(std::string&) override { return false; }

 private:
  // The streams beyond the slots belong to none: the one of open().
  static constexpr uint32_t kSlots = 65, kOpenSlot = 64;

  struct SlotState {
    uint32_t stream = 0;  // 0: no request is under way
    Step step = Step::kGet;
    bool answered = false;  // its message has come
  };
  struct Frame {
    uint8_t type = 0, flags = 0;
    uint32_t stream = 0;
    std::string_view body;
  };

  SlotState& begin_stream(uint32_t slot, Step step);
  void call(uint32_t slot, std::string_view headers, const std::string& message, std::string& out);
  void ask_lock(const Request& request, std::string& out);
  bool take_message(const SlotState& slot, std::string_view body);
  SlotState* find(uint32_t stream);
  void take_window(size_t bytes);
  Heard hear_stream(const Frame& frame, Heard heard, std::string& out);

  uint32_t next_stream_ = 1;
  int64_t send_window_ = 65'535;  // bytes of messages that the server still takes on this connection
  size_t received_ = 0;           // bytes of messages since the server was last told to go on
  std::array<SlotState, kSlots> slots_;
  uint64_t lease_ = 0;
  std::string lock_key_;
};

}  // namespace quorate::bench
