#include "client/bench/zookeeper_conversation.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "client/bench/keys.h"
#include "proto/zookeeper_codec.h"

namespace quorate::bench {

namespace zk = zookeeper;

namespace {

constexpr size_t kFrameBytesMax = 8U << 20;
constexpr size_t kLengthBytes = 4;
// xid, zxid, error.
constexpr size_t kAnswerHeaderBytes = 16;
constexpr size_t kErrorAt = 12;
// The ten digits behind the name of a sequential node.
constexpr size_t kSequenceDigits = 10;

uint32_t big_endian(const char* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap32(value);
}

zk::Acl open_to_all() { return {{31, "world", "anyone"}}; }

zk::RequestBody set_of(uint32_t key) {
  return zk::SetData{bench_node_path(key), std::string(kValueBytes, 'v'), -1};
}
zk::RequestBody get_of(uint32_t key) { return zk::GetData{bench_node_path(key), false}; }

template <class BodyOf>
std::vector<std::string> all_frames(BodyOf body_of) {
  std::vector<std::string> frames(kKeys);
  for (uint32_t key = 0; key < kKeys; ++key) zk::append_request(frames[key], {0, body_of(key)});
  return frames;
}

// The frame of a set or a get under the number 0.
std::string_view frame_of(Step step, uint32_t key) {
  static const std::vector<std::string> sets = all_frames(set_of);
  static const std::vector<std::string> gets = all_frames(get_of);
  if (key < kKeys) return step == Step::kSet ? sets[key] : gets[key];
  thread_local std::string frame;
  frame.clear();
  zk::append_request(frame, {0, step == Step::kSet ? set_of(key) : get_of(key)});
  return frame;
}

Heard broken(std::string_view why) { return {Heard::Kind::kBroken, 0, 0, ErrorCode::kMalformed, why}; }

std::string_view sequence_of(std::string_view name) {
  return name.size() < kSequenceDigits ? name : name.substr(name.size() - kSequenceDigits);
}

}  // namespace

bool ZookeeperConversation::open(std::string& out) {
  zk::ConnectRequest request;
  request.timeout_ms = kTimeoutMs;
  request.read_only = false;
  zk::append_connect_request(out, request);
  return true;
}

int32_t ZookeeperConversation::expect(uint32_t slot, Purpose purpose) {
  last_xid_ = last_xid_ == INT32_MAX ? 1 : last_xid_ + 1;
  asked_.push_back({last_xid_, slot, purpose});
  return last_xid_;
}

void ZookeeperConversation::ask(uint32_t slot, Purpose purpose, zk::RequestBody body, std::string& out) {
  zk::append_request(out, {expect(slot, purpose), std::move(body)});
}

void ZookeeperConversation::make_folders(std::string& out, uint32_t key) {
  const auto make = [&](std::string path) {
    ask(0, Purpose::kFolder, zk::Create{zk::OpCode::kCreate, std::move(path), {}, open_to_all(), 0, 0}, out);
  };
  if (!std::exchange(folders_made_, true)) {
    make(kBenchFolder);
    make(kBenchLocksFolder);
  }
  make(bench_lock_path(key));
}

void ZookeeperConversation::request(const Request& request, std::string& out) {
  CHECK(request.slot < kSlots);
  SlotState& slot = slots_[request.slot];
  slot.request = request;
  switch (request.step) {
    case Step::kSet:
    case Step::kGet: {
      const size_t at = out.size();
      out.append(frame_of(request.step, request.key));
      const uint32_t xid = __builtin_bswap32(static_cast<uint32_t>(expect(request.slot, Purpose::kStep)));
      std::memcpy(out.data() + at + kLengthBytes, &xid, sizeof(xid));
      return;
    }
    case Step::kCreate:
      make_folders(out, request.key);
      return ask(request.slot, Purpose::kStep,
                 zk::Create{zk::OpCode::kCreate, bench_node_path(request.key), std::string(kValueBytes, 'v'),
                            open_to_all(), 0, 0},
                 out);
    case Step::kAcquire:
      return ask(request.slot, Purpose::kQueueUp,
                 zk::Create{zk::OpCode::kCreate,
                            bench_lock_path(request.key) + "/lock-",
                            {},
                            open_to_all(),
                            static_cast<int32_t>(zk::CreateMode::kEphemeralSequential),
                            0},
                 out);
    case Step::kRelease:
      return ask(request.slot, Purpose::kStep, zk::Delete{slot.node, -1}, out);
  }
  CHECK_MSG(false, "an unknown step");
}

bool ZookeeperConversation::close(std::string& out) {
  ask(0, Purpose::kFarewell, zk::CloseSession{}, out);
  return true;
}

Heard ZookeeperConversation::hear(std::string_view in, std::string& out) {
  const auto size = zk::frame_size(in, kFrameBytesMax);
  if (!size.ok()) return broken("a frame of an impossible length");
  if (*size == 0 || *size > in.size()) return {};
  Heard heard{Heard::Kind::kNothing, *size, 0, ErrorCode::kOk, {}};
  const std::string_view frame = in.substr(kLengthBytes, *size - kLengthBytes);
  if (!connected_) {
    const auto reply = zk::decode_connect_reply(frame);
    if (!reply.ok()) return broken("no answer to a connect request");
    connected_ = true;
    heard.kind = reply->timeout_ms > 0 ? Heard::Kind::kReady : Heard::Kind::kRefused;
    if (reply->timeout_ms <= 0) heard.code = ErrorCode::kSessionExpired;
    return heard;
  }
  if (frame.size() < kAnswerHeaderBytes) return broken("an answer without a header");
  if (static_cast<int32_t>(big_endian(frame.data())) == zk::kNotificationXid)
    return hear_event(frame, heard, out);
  return hear_answer(frame, heard, out);
}

Heard ZookeeperConversation::hear_answer(std::string_view frame, Heard heard, std::string& out) {
  if (asked_.empty() || static_cast<int32_t>(big_endian(frame.data())) != asked_.front().xid)
    return broken("an answer out of turn");
  const Asked asked = asked_.front();
  asked_.pop_front();
  heard.slot = asked.slot;
  const auto error = static_cast<zk::ErrorCode>(big_endian(frame.data() + kErrorAt));
  const bool excused = asked.purpose == Purpose::kFolder ||
                       (asked.purpose == Purpose::kWatch && error == zk::ErrorCode::kNoNode);
  if (error != zk::ErrorCode::kOk && !excused) {
    heard.kind = Heard::Kind::kRefused;
    heard.code = error == zk::ErrorCode::kNodeExists ? ErrorCode::kNodeExists : ErrorCode::kUnavailable;
    why_ = "ZooKeeper's error " + std::to_string(static_cast<int32_t>(error));
    heard.why = why_;
    return heard;
  }
  SlotState& slot = slots_[asked.slot];
  switch (asked.purpose) {
    case Purpose::kStep:
      heard.kind = Heard::Kind::kDone;
      break;
    case Purpose::kFarewell:
      heard.kind = Heard::Kind::kFarewell;
      break;
    case Purpose::kQueueUp:
      return hear_queued(frame, slot, heard, out);
    case Purpose::kLook:
      return hear_look(frame, slot, heard, out);
    case Purpose::kWatch:
      // It went between the look and the watch.
      if (error == zk::ErrorCode::kNoNode) look(asked.slot, out);
      break;
    case Purpose::kFolder:
      break;
  }
  return heard;
}

// ---- locks

void ZookeeperConversation::look(uint32_t slot, std::string& out) {
  slots_[slot].watched.clear();
  ask(slot, Purpose::kLook, zk::GetChildren{bench_lock_path(slots_[slot].request.key), false, false}, out);
}

Heard ZookeeperConversation::hear_queued(std::string_view frame, SlotState& slot, Heard heard,
                                         std::string& out) {
  auto reply = zk::decode_reply(frame, zk::OpCode::kCreate);
  if (!reply.ok()) return broken("the answer to a create");
  slot.node = std::move(std::get<zk::CreateReply>(reply->body).path);
  look(heard.slot, out);
  return heard;
}

// Who has the lowest number holds; others wait for the one before them.
Heard ZookeeperConversation::hear_look(std::string_view frame, SlotState& slot, Heard heard,
                                       std::string& out) {
  const auto reply = zk::decode_reply(frame, zk::OpCode::kGetChildren);
  if (!reply.ok()) return broken("the answer to a list");
  const std::string_view own = sequence_of(slot.node);
  std::string_view before;
  for (const std::string& name : std::get<zk::ChildrenReply>(reply->body).names) {
    if (sequence_of(name) < own && (before.empty() || sequence_of(name) > sequence_of(before))) before = name;
  }
  if (before.empty()) {
    heard.kind = Heard::Kind::kDone;
    return heard;
  }
  slot.watched = bench_lock_path(slot.request.key) + "/" + std::string(before);
  ask(heard.slot, Purpose::kWatch, zk::GetData{slot.watched, true}, out);
  return heard;
}

Heard ZookeeperConversation::hear_event(std::string_view frame, Heard heard, std::string& out) {
  const auto event = zk::decode_event(frame);
  if (!event.ok()) return broken("an event");
  const auto waits = std::find_if(slots_.begin(), slots_.end(),
                                  [&](const SlotState& slot) { return slot.watched == event->path; });
  if (event->type == zk::EventType::kDeleted && waits != slots_.end())
    look(static_cast<uint32_t>(waits - slots_.begin()), out);
  return heard;
}

}  // namespace quorate::bench
