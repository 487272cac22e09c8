// ZooKeeper's wire format: both ways, cut at every byte, and with lengths that lie.
#include "proto/zookeeper_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "tests/proto/zookeeper_samples.h"

namespace quorate::zookeeper::test {
namespace {

constexpr size_t kFrameMax = 1 << 20;

std::string_view body_of(const std::string& frame) { return std::string_view(frame).substr(4); }

std::string big_endian(std::initializer_list<int32_t> words) {
  std::string out;
  for (const int32_t word : words) {
    for (int shift = 24; shift >= 0; shift -= 8)
      out.push_back(static_cast<char>(static_cast<uint32_t>(word) >> shift));
  }
  return out;
}

// Every beginning of a frame is either not whole or, as a body, an error or something shorter; none is read
// beyond its end (which the sanitizers see).
template <class Decode>
void cut_everywhere(const std::string& frame, const Decode& decode) {
  for (size_t size = 0; size < frame.size(); ++size) {
    const auto whole = frame_size(std::string_view(frame).substr(0, size), kFrameMax);
    RC_ASSERT(whole.ok());
    RC_ASSERT(*whole == (size < 4 ? 0 : frame.size()));
    // In memory of its own, so that one byte too many is seen.
    if (size >= 4) (void)decode(std::string(frame.data() + 4, size - 4));
  }
}

RC_GTEST_PROP(ZookeeperCodec, RequestsComeBack, (uint64_t seed)) {
  Random random(seed);
  const Request request = random_request(random);
  std::string frame;
  append_request(frame, request);
  RC_ASSERT(*frame_size(frame, kFrameMax) == frame.size());
  const auto again = decode_request(body_of(frame));
  RC_ASSERT(again.ok());
  RC_ASSERT(*again == request);
  cut_everywhere(frame, decode_request);
}

RC_GTEST_PROP(ZookeeperCodec, RepliesComeBack, (uint64_t seed)) {
  Random random(seed);
  const OpCode op = op_of(random_request(random).body);
  const Reply reply = random_reply(random, op);
  std::string frame;
  append_reply(frame, reply);
  RC_ASSERT(*frame_size(frame, kFrameMax) == frame.size());
  RC_ASSERT(*reply_xid(body_of(frame)) == reply.xid);
  const auto again = decode_reply(body_of(frame), op);
  RC_ASSERT(again.ok());
  RC_ASSERT(*again == reply);
  cut_everywhere(frame, [op](const std::string& part) { return decode_reply(part, op); });
}

RC_GTEST_PROP(ZookeeperCodec, GreetingsAndEventsComeBack, (uint64_t seed)) {
  Random random(seed);
  const ConnectRequest request = random_connect_request(random);
  std::string frame;
  append_connect_request(frame, request);
  RC_ASSERT(frame.size() == (request.read_only ? 4 + 45 : 4 + 44));
  RC_ASSERT(*decode_connect_request(body_of(frame)) == request);
  cut_everywhere(frame, decode_connect_request);
  const ConnectReply reply = random_connect_reply(random);
  frame.clear();
  append_connect_reply(frame, reply);
  RC_ASSERT(frame.size() == (reply.read_only ? 4 + 37 : 4 + 36));
  RC_ASSERT(*decode_connect_reply(body_of(frame)) == reply);
  cut_everywhere(frame, decode_connect_reply);
  const Event event = random_event(random);
  frame.clear();
  append_event(frame, event);
  RC_ASSERT(*reply_xid(body_of(frame)) == kNotificationXid);
  RC_ASSERT(*decode_event(body_of(frame)) == event);
  cut_everywhere(frame, decode_event);
}

// As the documentation of the protocol has it, byte for byte.
TEST(ZookeeperCodec, AGetIsWhatClientsSend) {
  std::string frame;
  append_request(frame, {7, GetData{"/ab", true}});
  EXPECT_EQ(frame, big_endian({8 + 4 + 3 + 1, 7, 4, 3}) + "/ab\x01");
}

TEST(ZookeeperCodec, AMultiEndsWithAHeader) {
  std::string frame;
  append_request(frame, {1, Multi{{Check{"/a", 3}}}});
  const std::string parts = big_endian({13}) + std::string(1, '\0') + big_endian({-1, 2}) + "/a" +
                            big_endian({3}) + big_endian({-1}) + "\x01" + big_endian({-1});
  EXPECT_EQ(frame, big_endian({static_cast<int32_t>(8 + parts.size()), 1, 14}) + parts);
}

TEST(ZookeeperCodec, NullIsEmptyButForData) {
  for (const int32_t null : {-1, -2, INT32_MIN}) {
    const auto request = decode_request(big_endian({1, 1, null, 0, null, 0}));
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(std::get<Create>(request->body), Create());
    const auto without_data = decode_request(big_endian({1, 1, 0, null, 0, 0}));
    ASSERT_TRUE(without_data.ok());
    EXPECT_TRUE(std::get<Create>(without_data->body).null_data);
  }
  std::string frame;
  append_request(frame, {1, SetData{"/a", "", 3, true}});
  EXPECT_EQ(frame, big_endian({22, 1, 5, 2}) + "/a" + big_endian({-1, 3}));
}

TEST(ZookeeperCodec, LengthsAreHeldAgainstWhatIsThere) {
  for (const int32_t claimed : {INT32_MAX, 1 << 20, 4}) {
    EXPECT_EQ(decode_request(big_endian({1, 4, claimed})).code(), quorate::ErrorCode::kMalformed);
    // The list of permissions of a create; that of paths of a setWatches.
    EXPECT_EQ(decode_request(big_endian({1, 1, 0, 0, claimed, 0})).code(), quorate::ErrorCode::kMalformed);
    EXPECT_EQ(decode_request(big_endian({1, 101, 0, 0, claimed})).code(), quorate::ErrorCode::kMalformed);
  }
}

TEST(ZookeeperCodec, FramesHaveALength) {
  EXPECT_EQ(*frame_size(big_endian({0}).substr(0, 3), kFrameMax), 0U);
  EXPECT_EQ(frame_size(big_endian({0}), kFrameMax).code(), quorate::ErrorCode::kMalformed);
  EXPECT_EQ(frame_size(big_endian({-1}), kFrameMax).code(), quorate::ErrorCode::kMalformed);
  EXPECT_EQ(frame_size(big_endian({INT32_MIN}), kFrameMax).code(), quorate::ErrorCode::kMalformed);
  EXPECT_EQ(frame_size(big_endian({kFrameMax + 1}), kFrameMax).code(), quorate::ErrorCode::kTooLarge);
  EXPECT_EQ(*frame_size(big_endian({kFrameMax}), kFrameMax), 4 + kFrameMax);
}

// A server answers these and goes on; what follows the header is not looked at.
TEST(ZookeeperCodec, UnknownOperationsAreRequests) {
  for (const int32_t op : {0, 20, 999, -12, INT32_MIN}) {
    const auto request = decode_request(big_endian({5, op}) + "whatever");
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request->body, RequestBody(Unknown{op}));
  }
}

TEST(ZookeeperCodec, AMultiHoldsWhatMayStandInOne) {
  const auto with = [](int32_t multi, int32_t part) {
    return decode_request(big_endian({1, multi, part}) + std::string(1, '\0') + big_endian({-1, 0, 0, 0, 0}));
  };
  EXPECT_EQ(with(14, 4).code(), quorate::ErrorCode::kMalformed);    // a read
  EXPECT_EQ(with(14, 14).code(), quorate::ErrorCode::kMalformed);   // a multi
  EXPECT_EQ(with(22, 2).code(), quorate::ErrorCode::kMalformed);    // a write among reads
  EXPECT_EQ(with(14, 999).code(), quorate::ErrorCode::kMalformed);  // nothing known
}

}  // namespace
}  // namespace quorate::zookeeper::test
