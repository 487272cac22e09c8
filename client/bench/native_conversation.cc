#include "client/bench/native_conversation.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "client/bench/net.h"
#include "client/bench/protobuf_wire.h"

namespace quorate::bench {
namespace {

// Field numbers of proto/client.proto.
namespace client_frame {
constexpr uint32_t kId = 1, kOpenSession = 2, kPing = 4, kWrite = 5, kGet = 6;
}
namespace write_message {
constexpr uint32_t kNumber = 1, kAckedBelow = 2, kCreate = 3, kSet = 4, kAcquire = 6, kRelease = 7,
                   kCloseSession = 8;
}
namespace server_frame {
constexpr uint32_t kReply = 1, kGranted = 3, kSessionEnd = 4;
}

constexpr size_t kPasswordBytes = 16;
constexpr size_t kFrameBytesMax = 8U << 20;
constexpr uint64_t kPingEveryRequests = 16;
constexpr uint64_t kPingEveryNs = uint64_t{kSessionTimeoutMs} * 1'000'000 / 3;

// Paths are made once: the load only copies them.
template <class Make>
std::vector<std::string> all_paths(Make make) {
  std::vector<std::string> paths;
  for (uint32_t key = 0; key < kKeys; ++key) paths.push_back(make(key));
  return paths;
}

std::string_view node_path(uint32_t key) {
  static const std::vector<std::string> paths = all_paths(bench_node_path);
  if (key < kKeys) return paths[key];
  thread_local std::string path;
  return path = bench_node_path(key);
}

const std::string& lock_path(uint32_t key) {
  static const std::vector<std::string> paths = all_paths(bench_lock_path);
  return paths[key % kKeys];
}

const std::string& value() {
  static const std::string bytes(kValueBytes, 'v');
  return bytes;
}

// Appends u32 length | ClientFrame{id, field: body}.
void put_frame(uint64_t id, uint32_t field, std::string_view body, std::string& out) {
  const size_t at = out.size();
  ByteWriter writer(out);
  writer.u32(0);
  put_varint_field(writer, client_frame::kId, id);
  put_message_field(writer, field, body);
  const auto length = static_cast<uint32_t>(out.size() - at - 4);
  std::memcpy(out.data() + at, &length, sizeof(length));
}

// Clears `operation` and writes the body of the request into it; the result is its field in Write (or, for a
// get, in ClientFrame).
uint32_t put_operation(const Request& request, const std::string& node, std::string& operation) {
  operation.clear();
  ByteWriter writer(operation);
  constexpr uint64_t kAnyVersion = 1;  // -1 as a zigzag varint
  switch (request.step) {
    case Step::kCreate:
      put_bytes_field(writer, 1, node_path(request.key));
      put_bytes_field(writer, 2, value());
      put_varint_field(writer, 5, 1);  // with parents
      return write_message::kCreate;
    case Step::kSet:
      put_bytes_field(writer, 1, node_path(request.key));
      put_bytes_field(writer, 2, value());
      put_varint_field(writer, 3, kAnyVersion);
      return write_message::kSet;
    case Step::kGet:
      put_bytes_field(writer, 1, node_path(request.key));
      put_varint_field(writer, 2, 1);  // with data
      return client_frame::kGet;
    case Step::kAcquire:
      put_bytes_field(writer, 1, lock_path(request.key));
      return write_message::kAcquire;
    case Step::kRelease:
      put_bytes_field(writer, 1, node);
      return write_message::kRelease;
  }
  CHECK_MSG(false, "an unknown step");
}

Heard broken(std::string_view why) { return {Heard::Kind::kBroken, 0, 0, ErrorCode::kMalformed, why}; }

}  // namespace

void AnsweredNumbers::answered(uint64_t number) {
  CHECK(number >= floor_ && number < next_);
  CHECK_MSG(number - floor_ < 64, "more than 64 writes of a session under way");
  above_ |= uint64_t{1} << (number - floor_);
  const int run = __builtin_ctzll(~above_ | (uint64_t{1} << 63));
  above_ >>= run;
  floor_ += static_cast<uint64_t>(run);
}

bool NativeConversation::open(std::string& out) {
  out.append(kNativeMagic);
  std::string password(kPasswordBytes, 'b');
  std::memcpy(password.data(), &number_, sizeof(number_));
  operation_.clear();
  ByteWriter writer(operation_);
  put_varint_field(writer, 1, kSessionTimeoutMs);
  put_bytes_field(writer, 2, password);
  put_frame(next_id(kOpenSlot), client_frame::kOpenSession, operation_, out);
  next_ping_ns_ = now_ns() + kPingEveryNs;
  return true;
}

void NativeConversation::request(const Request& request, std::string& out) {
  CHECK(request.slot < kSlots);
  SlotState& slot = slots_[request.slot];
  slot.request = request;
  slot.number = request.step == Step::kGet ? 0 : numbers_.next();
  if (request.step == Step::kAcquire) slot.node.clear();
  put_request(slot, out);
  ping_when_due(out);
}

void NativeConversation::retry(uint32_t slot, std::string& out) {
  CHECK(slot < kSlots);
  put_request(slots_[slot], out);
}

void NativeConversation::put_request(const SlotState& slot, std::string& out) {
  const uint32_t field = put_operation(slot.request, slot.node, operation_);
  const uint64_t id = next_id(slot.request.slot);
  if (slot.request.step == Step::kGet) {
    put_frame(id, field, operation_, out);
    return;
  }
  write_.clear();
  ByteWriter writer(write_);
  put_varint_field(writer, write_message::kNumber, slot.number);
  put_varint_field(writer, write_message::kAckedBelow, numbers_.floor());
  put_message_field(writer, field, operation_);
  put_frame(id, client_frame::kWrite, write_, out);
}

void NativeConversation::ping_when_due(std::string& out) {
  if (++since_ping_check_ < kPingEveryRequests) return;
  since_ping_check_ = 0;
  const uint64_t now = now_ns();
  if (now < next_ping_ns_) return;
  next_ping_ns_ = now + kPingEveryNs;
  put_frame(next_id(kPingSlot), client_frame::kPing, {}, out);
}

bool NativeConversation::close(std::string& out) {
  write_.clear();
  ByteWriter writer(write_);
  put_varint_field(writer, write_message::kNumber, numbers_.next());
  put_varint_field(writer, write_message::kAckedBelow, numbers_.floor());
  put_message_field(writer, write_message::kCloseSession, {});
  put_frame(next_id(kCloseSlot), client_frame::kWrite, write_, out);
  return true;
}

Heard NativeConversation::hear(std::string_view in, std::string&) {
  if (in.size() < 4) return {};
  uint32_t length = 0;
  std::memcpy(&length, in.data(), sizeof(length));
  if (length > kFrameBytesMax) return broken("a frame that is too long");
  if (in.size() < 4 + size_t{length}) return {};
  Heard heard{Heard::Kind::kNothing, 4 + size_t{length}, 0, ErrorCode::kOk, {}};
  ProtobufFields frame(in.substr(4, length));
  while (frame.next()) {
    switch (frame.number()) {
      case server_frame::kReply:
        return hear_reply(frame.bytes(), heard);
      case server_frame::kGranted:
        return hear_granted(frame.bytes(), heard);
      case server_frame::kSessionEnd:
        heard.kind = Heard::Kind::kEnded;
        heard.code = ErrorCode::kSessionExpired;
        heard.why = "the session ended";
        return heard;
      default:
        break;
    }
  }
  return frame.broken() ? broken("a frame that is no ServerFrame") : heard;
}

Heard NativeConversation::hear_reply(std::string_view body, Heard heard) {
  uint64_t id = 0, code = 0;
  std::string_view message, outcome;
  ProtobufFields fields(body);
  while (fields.next()) {
    if (fields.number() == 1) id = fields.varint();
    if (fields.number() == 2) code = fields.varint();
    if (fields.number() == 3) message = fields.bytes();
    if (fields.number() == 5) outcome = fields.bytes();
  }
  if (fields.broken()) return broken("a reply");
  const uint64_t slot_number = id % kIdSlots;
  heard.slot = static_cast<uint32_t>(slot_number);
  // A write that was done, or that was applied with the answer no, has its outcome; any other refusal leaves
  // its number to be sent again.
  const bool settled = code < static_cast<uint64_t>(ErrorCode::kSessionExpired);
  if (settled && slot_number < kSlots && slots_[slot_number].number != 0) {
    numbers_.answered(std::exchange(slots_[slot_number].number, 0));
  }
  if (code != 0) {
    heard.kind = Heard::Kind::kRefused;
    heard.code = static_cast<ErrorCode>(code);
    heard.why = message;
  } else if (slot_number == kOpenSlot) {
    heard.kind = Heard::Kind::kReady;
  } else if (slot_number == kCloseSlot) {
    heard.kind = Heard::Kind::kFarewell;
  } else if (slot_number < kSlots) {
    SlotState& slot = slots_[slot_number];
    heard.kind = Heard::Kind::kDone;
    if (slot.request.step == Step::kAcquire) return hear_acquired(slot, outcome, heard);
  }
  return heard;
}

Heard NativeConversation::hear_acquired(SlotState& slot, std::string_view outcome, Heard heard) {
  bool held = false;
  ProtobufFields fields(outcome);
  while (fields.next()) {
    if (fields.number() == 2) slot.node = fields.bytes();
    if (fields.number() == 4) held = fields.varint() != 0;
  }
  if (slot.node.empty()) return broken("an acquire's outcome without a node");
  const auto early = std::find(early_grants_.begin(), early_grants_.end(), slot.node);
  if (early != early_grants_.end()) {
    held = true;
    early_grants_.erase(early);
  }
  // A waiter goes on when it is told of its grant.
  if (!held) heard.kind = Heard::Kind::kNothing;
  return heard;
}

Heard NativeConversation::hear_granted(std::string_view body, Heard heard) {
  std::string_view node;
  ProtobufFields fields(body);
  while (fields.next()) {
    if (fields.number() == 1) node = fields.bytes();
  }
  if (fields.broken() || node.empty()) return broken("a grant");
  for (uint32_t i = 0; i < kSlots; ++i) {
    if (slots_[i].request.step == Step::kAcquire && slots_[i].node == node) {
      heard.kind = Heard::Kind::kDone;
      heard.slot = i;
      return heard;
    }
  }
  early_grants_.emplace_back(node);
  return heard;
}

}  // namespace quorate::bench
