#include "server/shell/peer_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/replica_barriers.h"

namespace quorate::server {
namespace {

const PeerEnvelope kEnvelope{ServerId(2), ServerId(3), BootNonce(77)};

std::string flatten(const OutputQueue& queue) {
  std::vector<iovec> pieces(4096);
  const size_t count = queue.gather(pieces);
  std::string bytes;
  for (size_t i = 0; i < count; ++i)
    bytes.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  EXPECT_EQ(bytes.size(), queue.bytes());
  return bytes;
}

std::string encoded_peer(const PeerMessage& message) {
  PeerCodec codec;
  OutputQueue out;
  codec.encode(message, out);
  return flatten(out);
}

// The frames of a stream, each as decode() takes it.
std::vector<std::string> frames_of(std::string_view stream) {
  std::vector<std::string> frames;
  while (!stream.empty()) {
    const auto size = peer_frame_size(stream, kPeerFrameBytesMax);
    EXPECT_TRUE(size.ok());
    EXPECT_GT(*size, 0u);
    EXPECT_LE(*size, stream.size());
    frames.emplace_back(stream.substr(4, *size - 4));
    stream.remove_prefix(*size);
  }
  return frames;
}

Result<PeerMessage> decoded_peer(std::string_view frame) {
  PeerCodec codec;
  auto result = codec.decode(frame, kEnvelope);
  if (!result.ok()) return result.error();
  if (std::holds_alternative<Handshake>(*result)) return Error{ErrorCode::kMalformed, "a handshake"};
  return std::get<PeerMessage>(*result);
}

// ---- equality, field by field, so that a field which the codec forgets is noticed

bool same(const raft::Entry& a, const raft::Entry& b) {
  return a.term == b.term && a.index == b.index && a.kind == b.kind && a.encoded == b.encoded;
}
bool same(const raft::VoteRequest& a, const raft::VoteRequest& b) {
  return a.pre == b.pre && a.transfer == b.transfer && a.last_index == b.last_index &&
         a.last_term == b.last_term;
}
bool same(const raft::VoteResponse& a, const raft::VoteResponse& b) {
  return a.pre == b.pre && a.granted == b.granted;
}
bool same(const raft::AppendRequest& a, const raft::AppendRequest& b) {
  return a.prev_index == b.prev_index && a.prev_term == b.prev_term && a.commit == b.commit &&
         a.round == b.round &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    [](const auto& x, const auto& y) { return same(x, y); });
}
bool same(const raft::AppendResponse& a, const raft::AppendResponse& b) {
  return a.success == b.success && a.match == b.match && a.rejected_prev == b.rejected_prev &&
         a.hint_index == b.hint_index && a.hint_term == b.hint_term && a.round == b.round;
}
bool same(const raft::Heartbeat& a, const raft::Heartbeat& b) {
  return a.commit == b.commit && a.round == b.round;
}
bool same(const raft::HeartbeatResponse& a, const raft::HeartbeatResponse& b) { return a.round == b.round; }
bool same(const raft::SnapshotRequest& a, const raft::SnapshotRequest& b) {
  return a.last_index == b.last_index && a.last_term == b.last_term;
}
bool same(const raft::SnapshotResponse& a, const raft::SnapshotResponse& b) {
  return a.last_index == b.last_index;
}
bool same(const raft::TimeoutNow&, const raft::TimeoutNow&) { return true; }

// Defined behind all that it calls.
template <class... Bodies>
bool same(const std::variant<Bodies...>& a, const std::variant<Bodies...>& b);

bool same(const raft::Message& a, const raft::Message& b) {
  return a.from == b.from && a.to == b.to && a.term == b.term && a.boot == b.boot && a.counts == b.counts &&
         a.declines == b.declines && same(a.body, b.body);
}
bool same(const Probe& a, const Probe& b) { return a.incarnation == b.incarnation && a.plan == b.plan; }
bool same(const ProbeReply& a, const ProbeReply& b) {
  return a.incarnation == b.incarnation && a.plan == b.plan;
}
bool same(const Founding& a, const Founding& b) { return a.entry == b.entry; }
bool same(const Forward& a, const Forward& b) { return a.commands == b.commands && a.sending == b.sending; }
bool same(const ForwardRefused& a, const ForwardRefused& b) {
  return a.asker == b.asker && a.sending == b.sending && a.code == b.code &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                    [](const auto& x, const auto& y) {
                      return x.session == y.session && x.number == y.number && x.counter == y.counter;
                    });
}
bool same(const Barrier& a, const Barrier& b) {
  return a.term == b.term && a.counter == b.counter && a.alive == b.alive;
}
bool same(const BarrierReply& a, const BarrierReply& b) {
  return a.asker == b.asker && a.term == b.term && a.counter == b.counter && a.index == b.index &&
         a.gone == b.gone;
}

bool same(const SnapshotFetch& a, const SnapshotFetch& b) {
  return a.asker == b.asker && a.snapshot == b.snapshot && a.after == b.after && a.at_least == b.at_least;
}
bool same(const SnapshotChunk& a, const SnapshotChunk& b) {
  return a.asker == b.asker && a.term == b.term && a.snapshot == b.snapshot && a.after == b.after &&
         a.error.code == b.error.code && a.error.message == b.error.message && a.name == b.name &&
         a.records == b.records && a.checksum == b.checksum && a.last_key == b.last_key &&
         a.complete == b.complete && a.name_checksum == b.name_checksum;
}
bool same(const StateHash& a, const StateHash& b) {
  return a.format == b.format && a.index == b.index && a.hash == b.hash;
}

template <class... Bodies>
bool same(const std::variant<Bodies...>& a, const std::variant<Bodies...>& b) {
  if (a.index() != b.index()) return false;
  return std::visit([&](const auto& x) { return same(x, std::get<std::decay_t<decltype(x)>>(b)); }, a);
}

// ---- generators

uint64_t any64() { return *rc::gen::arbitrary<uint64_t>(); }
bool any_bool() { return *rc::gen::arbitrary<bool>(); }
std::string any_bytes(int size_max) {
  return *rc::gen::resize(size_max, rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
}
template <class Id>
std::vector<Id> any_ids() {
  std::vector<Id> ids;
  for (const uint64_t id : *rc::gen::arbitrary<std::vector<uint64_t>>()) ids.emplace_back(id);
  return ids;
}

raft::AppendRequest any_append(Term term) {
  raft::AppendRequest append{
      Index(*rc::gen::inRange<uint64_t>(0, 1000)), Term(), Index(any64()), any64(), {}};
  std::vector<std::string> payloads;
  for (int i = *rc::gen::inRange(0, 5); i > 0; --i) payloads.push_back(any_bytes(3000));
  std::vector<raft::Proposal> proposals;
  for (const std::string& payload : payloads) proposals.push_back({raft::EntryKind::kCommand, payload});
  append.entries = raft::encode_entries(term, append.prev_index.next(), proposals);
  return append;
}

raft::Body any_raft_body(Term term) {
  switch (*rc::gen::inRange(0, 9)) {
    case 0:
      return raft::VoteRequest{any_bool(), any_bool(), Index(any64()), Term(any64())};
    case 1:
      return raft::VoteResponse{any_bool(), any_bool()};
    case 2:
      return any_append(term);
    case 3:
      return raft::AppendResponse{any_bool(),     Index(any64()), Index(any64()),
                                  Index(any64()), Term(any64()),  any64()};
    case 4:
      return raft::Heartbeat{Index(any64()), any64()};
    case 5:
      return raft::HeartbeatResponse{any64()};
    case 6:
      return raft::SnapshotRequest{Index(any64()), Term(any64())};
    case 7:
      return raft::SnapshotResponse{Index(any64())};
    default:
      return raft::TimeoutNow{};
  }
}

PeerBody any_body() {
  const Term term(*rc::gen::inRange<uint64_t>(1, UINT64_MAX));
  switch (*rc::gen::inRange(0, 13)) {
    case 0:
      return Probe{Incarnation(any64()), any64()};
    case 1:
      return ProbeReply{Incarnation(any64()), any64()};
    case 2:
      return Founding{Bytes(any_bytes(300))};
    case 3: {
      Forward forward;
      forward.sending = any64();
      for (int i = *rc::gen::inRange(1, 6); i > 0; --i) forward.commands.emplace_back(any_bytes(3000));
      return forward;
    }
    case 4: {
      ForwardRefused refused{BootNonce(any64()), any64(), ErrorCode::kNotLeader, {}};
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i)
        refused.items.push_back({SessionId(any64()), any64(), any64()});
      return refused;
    }
    case 5:
      return Barrier{term, any64(), any_ids<SessionId>()};
    case 6:
      return BarrierReply{BootNonce(any64()), term, any64(), Index(any64()), any_ids<SessionId>()};
    case 7:
      return SnapshotFetch{BootNonce(any64()), any64(), any_bytes(100), Index(any64())};
    case 8:
      return SnapshotChunk{BootNonce(any64()),
                           Term(any64()),
                           any64(),
                           any_bytes(100),
                           {ErrorCode::kUnavailable, any_bytes(20)},
                           Bytes(any_bytes(100)),
                           Bytes(any_bytes(3000)),
                           any64(),
                           any_bytes(100),
                           any_bool(),
                           any64()};
    case 9:
      return StateHash{static_cast<uint32_t>(any64()), Index(any64()), any64()};
    default:
      return raft::Message{kEnvelope.from, kEnvelope.to, term,
                           kEnvelope.boot, any_bool(),   any_raft_body(term),
                           any_bool()};
  }
}

PeerMessage any_message() { return {kEnvelope.from, kEnvelope.to, kEnvelope.boot, any_body()}; }

PeerMessage append_message() {
  const std::vector<raft::Proposal> proposals = {{raft::EntryKind::kCommand, "first"},
                                                 {raft::EntryKind::kCommand, "second"}};
  raft::AppendRequest append{Index(4), Term(1), Index(3), 9,
                             raft::encode_entries(Term(2), Index(5), proposals)};
  return {kEnvelope.from, kEnvelope.to, kEnvelope.boot,
          raft::Message{kEnvelope.from, kEnvelope.to, Term(2), kEnvelope.boot, true, std::move(append)}};
}

// ---- tests

RC_GTEST_PROP(PeerCodec, EveryMessageComesBackAsItWas, ()) {
  const PeerMessage message = any_message();
  const auto frames = frames_of(encoded_peer(message));
  RC_ASSERT(frames.size() == 1u);
  const auto back = decoded_peer(frames[0]);
  RC_ASSERT(back.ok());
  RC_ASSERT(back->from == message.from && back->to == message.to && back->boot == message.boot);
  RC_ASSERT(same(back->body, message.body));
}

// Never a crash, and never a message with entries whose bytes are not those that were sent.
RC_GTEST_PROP(PeerCodec, AFlippedByteIsRefusedOrLeavesTheEntriesAlone, ()) {
  const PeerMessage message = any_message();
  std::string frame = frames_of(encoded_peer(message))[0];
  const size_t at = *rc::gen::inRange<size_t>(0, frame.size());
  frame[at] = static_cast<char>(frame[at] ^ *rc::gen::inRange(1, 256));
  const auto back = decoded_peer(frame);
  const auto* was = std::get_if<raft::Message>(&message.body);
  if (!back.ok() || was == nullptr || !std::holds_alternative<raft::AppendRequest>(was->body)) return;
  const auto* is = std::get_if<raft::Message>(&back->body);
  if (is == nullptr || !std::holds_alternative<raft::AppendRequest>(is->body)) return;
  for (const raft::Entry& entry : std::get<raft::AppendRequest>(is->body).entries) {
    const auto& sent = std::get<raft::AppendRequest>(was->body).entries;
    RC_ASSERT(std::any_of(sent.begin(), sent.end(), [&](const raft::Entry& e) { return same(e, entry); }));
  }
}

RC_GTEST_PROP(PeerCodec, RandomBytesNeverDecodeToEntries, ()) {
  const auto back = decoded_peer(any_bytes(400));
  if (!back.ok()) {
    RC_ASSERT(back.code() == ErrorCode::kMalformed || back.code() == ErrorCode::kCorruption);
    return;
  }
  const auto* message = std::get_if<raft::Message>(&back->body);
  if (message == nullptr) return;
  const auto* append = std::get_if<raft::AppendRequest>(&message->body);
  if (append != nullptr) RC_ASSERT(append->entries.empty());
}

RC_GTEST_PROP(PeerCodec, EveryCutIsRefusedOrAnotherMessage, ()) {
  const PeerMessage message = append_message();
  const std::string frame = frames_of(encoded_peer(message))[0];
  const std::string cut = frame.substr(0, *rc::gen::inRange<size_t>(0, frame.size()));
  const auto back = decoded_peer(cut);
  const bool noticed = !back.ok() || !same(back->body, message.body);
  RC_ASSERT(noticed);
}

TEST(PeerCodec, AQuestionOfAllTheSignsOfLifeThatItMayHoldHasRoomInAFrame) {
  const std::vector<SessionId> all(kQuestionAliveMax, SessionId(UINT64_MAX));
  EXPECT_LT(encoded_peer({kEnvelope.from, kEnvelope.to, kEnvelope.boot, Barrier{Term(1), 1, all}}).size(),
            kPeerFrameBytesMax);
  const BarrierReply reply{BootNonce(1), Term(1), 1, Index(1), all};
  EXPECT_LT(encoded_peer({kEnvelope.from, kEnvelope.to, kEnvelope.boot, reply}).size(), kPeerFrameBytesMax);
}

TEST(PeerCodec, DecodedEntriesAreViewsOfOneBlock) {
  const auto back = decoded_peer(frames_of(encoded_peer(append_message()))[0]);
  ASSERT_TRUE(back.ok());
  const auto& entries = std::get<raft::AppendRequest>(std::get<raft::Message>(back->body).body).entries;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].payload(), "first");
  EXPECT_EQ(entries[0].encoded.view().data() + entries[0].encoded.size(), entries[1].encoded.view().data());
}

TEST(PeerCodec, ADamagedEntryIsCorruption) {
  std::string frame = frames_of(encoded_peer(append_message()))[0];
  frame.back() = static_cast<char>(frame.back() ^ 1);
  EXPECT_EQ(decoded_peer(frame).code(), ErrorCode::kCorruption);
}

TEST(PeerCodec, EntriesThatDoNotFollowTheirPredecessorAreRefused) {
  PeerMessage message = append_message();
  std::get<raft::AppendRequest>(std::get<raft::Message>(message.body).body).prev_index = Index(7);
  EXPECT_EQ(decoded_peer(frames_of(encoded_peer(message))[0]).code(), ErrorCode::kMalformed);
}

TEST(PeerCodec, AnEntryOfATermBeyondTheSendersIsRefused) {
  PeerMessage message = append_message();
  std::get<raft::Message>(message.body).term = Term(1);
  EXPECT_EQ(decoded_peer(frames_of(encoded_peer(message))[0]).code(), ErrorCode::kMalformed);
}

TEST(PeerCodec, BytesBehindAMessageWithoutBodyAreRefused) {
  const PeerMessage message{kEnvelope.from, kEnvelope.to, kEnvelope.boot, Probe{Incarnation(1), 2}};
  EXPECT_EQ(decoded_peer(frames_of(encoded_peer(message))[0] + "x").code(), ErrorCode::kMalformed);
}

TEST(PeerCodec, ManyForwardedCommandsGoInSeveralFramesInTheirOrder) {
  Forward forward;
  for (int i = 0; i < 40; ++i)
    forward.commands.emplace_back(std::string(100'000, static_cast<char>('a' + i)));
  const auto frames = frames_of(encoded_peer({kEnvelope.from, kEnvelope.to, kEnvelope.boot, forward}));
  EXPECT_GT(frames.size(), 2u);
  std::vector<Bytes> arrived;
  for (const std::string& frame : frames) {
    EXPECT_LE(frame.size(), kForwardFrameBytes + 200'000);
    const auto back = decoded_peer(frame);
    ASSERT_TRUE(back.ok());
    for (const Bytes& command : std::get<Forward>(back->body).commands) arrived.push_back(command);
  }
  EXPECT_EQ(arrived, forward.commands);
}

TEST(PeerCodec, ManyRefusalsGoInSeveralFramesThatHaveRoom) {
  ForwardRefused refused{BootNonce(UINT64_MAX), UINT64_MAX, ErrorCode::kOverloaded, {}};
  for (uint64_t i = 0; i < 3 * kRefusalsMax + 1; ++i)
    refused.items.push_back({SessionId(UINT64_MAX), UINT64_MAX - i, UINT64_MAX});
  size_t arrived = 0;
  const auto frames = frames_of(encoded_peer({kEnvelope.from, kEnvelope.to, kEnvelope.boot, refused}));
  EXPECT_EQ(frames.size(), 4u);
  for (const std::string& frame : frames) {
    EXPECT_LT(frame.size(), kPeerFrameBytesMax);
    const auto back = decoded_peer(frame);
    ASSERT_TRUE(back.ok());
    const auto& part = std::get<ForwardRefused>(back->body);
    EXPECT_EQ(part.asker, refused.asker);
    EXPECT_EQ(part.sending, refused.sending);
    EXPECT_EQ(part.code, refused.code);
    for (const ForwardRefused::Item& item : part.items)
      ASSERT_EQ(item.number, refused.items[arrived++].number);
  }
  EXPECT_EQ(arrived, refused.items.size());
}

TEST(PeerCodec, TheHandshakeComesBackAsItWas) {
  PeerCodec codec;
  OutputQueue out;
  codec.encode(Handshake{7, ServerId(1), ServerId(2), ClusterId(3), Incarnation(4), BootNonce(5), "here:1"},
               out);
  const auto back = codec.decode(frames_of(flatten(out))[0], {});
  ASSERT_TRUE(back.ok());
  const auto& handshake = std::get<Handshake>(*back);
  EXPECT_EQ(handshake.protocol_version, 7u);
  EXPECT_EQ(handshake.from, ServerId(1));
  EXPECT_EQ(handshake.to, ServerId(2));
  EXPECT_EQ(handshake.cluster, ClusterId(3));
  EXPECT_EQ(handshake.incarnation, Incarnation(4));
  EXPECT_EQ(handshake.boot, BootNonce(5));
  EXPECT_EQ(handshake.client_address, "here:1");
}

TEST(PeerFrameSize, TellsWhatIsMissingAndWhatIsTooLong) {
  EXPECT_EQ(*peer_frame_size(std::string_view("\5\0\0", 3), 100), 0u);
  EXPECT_EQ(*peer_frame_size(std::string_view("\5\0\0\0", 4), 100), 13u);
  EXPECT_EQ(peer_frame_size(std::string_view("\x65\0\0\0", 4), 100).code(), ErrorCode::kTooLarge);
  EXPECT_EQ(peer_frame_size("\xff\xff\xff\xff", 1 << 24).code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace quorate::server
