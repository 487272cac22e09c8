// PeerCodec: a connection's bytes as frames and messages of another server.
#include "base/check.h"
#include "kv/record.h"
#include "server/shell/peer_codec.h"
#include "tests/fuzz/command_seeds.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

using namespace server;

const PeerEnvelope kEnvelope{ServerId(2), ServerId(1), BootNonce(9)};

std::string bytes_of(OutputQueue& out) {
  std::string bytes;
  while (!out.empty()) {
    iovec pieces[16];
    const size_t count = out.gather(pieces);
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) {
      bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      size += pieces[i].iov_len;
    }
    out.consume(size);
  }
  return bytes;
}

std::string encode(PeerCodec& codec, const PeerFrame& frame) {
  OutputQueue out;
  std::visit([&](const auto& message) { codec.encode(message, out); }, frame);
  return bytes_of(out);
}

// Header fields may come in another order or be unknown: so it is the second encoding that is held to the
// first.
void round_trip(PeerCodec& codec, const PeerFrame& frame) {
  const std::string once = encode(codec, frame);
  if (once.empty()) return;  // a Forward of nothing is nothing
  if (once.size() > 4 && peer_frame_size(once, kPeerFrameBytesMax).code() == ErrorCode::kTooLarge) return;
  const auto size = peer_frame_size(once, kPeerFrameBytesMax);
  CHECK(size.ok());
  if (*size != once.size()) return;  // a long Forward is cut into several frames
  const auto again = codec.decode(std::string_view(once).substr(4), kEnvelope);
  CHECK(again.ok());
  CHECK(encode(codec, *again) == once);
}

void run(std::string_view bytes) {
  PeerCodec codec;
  while (!bytes.empty()) {
    const auto size = peer_frame_size(bytes, kPeerFrameBytesMax);
    if (!size.ok() || *size == 0 || *size > bytes.size()) return;
    CHECK(*size >= 8);
    const auto frame = codec.decode(bytes.substr(4, *size - 4), kEnvelope);
    if (!frame.ok()) {
      CHECK(!frame.error().message.empty());
      return;
    }
    round_trip(codec, *frame);
    bytes.remove_prefix(*size);
  }
}

std::vector<std::string> seeds() {
  const auto entries = raft::encode_entries(
      Term(3), Index(7),
      std::vector<raft::Proposal>{{raft::EntryKind::kNoop, ""}, {raft::EntryKind::kCommand, "x"}});
  std::vector<PeerBody> bodies;
  const auto raft_body = [&](raft::Body body) {
    bodies.emplace_back(
        raft::Message{kEnvelope.from, kEnvelope.to, Term(4), kEnvelope.boot, true, std::move(body)});
  };
  raft_body(raft::VoteRequest{true, false, Index(5), Term(3)});
  raft_body(raft::VoteResponse{true, true});
  raft_body(raft::AppendRequest{Index(6), Term(3), Index(5), 8, entries});
  raft_body(raft::AppendResponse{false, Index(4), Index(6), Index(3), Term(2), 8});
  raft_body(raft::Heartbeat{Index(5), 8});
  raft_body(raft::HeartbeatResponse{8});
  raft_body(raft::SnapshotRequest{Index(100), Term(3)});
  raft_body(raft::SnapshotResponse{Index(100)});
  raft_body(raft::TimeoutNow{});
  bodies.emplace_back(Probe{Incarnation(3), 4});
  bodies.emplace_back(ProbeReply{Incarnation(3), 4});
  bodies.emplace_back(Founding{entries.front().encoded});
  Forward forward;
  for (std::string& command : command_seeds()) forward.commands.emplace_back(std::move(command));
  bodies.emplace_back(forward);
  bodies.emplace_back(
      ForwardRefused{BootNonce(1), 2, ErrorCode::kOverloaded, {{SessionId(3), 4, 0}, {SessionId(0), 0, 9}}});
  bodies.emplace_back(Barrier{Term(4), 17, {SessionId(3), SessionId(300)}});
  bodies.emplace_back(BarrierReply{BootNonce(1), Term(4), 17, Index(9), {SessionId(3)}});
  bodies.emplace_back(SnapshotFetch{BootNonce(1), 6, "n/a"});
  std::string records;
  kv::append_record(records, "n/a", "value");
  SnapshotChunk chunk;
  chunk.asker = BootNonce(1);
  chunk.snapshot = 6;
  chunk.after = "n/a";
  chunk.name = Bytes(std::string("name"));
  chunk.records = Bytes(records);
  chunk.checksum = 99;
  chunk.last_key = "n/b";
  chunk.complete = true;
  bodies.emplace_back(chunk);
  chunk.error = {ErrorCode::kUnavailable, "begin anew"};
  chunk.records = {};
  bodies.emplace_back(chunk);
  bodies.emplace_back(StateHash{1, Index(4096), 123456789});

  PeerCodec codec;
  std::vector<std::string> seeds = {
      encode(codec, Handshake{kPeerProtocolVersion, ServerId(2), ServerId(1), ClusterId(5), Incarnation(6),
                              BootNonce(7), "host:2181"})};
  for (PeerBody& body : bodies) {
    seeds.push_back(
        encode(codec, PeerMessage{kEnvelope.from, kEnvelope.to, kEnvelope.boot, std::move(body)}));
  }
  return seeds;
}

const Target kTarget("peer_frame", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
