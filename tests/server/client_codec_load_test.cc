// What a server tells of its load, as it goes over the wire.
#include <memory>

#include "tests/server/client_codec_fixture.h"

namespace quorate::server {
namespace {

TEST(ClientCodec, HotPathsWithAllTheirFields) {
  api::ClientFrame frame;
  frame.mutable_hot_paths();
  EXPECT_EQ(request_of<HotPathsRequest>(frame).max, HotPathsRequest().max);
  frame.mutable_hot_paths()->set_max(7);
  EXPECT_EQ(request_of<HotPathsRequest>(frame).max, 7U);
  const api::Reply reply = reply_of(HotPathsReply{{{"/a", 5, 2}, {"/b", 3, 0}}, std::chrono::seconds(12), 4});
  ASSERT_EQ(reply.hot_paths().paths_size(), 2);
  EXPECT_EQ(reply.hot_paths().paths(0).path(), "/a");
  EXPECT_EQ(reply.hot_paths().paths(0).count(), 5U);
  EXPECT_EQ(reply.hot_paths().paths(0).surplus(), 2U);
  EXPECT_EQ(reply.hot_paths().window_ms(), 12'000U);
  EXPECT_EQ(reply.hot_paths().hidden(), 4U);
}

TEST(ClientCodec, FiguresOfAStatus) {
  EXPECT_FALSE(reply_of(ServerStatus()).status().has_served());
  RequestFigures figures;
  figures.reads.add(std::chrono::microseconds(5));
  figures.reads.add(std::chrono::microseconds(5));
  figures.writes.add(std::chrono::milliseconds(1));
  figures.at = Instant(std::chrono::seconds(3));
  ServerStatus status;
  status.served = std::make_shared<RequestFigures>(figures);
  const api::Reply reply = reply_of(status);
  const api::RequestFigures& told = reply.status().served();
  EXPECT_EQ(told.at_ms(), 3'000U);
  ASSERT_EQ(told.reads_size(), 1);
  EXPECT_EQ(told.reads(0).up_to_us(), 5U);
  EXPECT_EQ(told.reads(0).count(), 2U);
  ASSERT_EQ(told.writes_size(), 1);
  EXPECT_GE(told.writes(0).up_to_us(), 1'000U);
}

}  // namespace
}  // namespace quorate::server
