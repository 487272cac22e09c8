// Frames out of a stream of bytes, however it is cut.
#include <gtest/gtest.h>

#include "client/wire.h"

namespace quorate::client {
namespace {

std::string two_frames() {
  std::string bytes;
  api::ServerFrame frame;
  frame.mutable_reply()->set_id(1);
  append_frame(bytes, frame);
  frame.mutable_reply()->set_id(2);
  frame.mutable_reply()->set_message(std::string(300, 'x'));
  append_frame(bytes, frame);
  return bytes;
}

TEST(Wire, AFrameIsALengthLowestByteFirstAndItsBytes) {
  api::ServerFrame frame;
  frame.mutable_reply()->set_message(std::string(300, 'x'));
  std::string bytes;
  append_frame(bytes, frame);
  const size_t size = bytes.size() - 4;
  EXPECT_EQ(static_cast<uint8_t>(bytes[0]), size & 0xff);
  EXPECT_EQ(static_cast<uint8_t>(bytes[1]), size >> 8);
  EXPECT_EQ(bytes.substr(4), frame.SerializeAsString());
}

TEST(Wire, TakesFramesOutOfAStreamCutAnywhere) {
  const std::string bytes = two_frames();
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameReader reader;
    std::vector<uint64_t> ids;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      reader.append(part.data(), part.size());
      while (true) {
        const Result<std::optional<api::ServerFrame>> frame = reader.next();
        ASSERT_TRUE(frame.ok());
        if (!*frame) break;
        ids.push_back((*frame)->reply().id());
      }
    }
    EXPECT_EQ(ids, (std::vector<uint64_t>{1, 2})) << "cut at " << cut;
  }
}

TEST(Wire, RefusesAFrameThatIsTooLongBeforeItHasCome) {
  FrameReader reader;
  reader.append("\xff\xff\xff\x7f", 4);
  EXPECT_EQ(reader.next().code(), ErrorCode::kTooLarge);
}

TEST(Wire, RefusesBytesThatDoNotParse) {
  FrameReader reader;
  reader.append("\x02\x00\x00\x00\xff\xff", 6);
  EXPECT_EQ(reader.next().code(), ErrorCode::kMalformed);
}

TEST(Wire, AnUnknownCodeIsKeptInTheSentence) {
  api::Reply reply;
  reply.set_code(4711);
  reply.set_message("of a later version");
  const Error error = error_of(reply);
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  EXPECT_NE(error.message.find("4711"), std::string::npos);
  EXPECT_NE(error.message.find("of a later version"), std::string::npos);
}

}  // namespace
}  // namespace quorate::client
