// The load's adapter for etcd: its frames taken apart again, and answers as a server sends them.
#include "tests/bench/etcd_conversation.h"

#include <gtest/gtest.h>

#include "client/bench/protobuf_wire.h"

namespace quorate::bench {
namespace {

constexpr uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7, kWindow = 8;
constexpr uint8_t kEnd = 1;

struct Frame {
  uint8_t type = 0, flags = 0;
  uint32_t stream = 0;
  std::string body;
};

std::string bytes_of(const Frame& frame) {
  std::string out;
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(frame.body.size() >> shift));
  out.push_back(static_cast<char>(frame.type));
  out.push_back(static_cast<char>(frame.flags));
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(frame.stream >> shift));
  return out + frame.body;
}

struct Talk {
  EtcdConversation conversation;
  std::string said;

  uint32_t number(size_t at, size_t size) const {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(said[at + i]);
    return value;
  }
  Frame next() {
    EXPECT_GE(said.size(), 9U);
    const uint32_t size = number(0, 3);
    Frame frame{static_cast<uint8_t>(said[3]), static_cast<uint8_t>(said[4]), number(5, 4),
                said.substr(9, size)};
    said.erase(0, 9 + size);
    return frame;
  }
  // The stream of a request, whose headers and message are held to `path` and `message`.
  uint32_t next_call(std::string_view path, const std::string& message) {
    const Frame headers = next(), data = next();
    EXPECT_EQ(headers.type, kHeaders);
    EXPECT_EQ(data.type, kData);
    EXPECT_EQ(data.flags, kEnd);
    EXPECT_EQ(headers.stream, data.stream);
    EXPECT_NE(headers.body.find(path), std::string::npos);
    EXPECT_EQ(data.body.substr(0, 1), std::string(1, '\0'));
    EXPECT_EQ(static_cast<uint8_t>(data.body[4]), message.size());
    EXPECT_EQ(data.body.substr(5), message);
    return headers.stream;
  }
  // The stream of the opening question.
  uint32_t open() {
    EXPECT_TRUE(conversation.open(said));
    const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    EXPECT_EQ(said.substr(0, preface.size()), preface);
    said.erase(0, preface.size());
    EXPECT_EQ(next().type, kSettings);
    EXPECT_EQ(next().type, kWindow);
    return next_call("/etcdserverpb.Lease/LeaseGrant", "\x08\xd8\x04");
  }

  Heard hear(const Frame& frame) { return conversation.hear(bytes_of(frame), said); }
  // The three frames of an answer; what the last one was heard as.
  Heard answer(uint32_t stream, const std::string& message = std::string(5, '\0')) {
    EXPECT_EQ(hear({kHeaders, 4, stream, "h"}).kind, Heard::Kind::kNothing);
    EXPECT_EQ(hear({kData, 0, stream, message}).kind, Heard::Kind::kNothing);
    return hear({kHeaders, 4 | kEnd, stream, "t"});
  }
};

TEST(EtcdConversation, OpensWithALease) {
  Talk talk;
  const uint32_t stream = talk.open();
  EXPECT_EQ(stream, 1U);
  EXPECT_EQ(talk.answer(stream).kind, Heard::Kind::kReady);
  EXPECT_FALSE(talk.conversation.close(talk.said));
  EXPECT_TRUE(talk.said.empty());
}

TEST(EtcdConversation, AsksToPutAndToGet) {
  Talk talk;
  talk.open();
  std::string put, get;
  ByteWriter put_writer(put), get_writer(get);
  put_bytes_field(put_writer, 1, "/quorate-bench/node-of-40-bytes-00000999");
  put_bytes_field(put_writer, 2, std::string(kValueBytes, 'v'));
  put_bytes_field(get_writer, 1, "/quorate-bench/node-of-40-bytes-00000000");
  talk.conversation.request({Step::kSet, 999, 0}, talk.said);
  EXPECT_EQ(talk.next_call("/etcdserverpb.KV/Put", put), 3U);
  talk.conversation.request({Step::kCreate, 999, 1}, talk.said);
  EXPECT_EQ(talk.next_call("/etcdserverpb.KV/Put", put), 5U);
  talk.conversation.request({Step::kGet, 0, 2}, talk.said);
  EXPECT_EQ(talk.next_call("/etcdserverpb.KV/Range", get), 7U);
  EXPECT_TRUE(talk.said.empty());
}

TEST(EtcdConversation, HoldsALockByItsLease) {
  Talk talk;
  std::string lease(5, '\0'), lock, locked(5, '\0'), unlock;
  ByteWriter lease_writer(lease), lock_writer(lock), locked_writer(locked), unlock_writer(unlock);
  put_varint_field(lease_writer, 2, 300);
  EXPECT_EQ(talk.answer(talk.open(), lease).kind, Heard::Kind::kReady);
  talk.conversation.request({Step::kAcquire, 5, 0}, talk.said);
  put_bytes_field(lock_writer, 1, "/quorate-bench/locks/l0005");
  put_varint_field(lock_writer, 2, 300);
  const uint32_t acquire = talk.next_call("/v3lockpb.Lock/Lock", lock);
  put_bytes_field(locked_writer, 2, "/quorate-bench/locks/l0005/12c");
  EXPECT_EQ(talk.answer(acquire, locked).kind, Heard::Kind::kDone);
  talk.conversation.request({Step::kRelease, 5, 0}, talk.said);
  put_bytes_field(unlock_writer, 1, "/quorate-bench/locks/l0005/12c");
  const uint32_t release = talk.next_call("/v3lockpb.Lock/Unlock", unlock);
  EXPECT_EQ(talk.answer(release).kind, Heard::Kind::kDone);
}

TEST(EtcdConversation, AnswersComeInAnyOrder) {
  Talk talk;
  talk.open();
  talk.conversation.request({Step::kSet, 1, 7}, talk.said);
  talk.conversation.request({Step::kGet, 1, 63}, talk.said);
  const Heard get = talk.answer(5);
  EXPECT_EQ(get.kind, Heard::Kind::kDone);
  EXPECT_EQ(get.slot, 63U);
  const Heard set = talk.answer(3);
  EXPECT_EQ(set.kind, Heard::Kind::kDone);
  EXPECT_EQ(set.slot, 7U);
  EXPECT_EQ(talk.hear({kHeaders, 4, 3, "h"}).kind, Heard::Kind::kBroken);
}

TEST(EtcdConversation, AnAnswerWithoutAMessageIsARefusal) {
  Talk talk;
  talk.open();
  talk.conversation.request({Step::kSet, 1, 0}, talk.said);
  const Heard refused = talk.hear({kHeaders, 4 | kEnd, 3, "t"});
  EXPECT_EQ(refused.kind, Heard::Kind::kRefused);
  EXPECT_EQ(refused.slot, 0U);
  talk.conversation.request({Step::kSet, 1, 0}, talk.said);
  EXPECT_EQ(talk.hear({kReset, 0, 5, "code"}).kind, Heard::Kind::kRefused);
}

TEST(EtcdConversation, AnswersSettingsAndPings) {
  Talk talk;
  talk.open();
  EXPECT_EQ(talk.hear({kSettings, 0, 0, "abcdef"}).kind, Heard::Kind::kNothing);
  EXPECT_EQ(bytes_of(talk.next()), bytes_of({kSettings, 1, 0, ""}));
  EXPECT_EQ(talk.hear({kSettings, 1, 0, ""}).kind, Heard::Kind::kNothing);
  EXPECT_EQ(talk.hear({kPing, 0, 0, "12345678"}).kind, Heard::Kind::kNothing);
  EXPECT_EQ(bytes_of(talk.next()), bytes_of({kPing, 1, 0, "12345678"}));
  EXPECT_EQ(talk.hear({kPing, 1, 0, "12345678"}).kind, Heard::Kind::kNothing);
  EXPECT_EQ(talk.hear({200, 0, 0, "something new"}).kind, Heard::Kind::kNothing);
  EXPECT_TRUE(talk.said.empty());
}

TEST(EtcdConversation, OpensItsWindowAgain) {
  Talk talk;
  talk.open();
  talk.conversation.request({Step::kGet, 1, 0}, talk.said);
  talk.said.clear();
  const uint32_t stream = 3;
  const std::string half(1U << 19, 'm');
  EXPECT_EQ(talk.hear({kData, 0, stream, half}).kind, Heard::Kind::kNothing);
  EXPECT_TRUE(talk.said.empty());
  EXPECT_EQ(talk.hear({kData, 0, stream, half}).kind, Heard::Kind::kNothing);
  EXPECT_EQ(bytes_of(talk.next()), bytes_of({kWindow, 0, 0, std::string("\0\x10\0\0", 4)}));
}

TEST(EtcdConversation, SendsOnlyWhatTheServerTakes) {
  Talk talk;
  talk.open();
  const std::string more("\0\x01\0\0", 4);
  // More than the server took at the beginning, with its updates between.
  for (int i = 0; i < 2'000; ++i) {
    talk.conversation.request({Step::kSet, 1, 0}, talk.said);
    talk.answer(static_cast<uint32_t>(3 + 2 * i));
    if (i % 400 == 399) {
      EXPECT_EQ(talk.hear({kWindow, 0, 0, more}).kind, Heard::Kind::kNothing);
    }
  }
  EXPECT_EQ(talk.hear({kWindow, 0, 0, "abc"}).kind, Heard::Kind::kBroken);
}

TEST(EtcdConversation, KnowsTheEndOfItsConnection) {
  Talk talk;
  talk.open();
  EXPECT_EQ(talk.hear({kGoAway, 0, 0, "12345678"}).kind, Heard::Kind::kEnded);
}

TEST(EtcdConversation, WaitsForTheWholeFrameAtEverySplit) {
  Talk talk;
  const std::string whole = bytes_of({kData, 0, talk.open(), std::string(5, '\0')});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(talk.conversation.hear(std::string_view(whole).substr(0, size), talk.said).kind,
              Heard::Kind::kIncomplete)
        << size;
  }
  const std::string two = whole + "behind";
  EXPECT_EQ(talk.conversation.hear(two, talk.said).bytes, whole.size());
}

TEST(EtcdConversation, RefusesWhatDoesNotParse) {
  Talk talk;
  talk.open();
  EXPECT_EQ(talk.conversation.hear("\xff\xff\xff\x01\x01\x01\x01\x01\x01", talk.said).kind,
            Heard::Kind::kBroken);
  EXPECT_EQ(talk.hear({kData, 0, 0, "x"}).kind, Heard::Kind::kBroken);
  EXPECT_EQ(talk.hear({kData, 0, 9, "x"}).kind, Heard::Kind::kBroken);
  EXPECT_EQ(talk.hear({kData, 0, 1, "x"}).kind, Heard::Kind::kBroken);
}

}  // namespace
}  // namespace quorate::bench
