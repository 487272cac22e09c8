// The load's adapter for ZooKeeper's own protocol, which both ZooKeeper and Quorate understand: each
// connection opens a session of its own.
//
// A lock is taken as ZooKeeper's clients do it: an ephemeral sequential node in the lock's folder, a look at
// the folder, a watch on the node before the own one, and another look when it is gone. It is given back by
// deleting the node.
//
// Frames of sets and gets are made once for each key and copied with a new number, because at a million
// requests a second the generator must cost less than what it measures; all else goes by the codec.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "client/bench/conversation.h"
#include "proto/zookeeper.h"

namespace quorate::bench {

class ZookeeperConversation final : public Conversation {
 public:
  static constexpr int32_t kTimeoutMs = 30'000;

  bool open(std::string& out) override;
  // A create makes the folders above its node and the folder of the lock of the same key, too, where there
  // are none.
  void request(const Request& request, std::string& out) override;
  // REQUIRES: the server answers in the order of the requests, as the protocol promises; an answer out of
  // turn is heard as broken.
  Heard hear(std::string_view in, std::string& out) override;
  bool close(std::string& out) override;

 private:
  static constexpr size_t kSlots = 64;

  // What an answer is for.
  enum class Purpose : uint8_t { kStep, kFolder, kQueueUp, kLook, kWatch, kFarewell };
  struct Asked {
    int32_t xid;
    uint32_t slot;
    Purpose purpose;
  };
  struct SlotState {
    Request request{Step::kGet, 0, 0};
    std::string node;     // of the lock that is held or waited for
    std::string watched;  // the node before it, while it is waited for
  };

  void ask(uint32_t slot, Purpose purpose, zookeeper::RequestBody body, std::string& out);
  void make_folders(std::string& out, uint32_t key);
  void look(uint32_t slot, std::string& out);
  int32_t expect(uint32_t slot, Purpose purpose);

  Heard hear_answer(std::string_view frame, Heard heard, std::string& out);
  Heard hear_event(std::string_view frame, Heard heard, std::string& out);
  Heard hear_queued(std::string_view frame, SlotState& slot, Heard heard, std::string& out);
  Heard hear_look(std::string_view frame, SlotState& slot, Heard heard, std::string& out);

  bool connected_ = false;
  bool folders_made_ = false;
  int32_t last_xid_ = 0;
  std::deque<Asked> asked_;  // in the order in which they were sent
  std::array<SlotState, kSlots> slots_;
  std::string why_;
};

}  // namespace quorate::bench
