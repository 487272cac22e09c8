// What becomes of those who follow a cluster's changes when it was restored from a backup: its history is
// another one, and shorter.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "client/quorate/cache.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

TEST(RestoredCluster, ACacheReadsItAnew) {
  std::atomic<bool> restored = false;
  std::promise<bool> anew;
  int refused = 0;
  FakeServer server([&](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    api::Reply& reply = *answer.frames[0].mutable_reply();
    const uint64_t zxid = restored ? 5 : 9;
    if (frame.has_watch_since() && frame.watch_since().since() > zxid) {
      reply.set_code(static_cast<uint32_t>(ErrorCode::kInvalidArgument));
      if (++refused == 2) anew.set_value(false);
    } else if (frame.has_watch_since()) {
      reply.mutable_changes()->set_up_to(zxid);
      reply.mutable_changes()->set_live(true);
    } else if (frame.has_multi_read()) {
      api::Node& node = *reply.mutable_multi_read()->add_results()->mutable_node();
      node.set_data(restored ? "restored" : "lost");
      node.mutable_stat()->set_mzxid(zxid);
    }
    return answer;
  });
  Options options;
  options.endpoints = {server.endpoint()};
  Client client(options);
  TreeCache cache(client, "/a", [&](const std::string&) {
    if (restored) anew.set_value(true);
  });
  ASSERT_TRUE(cache.wait_until(Zxid(9), std::chrono::hours(1)).ok());
  EXPECT_EQ(cache.get("/a")->data, "lost");
  restored = true;
  server.drop_connections();
  ASSERT_TRUE(anew.get_future().get()) << "it asks for what the cluster does not know";
  EXPECT_EQ(cache.get("/a")->data, "restored");
}

}  // namespace
}  // namespace quorate::client
