#include "server/shell/peer_codec.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/codec.h"
#include "proto/peer.pb.h"

namespace quorate::server {

namespace {

constexpr size_t kLengthBytes = 4;

Error malformed(const char* what) { return {ErrorCode::kMalformed, what}; }

// The bytes behind the header, in the order they are sent.
using Body = std::vector<Bytes>;

// ---- to bytes

struct RaftEncoder {
  peer::RaftHeader& header;
  Body& body;

  void operator()(const raft::VoteRequest& m) const {
    auto& out = *header.mutable_vote_request();
    out.set_pre(m.pre);
    out.set_transfer(m.transfer);
    out.set_last_index(m.last_index.value());
    out.set_last_term(m.last_term.value());
  }
  void operator()(const raft::VoteResponse& m) const {
    auto& out = *header.mutable_vote_response();
    out.set_pre(m.pre);
    out.set_granted(m.granted);
  }
  void operator()(const raft::AppendRequest& m) const {
    auto& out = *header.mutable_append_request();
    out.set_prev_index(m.prev_index.value());
    out.set_prev_term(m.prev_term.value());
    out.set_commit(m.commit.value());
    out.set_round(m.round);
    for (const raft::Entry& entry : m.entries) body.push_back(entry.encoded);
  }
  void operator()(const raft::AppendResponse& m) const {
    auto& out = *header.mutable_append_response();
    out.set_success(m.success);
    out.set_match(m.match.value());
    out.set_rejected_prev(m.rejected_prev.value());
    out.set_hint_index(m.hint_index.value());
    out.set_hint_term(m.hint_term.value());
    out.set_round(m.round);
  }
  void operator()(const raft::Heartbeat& m) const {
    auto& out = *header.mutable_heartbeat();
    out.set_commit(m.commit.value());
    out.set_round(m.round);
  }
  void operator()(const raft::HeartbeatResponse& m) const {
    header.mutable_heartbeat_response()->set_round(m.round);
  }
  void operator()(const raft::SnapshotRequest& m) const {
    auto& out = *header.mutable_snapshot_request();
    out.set_last_index(m.last_index.value());
    out.set_last_term(m.last_term.value());
  }
  void operator()(const raft::SnapshotResponse& m) const {
    auto& out = *header.mutable_snapshot_response();
    out.set_last_index(m.last_index.value());
  }
  void operator()(const raft::TimeoutNow&) const { header.mutable_timeout_now(); }
};

struct MessageEncoder {
  peer::PeerHeader& header;
  Body& body;

  void operator()(const raft::Message& m) const {
    auto& out = *header.mutable_raft();
    out.set_term(m.term.value());
    out.set_counts(m.counts);
    out.set_declines(m.declines);
    std::visit(RaftEncoder{out, body}, m.body);
  }
  void operator()(const Probe& m) const {
    header.mutable_probe()->set_incarnation(m.incarnation.value());
    header.mutable_probe()->set_plan(m.plan);
  }
  void operator()(const ProbeReply& m) const {
    header.mutable_probe_reply()->set_incarnation(m.incarnation.value());
    header.mutable_probe_reply()->set_plan(m.plan);
  }
  void operator()(const Founding& m) const {
    header.mutable_founding();
    body.push_back(m.entry);
  }
  // PeerCodec::encode writes what they hold: it may take several frames.
  void operator()(const Forward& m) const { header.mutable_forward()->set_sending(m.sending); }
  void operator()(const ForwardRefused& m) const {
    auto& out = *header.mutable_forward_refused();
    out.set_asker(m.asker.value());
    out.set_sending(m.sending);
    out.set_code(static_cast<uint32_t>(m.code));
  }
  void operator()(const Barrier& m) const {
    auto& out = *header.mutable_barrier();
    out.set_term(m.term.value());
    out.set_counter(m.counter);
    for (const SessionId session : m.alive) out.add_alive(session.value());
  }
  void operator()(const BarrierReply& m) const {
    auto& out = *header.mutable_barrier_reply();
    out.set_asker(m.asker.value());
    out.set_term(m.term.value());
    out.set_counter(m.counter);
    out.set_index(m.index.value());
    for (const SessionId session : m.gone) out.add_gone(session.value());
  }
  void operator()(const SnapshotFetch& m) const {
    auto& out = *header.mutable_snapshot_fetch();
    out.set_asker(m.asker.value());
    out.set_snapshot(m.snapshot);
    out.set_after(m.after);
    out.set_at_least(m.at_least.value());
  }
  void operator()(const SnapshotChunk& m) const {
    auto& out = *header.mutable_snapshot_chunk();
    out.set_asker(m.asker.value());
    out.set_term(m.term.value());
    out.set_snapshot(m.snapshot);
    out.set_after(m.after);
    out.set_code(static_cast<uint32_t>(m.error.code));
    out.set_message(m.error.message);
    out.set_name(std::string(m.name.view()));
    out.set_checksum(m.checksum);
    out.set_last_key(m.last_key);
    out.set_complete(m.complete);
    out.set_name_checksum(m.name_checksum);
    if (!m.records.empty()) body.push_back(m.records);
  }
  void operator()(const StateHash& m) const {
    auto& out = *header.mutable_state_hash();
    out.set_format(m.format);
    out.set_index(m.index.value());
    out.set_hash(m.hash);
  }
};

void write_lengths_and_header(const peer::PeerHeader& header, size_t body_bytes, OutputQueue& out) {
  std::string bytes;
  const size_t header_bytes = header.ByteSizeLong();
  bytes.reserve(2 * kLengthBytes + header_bytes);
  ByteWriter writer(bytes);
  writer.u32(static_cast<uint32_t>(header_bytes + body_bytes));
  writer.u32(static_cast<uint32_t>(header_bytes));
  header.AppendToString(&bytes);
  out.copy(bytes);
}

void write_forwards(const peer::PeerHeader& header, const Forward& forward, OutputQueue& out) {
  size_t first = 0;
  while (first < forward.commands.size()) {
    size_t end = first, bytes = 0;
    while (end < forward.commands.size() && (end == first || bytes < kForwardFrameBytes)) {
      bytes += kLengthBytes + forward.commands[end++].size();
    }
    write_lengths_and_header(header, bytes, out);
    for (; first < end; ++first) {
      std::string length;
      ByteWriter(length).u32(static_cast<uint32_t>(forward.commands[first].size()));
      out.copy(length);
      out.share(forward.commands[first]);
    }
  }
}

void write_refusals(peer::PeerHeader& header, const ForwardRefused& refused, OutputQueue& out) {
  auto& to = *header.mutable_forward_refused();
  size_t first = 0;
  do {
    const size_t end = std::min(first + kRefusalsMax, refused.items.size());
    to.clear_items();
    for (; first < end; ++first) {
      auto& item = *to.add_items();
      item.set_session(refused.items[first].session.value());
      item.set_number(refused.items[first].number);
      item.set_counter(refused.items[first].counter);
    }
    write_lengths_and_header(header, 0, out);
  } while (first < refused.items.size());
}

// ---- from bytes

Result<raft::AppendRequest> decode_append(const peer::AppendRequest& in, Term term, const Bytes& body) {
  raft::AppendRequest out;
  out.prev_index = Index(in.prev_index());
  out.prev_term = Term(in.prev_term());
  out.commit = Index(in.commit());
  out.round = in.round();
  auto entries = raft::decode_entries(body);
  if (!entries.ok()) return entries.error();
  Index index = out.prev_index;
  Term last = out.prev_term;
  for (const raft::Entry& entry : *entries) {
    if (index.value() == UINT64_MAX || entry.index != index.next())
      return malformed("entries that do not follow each other");
    if (entry.term < last || entry.term > term)
      return malformed("an entry with a term that cannot stand there");
    index = entry.index;
    last = entry.term;
  }
  out.entries = std::move(*entries);
  return out;
}

Result<raft::Body> decode_raft_body(const peer::RaftHeader& in, const Bytes& body) {
  using Header = peer::RaftHeader;
  switch (in.body_case()) {
    case Header::kVoteRequest: {
      const auto& m = in.vote_request();
      return raft::Body(raft::VoteRequest{m.pre(), m.transfer(), Index(m.last_index()), Term(m.last_term())});
    }
    case Header::kVoteResponse:
      return raft::Body(raft::VoteResponse{in.vote_response().pre(), in.vote_response().granted()});
    case Header::kAppendRequest: {
      auto request = decode_append(in.append_request(), Term(in.term()), body);
      if (!request.ok()) return request.error();
      return raft::Body(std::move(*request));
    }
    case Header::kAppendResponse: {
      const auto& m = in.append_response();
      return raft::Body(raft::AppendResponse{m.success(), Index(m.match()), Index(m.rejected_prev()),
                                             Index(m.hint_index()), Term(m.hint_term()), m.round()});
    }
    case Header::kHeartbeat:
      return raft::Body(raft::Heartbeat{Index(in.heartbeat().commit()), in.heartbeat().round()});
    case Header::kHeartbeatResponse:
      return raft::Body(raft::HeartbeatResponse{in.heartbeat_response().round()});
    case Header::kSnapshotRequest: {
      const auto& m = in.snapshot_request();
      return raft::Body(raft::SnapshotRequest{Index(m.last_index()), Term(m.last_term())});
    }
    case Header::kSnapshotResponse: {
      const auto& m = in.snapshot_response();
      return raft::Body(raft::SnapshotResponse{Index(m.last_index())});
    }
    case Header::kTimeoutNow:
      return raft::Body(raft::TimeoutNow{});
    case Header::BODY_NOT_SET:
      break;
  }
  return malformed("a Raft message of no known kind");
}

Result<PeerBody> decode_forward(const peer::Forward& header, const Bytes& body) {
  Forward out;
  out.sending = header.sending();
  size_t offset = 0;
  while (offset < body.size()) {
    ByteReader in(body.view().substr(offset));
    const uint32_t size = in.u32();
    if (in.failed() || size > in.remaining())
      return malformed("a forwarded command that goes beyond its frame");
    out.commands.push_back(body.slice(offset + kLengthBytes, size));
    offset += kLengthBytes + size;
  }
  return PeerBody(std::move(out));
}

PeerBody decode_forward_refused(const peer::ForwardRefused& in) {
  ForwardRefused out;
  out.asker = BootNonce(in.asker());
  out.sending = in.sending();
  out.code = static_cast<ErrorCode>(in.code());
  for (const auto& item : in.items())
    out.items.push_back({SessionId(item.session()), item.number(), item.counter()});
  return out;
}

PeerBody decode_barrier(const peer::Barrier& in) {
  Barrier out;
  out.term = Term(in.term());
  out.counter = in.counter();
  for (const uint64_t session : in.alive()) out.alive.emplace_back(session);
  return out;
}

PeerBody decode_barrier_reply(const peer::BarrierReply& in) {
  BarrierReply out;
  out.asker = BootNonce(in.asker());
  out.term = Term(in.term());
  out.counter = in.counter();
  out.index = Index(in.index());
  for (const uint64_t session : in.gone()) out.gone.emplace_back(session);
  return out;
}

PeerBody decode_snapshot_chunk(const peer::SnapshotChunk& in, const Bytes& body) {
  SnapshotChunk out;
  out.asker = BootNonce(in.asker());
  out.term = Term(in.term());
  out.snapshot = in.snapshot();
  out.after = in.after();
  out.error = {static_cast<ErrorCode>(in.code()), in.message()};
  if (!in.name().empty()) out.name = Bytes(in.name());
  out.records = body;
  out.checksum = in.checksum();
  out.last_key = in.last_key();
  out.complete = in.complete();
  out.name_checksum = in.name_checksum();
  return out;
}

Result<PeerBody> decode_body(const peer::PeerHeader& in, const PeerEnvelope& envelope, const Bytes& body) {
  using Header = peer::PeerHeader;
  switch (in.body_case()) {
    case Header::kRaft: {
      auto raft_body = decode_raft_body(in.raft(), body);
      if (!raft_body.ok()) return raft_body.error();
      return PeerBody(raft::Message{envelope.from, envelope.to, Term(in.raft().term()), envelope.boot,
                                    in.raft().counts(), std::move(*raft_body),
                                    in.raft().declines()});
    }
    case Header::kProbe:
      return PeerBody(Probe{Incarnation(in.probe().incarnation()), in.probe().plan()});
    case Header::kProbeReply:
      return PeerBody(ProbeReply{Incarnation(in.probe_reply().incarnation()), in.probe_reply().plan()});
    case Header::kFounding:
      return PeerBody(Founding{body});
    case Header::kForward:
      return decode_forward(in.forward(), body);
    case Header::kForwardRefused:
      return decode_forward_refused(in.forward_refused());
    case Header::kBarrier:
      return decode_barrier(in.barrier());
    case Header::kBarrierReply:
      return decode_barrier_reply(in.barrier_reply());
    case Header::kSnapshotFetch:
      return PeerBody(SnapshotFetch{BootNonce(in.snapshot_fetch().asker()), in.snapshot_fetch().snapshot(),
                                    in.snapshot_fetch().after(), Index(in.snapshot_fetch().at_least())});
    case Header::kSnapshotChunk:
      return decode_snapshot_chunk(in.snapshot_chunk(), body);
    case Header::kStateHash:
      return PeerBody(
          StateHash{in.state_hash().format(), Index(in.state_hash().index()), in.state_hash().hash()});
    case Header::kHandshake:
    case Header::BODY_NOT_SET:
      break;
  }
  return malformed("a message of no known kind");
}

bool may_have_body(const peer::PeerHeader& in) {
  using Header = peer::PeerHeader;
  using Raft = peer::RaftHeader;
  if (in.body_case() == Header::kFounding || in.body_case() == Header::kForward ||
      in.body_case() == Header::kSnapshotChunk) {
    return true;
  }
  return in.body_case() == Header::kRaft &&
         (in.raft().body_case() == Raft::kAppendRequest || in.raft().body_case() == Raft::kSnapshotRequest);
}

Handshake decode_handshake(const peer::Handshake& in) {
  return {in.protocol_version(),         ServerId(in.from()),  ServerId(in.to()),  ClusterId(in.cluster_id()),
          Incarnation(in.incarnation()), BootNonce(in.boot()), in.client_address()};
}

}  // namespace

// Headers are built and parsed in one arena whose first block stays: no allocation for the small ones.
struct PeerCodec::Impl {
  Impl() : arena(options(memory)) {}
  static google::protobuf::ArenaOptions options(std::array<char, 4096>& memory) {
    google::protobuf::ArenaOptions options;
    options.initial_block = memory.data();
    options.initial_block_size = memory.size();
    return options;
  }
  peer::PeerHeader& fresh_header() {
    arena.Reset();
    return *google::protobuf::Arena::CreateMessage<peer::PeerHeader>(&arena);
  }

  alignas(16) std::array<char, 4096> memory{};
  google::protobuf::Arena arena;
  Body body;
};

PeerCodec::PeerCodec() : impl_(std::make_unique<Impl>()) {}
PeerCodec::~PeerCodec() = default;

void PeerCodec::encode(const Handshake& handshake, OutputQueue& out) {
  peer::PeerHeader& header = impl_->fresh_header();
  auto& to = *header.mutable_handshake();
  to.set_protocol_version(handshake.protocol_version);
  to.set_from(handshake.from.value());
  to.set_to(handshake.to.value());
  to.set_cluster_id(handshake.cluster.value());
  to.set_incarnation(handshake.incarnation.value());
  to.set_boot(handshake.boot.value());
  to.set_client_address(handshake.client_address);
  write_lengths_and_header(header, 0, out);
}

void PeerCodec::encode(const PeerMessage& message, OutputQueue& out) {
  peer::PeerHeader& header = impl_->fresh_header();
  Body& body = impl_->body;
  body.clear();
  std::visit(MessageEncoder{header, body}, message.body);
  if (const auto* forward = std::get_if<Forward>(&message.body)) {
    write_forwards(header, *forward, out);
    return;
  }
  if (const auto* refused = std::get_if<ForwardRefused>(&message.body)) {
    write_refusals(header, *refused, out);
    return;
  }
  size_t body_bytes = 0;
  for (const Bytes& piece : body) body_bytes += piece.size();
  write_lengths_and_header(header, body_bytes, out);
  for (const Bytes& piece : body) out.share(piece);
  body.clear();
}

Result<PeerFrame> PeerCodec::decode(std::string_view frame, const PeerEnvelope& envelope) {
  ByteReader in(frame);
  const uint32_t header_bytes = in.u32();
  const std::string_view header_view = in.raw(header_bytes);
  if (in.failed()) return malformed("a header that goes beyond its frame");
  peer::PeerHeader& header = impl_->fresh_header();
  if (!header.ParseFromArray(header_view.data(), static_cast<int>(header_view.size()))) {
    return malformed("a header that does not parse");
  }
  const std::string_view body_view = in.raw(in.remaining());
  if (!body_view.empty() && !may_have_body(header)) return malformed("bytes behind a message that has none");
  if (header.has_handshake()) return PeerFrame(decode_handshake(header.handshake()));
  const Bytes body = body_view.empty() ? Bytes() : Bytes(std::string(body_view));
  auto decoded = decode_body(header, envelope, body);
  if (!decoded.ok()) return decoded.error();
  return PeerFrame(PeerMessage{envelope.from, envelope.to, envelope.boot, std::move(*decoded)});
}

Result<size_t> peer_frame_size(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() < kLengthBytes) return size_t{0};
  const uint32_t size = ByteReader(bytes).u32();
  if (size > bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "a frame of " + std::to_string(size) + " bytes; the limit is " + std::to_string(bytes_max)};
  }
  return 2 * kLengthBytes + size;
}

}  // namespace quorate::server
