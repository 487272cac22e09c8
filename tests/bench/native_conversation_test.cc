// The hand-written encoding against the generated Protobuf classes.
#include "client/bench/native_conversation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "proto/client.pb.h"

namespace quorate::bench {
namespace {

std::string framed(const std::string& body) {
  const auto length = static_cast<uint32_t>(body.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + body;
}

// Takes the first frame off `bytes`, parses it, and holds that the generated encoder writes the very same
// bytes.
api::ClientFrame take(std::string& bytes) {
  uint32_t length = 0;
  EXPECT_GE(bytes.size(), sizeof(length));
  std::memcpy(&length, bytes.data(), sizeof(length));
  api::ClientFrame frame;
  EXPECT_TRUE(frame.ParseFromArray(bytes.data() + 4, static_cast<int>(length)));
  EXPECT_EQ(framed(frame.SerializeAsString()), bytes.substr(0, 4 + length));
  bytes.erase(0, 4 + length);
  return frame;
}

api::ClientFrame ask(NativeConversation& conversation, const Request& request) {
  std::string bytes;
  conversation.request(request, bytes);
  api::ClientFrame frame = take(bytes);
  EXPECT_TRUE(bytes.empty());
  return frame;
}

std::string reply_to(const api::ClientFrame& request, uint32_t code = 0) {
  api::ServerFrame frame;
  frame.mutable_reply()->set_id(request.id());
  frame.mutable_reply()->set_code(code);
  frame.mutable_reply()->set_zxid(7);
  if (code != 0) frame.mutable_reply()->set_message("no");
  frame.mutable_reply()->mutable_outcome()->set_zxid(7);
  return framed(frame.SerializeAsString());
}

std::string acquired(const api::ClientFrame& request, const std::string& node, bool held) {
  api::ServerFrame frame;
  frame.mutable_reply()->set_id(request.id());
  api::Outcome* outcome = frame.mutable_reply()->mutable_outcome();
  outcome->set_path(node);
  outcome->set_held(held);
  outcome->set_token(9);
  return framed(frame.SerializeAsString());
}

std::string granted(const std::string& node) {
  api::ServerFrame frame;
  frame.mutable_granted()->set_node(node);
  frame.mutable_granted()->set_token(9);
  return framed(frame.SerializeAsString());
}

// Nothing that is heard makes this conversation speak.
Heard hear(NativeConversation& conversation, std::string_view in) {
  std::string out;
  const Heard heard = conversation.hear(in, out);
  EXPECT_TRUE(out.empty());
  return heard;
}

TEST(NativeConversation, OpensWithTheMagicAndASession) {
  NativeConversation conversation(3);
  std::string bytes;
  EXPECT_TRUE(conversation.open(bytes));
  ASSERT_EQ(bytes.substr(0, 8), "QUORATE1");
  bytes.erase(0, 8);
  const api::ClientFrame frame = take(bytes);
  EXPECT_EQ(frame.open_session().timeout_ms(), kSessionTimeoutMs);
  EXPECT_EQ(frame.open_session().password().size(), 16U);
  EXPECT_EQ(hear(conversation, reply_to(frame)).kind, Heard::Kind::kReady);
}

TEST(NativeConversation, EncodesEveryStepAsTheGeneratedClassesDo) {
  NativeConversation conversation(0);
  const api::Write create = ask(conversation, {Step::kCreate, 12, 0}).write();
  EXPECT_EQ(create.number(), 1U);
  EXPECT_EQ(create.acked_below(), 1U);
  EXPECT_EQ(create.create().path(), "/quorate-bench/node-of-40-bytes-00000012");
  EXPECT_EQ(create.create().data().size(), kValueBytes);
  EXPECT_TRUE(create.create().parents());

  const api::Write set = ask(conversation, {Step::kSet, 999, 1}).write();
  EXPECT_EQ(set.number(), 2U);
  EXPECT_EQ(set.set().path(), "/quorate-bench/node-of-40-bytes-00000999");
  EXPECT_EQ(set.set().data().size(), kValueBytes);
  EXPECT_EQ(set.set().version(), -1);

  const api::ClientFrame get = ask(conversation, {Step::kGet, 0, 2});
  EXPECT_EQ(get.get().path(), "/quorate-bench/node-of-40-bytes-00000000");
  EXPECT_TRUE(get.get().with_data());

  const api::ClientFrame acquire = ask(conversation, {Step::kAcquire, 5, 3});
  EXPECT_EQ(acquire.write().number(), 3U);
  EXPECT_EQ(acquire.write().acquire().path(), "/quorate-bench/locks/l0005");
  hear(conversation, acquired(acquire, "/quorate-bench/locks/l0005/lock-0000000001", true));
  const api::Write release = ask(conversation, {Step::kRelease, 5, 3}).write();
  EXPECT_EQ(release.number(), 4U);
  EXPECT_EQ(release.release().node(), "/quorate-bench/locks/l0005/lock-0000000001");

  std::string bytes;
  EXPECT_TRUE(conversation.close(bytes));
  const api::ClientFrame close = take(bytes);
  EXPECT_TRUE(close.write().has_close_session());
  EXPECT_EQ(close.write().number(), 5U);
  EXPECT_EQ(hear(conversation, reply_to(close)).kind, Heard::Kind::kFarewell);
}

TEST(NativeConversation, FindsTheSlotOfAnAnswer) {
  NativeConversation conversation(0);
  const api::ClientFrame first = ask(conversation, {Step::kSet, 1, 7});
  const api::ClientFrame second = ask(conversation, {Step::kGet, 1, 63});
  const Heard get = hear(conversation, reply_to(second));
  EXPECT_EQ(get.kind, Heard::Kind::kDone);
  EXPECT_EQ(get.slot, 63U);
  const Heard set = hear(conversation, reply_to(first));
  EXPECT_EQ(set.kind, Heard::Kind::kDone);
  EXPECT_EQ(set.slot, 7U);
}

TEST(NativeConversation, AcknowledgesWhatWasAnswered) {
  NativeConversation conversation(0);
  const api::ClientFrame first = ask(conversation, {Step::kSet, 1, 0});
  const api::ClientFrame second = ask(conversation, {Step::kSet, 1, 1});
  hear(conversation, reply_to(second));
  EXPECT_EQ(ask(conversation, {Step::kSet, 1, 1}).write().acked_below(), 1U);
  hear(conversation, reply_to(first));
  EXPECT_EQ(ask(conversation, {Step::kSet, 1, 0}).write().acked_below(), 3U);
}

TEST(NativeConversation, ARefusedWriteIsRetriedUnderItsNumber) {
  NativeConversation conversation(0);
  const api::ClientFrame first = ask(conversation, {Step::kSet, 1, 0});
  const std::string reply = reply_to(first, static_cast<uint32_t>(ErrorCode::kNoQuorum));
  const Heard refused = hear(conversation, reply);
  EXPECT_EQ(refused.kind, Heard::Kind::kRefused);
  EXPECT_EQ(refused.code, ErrorCode::kNoQuorum);
  EXPECT_EQ(refused.why, "no");
  std::string bytes;
  conversation.retry(0, bytes);
  const api::ClientFrame again = take(bytes);
  EXPECT_NE(again.id(), first.id());
  EXPECT_EQ(again.write().number(), 1U);
  EXPECT_EQ(again.write().set().path(), first.write().set().path());
}

TEST(NativeConversation, AWriteThatWasAppliedWithTheAnswerNoIsSettled) {
  NativeConversation conversation(0);
  const api::ClientFrame first = ask(conversation, {Step::kCreate, 1, 0});
  const Heard refused = hear(conversation, reply_to(first, static_cast<uint32_t>(ErrorCode::kNodeExists)));
  EXPECT_EQ(refused.kind, Heard::Kind::kRefused);
  EXPECT_EQ(refused.code, ErrorCode::kNodeExists);
  EXPECT_EQ(ask(conversation, {Step::kCreate, 2, 0}).write().acked_below(), 2U);
}

TEST(NativeConversation, AWaiterIsDoneWhenItIsGranted) {
  NativeConversation conversation(0);
  const api::ClientFrame acquire = ask(conversation, {Step::kAcquire, 1, 4});
  EXPECT_EQ(hear(conversation, acquired(acquire, "/q/lock-2", false)).kind, Heard::Kind::kNothing);
  const Heard grant = hear(conversation, granted("/q/lock-2"));
  EXPECT_EQ(grant.kind, Heard::Kind::kDone);
  EXPECT_EQ(grant.slot, 4U);
}

TEST(NativeConversation, AGrantThatOvertakesItsAnswerCounts) {
  NativeConversation conversation(0);
  const api::ClientFrame acquire = ask(conversation, {Step::kAcquire, 1, 4});
  EXPECT_EQ(hear(conversation, granted("/q/lock-2")).kind, Heard::Kind::kNothing);
  EXPECT_EQ(hear(conversation, acquired(acquire, "/q/lock-2", false)).kind, Heard::Kind::kDone);
}

TEST(NativeConversation, WaitsForTheWholeFrameAtEverySplit) {
  NativeConversation conversation(0);
  const std::string whole = reply_to(ask(conversation, {Step::kSet, 1, 0}));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(hear(conversation, std::string_view(whole).substr(0, size)).kind, Heard::Kind::kIncomplete)
        << size;
  }
  const std::string two = whole + "behind";
  const Heard heard = hear(conversation, two);
  EXPECT_EQ(heard.kind, Heard::Kind::kDone);
  EXPECT_EQ(heard.bytes, whole.size());
}

TEST(NativeConversation, KnowsTheEndOfItsSession) {
  NativeConversation conversation(0);
  api::ServerFrame frame;
  frame.mutable_session_end()->set_session(1);
  EXPECT_EQ(hear(conversation, framed(frame.SerializeAsString())).kind, Heard::Kind::kEnded);
}

TEST(NativeConversation, RefusesWhatDoesNotParse) {
  NativeConversation conversation(0);
  EXPECT_EQ(hear(conversation, std::string("\xff\xff\xff\x7f", 4)).kind, Heard::Kind::kBroken);
  EXPECT_EQ(hear(conversation, framed("\x0a\x05\x08")).kind, Heard::Kind::kBroken);
  EXPECT_EQ(hear(conversation, framed("\x0f")).kind, Heard::Kind::kBroken);
}

// Answers in any order, against a set of the numbers that have none.
RC_GTEST_PROP(AnsweredNumbers, TheFloorIsTheLowestNumberWithoutAnAnswer,
              (const std::vector<uint8_t>& choices)) {
  AnsweredNumbers numbers;
  std::set<uint64_t> open;
  uint64_t last = 0;
  for (const uint8_t choice : choices) {
    const bool full = !open.empty() && last - *open.begin() >= 63;
    if (choice % 2 == 0 && !full) {
      last = numbers.next();
      open.insert(last);
    } else if (!open.empty()) {
      const auto chosen =
          full ? open.begin() : std::next(open.begin(), choice % static_cast<int>(open.size()));
      numbers.answered(*chosen);
      open.erase(chosen);
    }
    RC_ASSERT(numbers.floor() == (open.empty() ? last + 1 : *open.begin()));
  }
}

}  // namespace
}  // namespace quorate::bench
