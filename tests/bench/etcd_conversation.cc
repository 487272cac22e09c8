#include "tests/bench/etcd_conversation.h"

#include <cstring>
#include <vector>

#include "base/check.h"
#include "client/bench/keys.h"
#include "client/bench/protobuf_wire.h"

namespace quorate::bench {
namespace {

// RFC 9113, sections 3.4, 4.1 and 6.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr size_t kFrameHeaderBytes = 9;
constexpr size_t kStreamAt = 5;
constexpr uint32_t kFrameBytesMax = 1U << 20;
enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kResetStream = 3,
  kSettings = 4,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
};
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4;

// How much the server may send before it is told to go on, and how often it is.
constexpr uint32_t kWindow = 1U << 30;
constexpr uint32_t kWindowStep = 1U << 20;

// Longer than any load: nobody has to keep it alive.
constexpr uint64_t kLeaseSeconds = 600;

constexpr std::string_view kRange = "/etcdserverpb.KV/Range", kPut = "/etcdserverpb.KV/Put",
                           kLeaseGrant = "/etcdserverpb.Lease/LeaseGrant", kLock = "/v3lockpb.Lock/Lock",
                           kUnlock = "/v3lockpb.Lock/Unlock";

void put_big_endian(uint32_t value, std::string& out) {
  const uint32_t swapped = __builtin_bswap32(value);
  out.append(reinterpret_cast<const char*>(&swapped), sizeof(swapped));
}

uint32_t big_endian(const char* at) {
  uint32_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return __builtin_bswap32(value);
}

void put_frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view body, std::string& out) {
  CHECK(body.size() < kFrameBytesMax);
  const auto size = static_cast<uint32_t>(body.size());
  put_big_endian(size << 8 | type, out);
  out.push_back(static_cast<char>(flags));
  put_big_endian(stream, out);
  out.append(body);
}

void put_window(uint32_t bytes, std::string& out) {
  std::string body;
  put_big_endian(bytes, body);
  put_frame(kWindowUpdate, 0, 0, body, out);
}

// ---- HPACK (RFC 7541): a name from a table, a value without Huffman's code.

constexpr uint8_t kIndexed = 0x80, kAdded = 0x40, kNotAdded = 0x00;
// Of the static table.
constexpr uint8_t kAuthority = 1, kMethodPost = 3, kPath = 4, kSchemeHttp = 6, kContentType = 31;
// Of the table that the first request made: the newest stands first.
constexpr uint8_t kMadeTe = 62, kMadeContentType = 63, kMadeAuthority = 64;

void put_text(std::string_view text, std::string& out) {
  CHECK(text.size() < 127);
  out.push_back(static_cast<char>(text.size()));
  out.append(text);
}
void put_header(uint8_t how, uint8_t name, std::string_view value, std::string& out) {
  out.push_back(static_cast<char>(how | name));
  put_text(value, out);
}
void put_indexed(uint8_t index, std::string& out) { out.push_back(static_cast<char>(kIndexed | index)); }

// The headers of the first request: all that later ones repeat is added to the table.
std::string first_headers(std::string_view path) {
  std::string headers;
  put_indexed(kMethodPost, headers);
  put_indexed(kSchemeHttp, headers);
  put_header(kNotAdded, kPath, path, headers);
  put_header(kAdded, kAuthority, "127.0.0.1", headers);
  put_header(kAdded, kContentType, "application/grpc", headers);
  headers.push_back(static_cast<char>(kAdded));
  put_text("te", headers);
  put_text("trailers", headers);
  return headers;
}

std::string later_headers(std::string_view path) {
  std::string headers;
  put_indexed(kMethodPost, headers);
  put_indexed(kSchemeHttp, headers);
  put_header(kNotAdded, kPath, path, headers);
  put_indexed(kMadeAuthority, headers);
  put_indexed(kMadeContentType, headers);
  put_indexed(kMadeTe, headers);
  return headers;
}

// ---- gRPC: a message is a byte that says that it is not compressed, its size, and itself.

constexpr size_t kMessageHeaderBytes = 5;

// Appends the two frames of a request; the stream stands in both.
void put_call(uint32_t stream, std::string_view headers, const std::string& message, std::string& out) {
  std::string body(1, '\0');
  put_big_endian(static_cast<uint32_t>(message.size()), body);
  body.append(message);
  put_frame(kHeaders, kEndHeaders, stream, headers, out);
  put_frame(kData, kEndStream, stream, body, out);
}

// A request with stream 0, and where the stream's number belongs.
struct Call {
  std::string bytes;
  size_t data_at = 0;  // of the second frame

  size_t message_bytes() const { return bytes.size() - data_at - kFrameHeaderBytes; }
};

Call call_of(bool put, uint32_t key) {
  std::string message;
  ByteWriter writer(message);
  put_bytes_field(writer, 1, bench_node_path(key));
  if (put) put_bytes_field(writer, 2, std::string(kValueBytes, 'v'));
  Call call;
  const std::string headers = later_headers(put ? kPut : kRange);
  put_call(0, headers, message, call.bytes);
  call.data_at = kFrameHeaderBytes + headers.size();
  return call;
}

std::vector<Call> all_calls(bool put) {
  std::vector<Call> calls;
  for (uint32_t key = 0; key < kKeys; ++key) calls.push_back(call_of(put, key));
  return calls;
}

// Made once: the load only copies them.
const Call& made_call(bool put, uint32_t key) {
  static const std::vector<Call> puts = all_calls(true);
  static const std::vector<Call> ranges = all_calls(false);
  CHECK(key < kKeys);
  return put ? puts[key] : ranges[key];
}

Heard broken(std::string_view why) { return {Heard::Kind::kBroken, 0, 0, ErrorCode::kMalformed, why}; }

}  // namespace

EtcdConversation::SlotState& EtcdConversation::begin_stream(uint32_t slot, Step step) {
  CHECK(slots_[slot].stream == 0);
  CHECK_MSG(next_stream_ <= INT32_MAX, "a connection has used up its streams");
  slots_[slot] = {next_stream_, step, false};
  next_stream_ += 2;
  return slots_[slot];
}

void EtcdConversation::call(uint32_t slot, std::string_view headers, const std::string& message,
                            std::string& out) {
  put_call(begin_stream(slot, Step::kAcquire).stream, headers, message, out);
  take_window(kMessageHeaderBytes + message.size());
}

// The name is the lock's and the lease the session's, or the key is what the lock gave.
void EtcdConversation::ask_lock(const Request& request, std::string& out) {
  std::string message;
  ByteWriter writer(message);
  if (request.step == Step::kAcquire) {
    put_bytes_field(writer, 1, bench_lock_path(request.key));
    put_varint_field(writer, 2, lease_);
    return call(request.slot, later_headers(kLock), message, out);
  }
  put_bytes_field(writer, 1, lock_key_);
  call(request.slot, later_headers(kUnlock), message, out);
  slots_[request.slot].step = Step::kRelease;
}

// What the answers to the lease and to the lock hold, each in its field 2.
bool EtcdConversation::take_message(const SlotState& slot, std::string_view body) {
  const bool opening = &slot == &slots_[kOpenSlot];
  if (!opening && slot.step != Step::kAcquire) return true;
  if (body.size() < kMessageHeaderBytes) return false;
  ProtobufFields fields(body.substr(kMessageHeaderBytes));
  while (fields.next()) {
    if (fields.number() != 2) continue;
    if (opening) {
      lease_ = fields.varint();
    } else {
      lock_key_ = fields.bytes();
    }
  }
  return !fields.broken();
}

EtcdConversation::SlotState* EtcdConversation::find(uint32_t stream) {
  for (SlotState& slot : slots_) {
    if (slot.stream == stream) return &slot;
  }
  return nullptr;
}

// The server opens its window again long before this load has filled it.
void EtcdConversation::take_window(size_t bytes) {
  send_window_ -= static_cast<int64_t>(bytes);
  CHECK_MSG(send_window_ >= 0, "the server takes no more on this connection");
}

bool EtcdConversation::open(std::string& out) {
  out.append(kPreface);
  put_frame(kSettings, 0, 0, {}, out);
  put_window(kWindow, out);
  std::string message;
  ByteWriter writer(message);
  put_varint_field(writer, 1, kLeaseSeconds);
  call(kOpenSlot, first_headers(kLeaseGrant), message, out);
  return true;
}

void EtcdConversation::request(const Request& request, std::string& out) {
  CHECK(request.slot < kOpenSlot);
  if (request.step == Step::kAcquire || request.step == Step::kRelease) return ask_lock(request, out);
  const Call& made = made_call(request.step != Step::kGet, request.key);
  const uint32_t stream = __builtin_bswap32(begin_stream(request.slot, request.step).stream);
  const size_t at = out.size();
  out.append(made.bytes);
  std::memcpy(out.data() + at + kStreamAt, &stream, sizeof(stream));
  std::memcpy(out.data() + at + made.data_at + kStreamAt, &stream, sizeof(stream));
  take_window(made.message_bytes());
}

Heard EtcdConversation::hear(std::string_view in, std::string& out) {
  if (in.size() < kFrameHeaderBytes) return {};
  const uint32_t size = big_endian(in.data()) >> 8;
  if (size > kFrameBytesMax) return broken("a frame that is too long");
  if (in.size() < kFrameHeaderBytes + size) return {};
  const Frame frame{static_cast<uint8_t>(in[3]), static_cast<uint8_t>(in[4]),
                    big_endian(in.data() + kStreamAt) & INT32_MAX, in.substr(kFrameHeaderBytes, size)};
  Heard heard{Heard::Kind::kNothing, kFrameHeaderBytes + size, 0, ErrorCode::kOk, {}};
  switch (frame.type) {
    case kSettings:
      if ((frame.flags & kAck) == 0) put_frame(kSettings, kAck, 0, {}, out);
      break;
    case kPing:
      if ((frame.flags & kAck) == 0) put_frame(kPing, kAck, 0, frame.body, out);
      break;
    case kWindowUpdate:
      if (frame.body.size() != 4) return broken("a window's update");
      if (frame.stream == 0) send_window_ += big_endian(frame.body.data()) & INT32_MAX;
      break;
    case kGoAway:
      heard.kind = Heard::Kind::kEnded;
      heard.code = ErrorCode::kUnavailable;
      break;
    case kData:
    case kHeaders:
    case kResetStream:
      return hear_stream(frame, heard, out);
    default:
      break;
  }
  return heard;
}

Heard EtcdConversation::hear_stream(const Frame& frame, Heard heard, std::string& out) {
  if (frame.type == kData) {
    received_ += frame.body.size();
    if (received_ >= kWindowStep) {
      put_window(static_cast<uint32_t>(received_), out);
      received_ = 0;
    }
  }
  SlotState* const slot = find(frame.stream);
  if (frame.stream == 0 || slot == nullptr) return broken("an answer to a request that is not under way");
  if (frame.type == kData && !frame.body.empty()) {
    slot->answered = true;
    if (!take_message(*slot, frame.body)) return broken("a message");
  }
  const bool reset = frame.type == kResetStream;
  if (!reset && (frame.flags & kEndStream) == 0) return heard;
  heard.slot = static_cast<uint32_t>(slot - slots_.data());
  if (reset || !slot->answered) {
    heard.kind = Heard::Kind::kRefused;
    heard.code = ErrorCode::kUnavailable;
    heard.why = "etcd gave no answer";
  } else {
    heard.kind = heard.slot == kOpenSlot ? Heard::Kind::kReady : Heard::Kind::kDone;
  }
  *slot = {};
  return heard;
}

}  // namespace quorate::bench
