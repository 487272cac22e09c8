// What recipes take away, where the first try is refused, against a scripted server on a real socket.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>

#include "client/quorate/group.h"
#include "client/quorate/service.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

class RemoveOwn : public testing::Test {
 protected:
  static Options options_for(const FakeServer& server) {
    Options options;
    options.endpoints = {server.endpoint()};
    return options;
  }
  // The first removal is denied: nothing was done.
  FakeServer server{[this](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.write().has_delete_() && removals++ == 0)
      answer.frames[0].mutable_reply()->set_code(static_cast<uint32_t>(ErrorCode::kDenied));
    return answer;
  }};
  int removals = 0;  // on the server's thread; read when that has answered
  Client client{options_for(server)};
};

TEST_F(RemoveOwn, AnInstanceThatIsThereYetIsRemovedAgain) {
  Result<Registration> here = Registry(client).add({.name = "s", .id = "one", .address = "h"});
  ASSERT_TRUE(here.ok()) << here.error().message;
  EXPECT_EQ(here->remove().code(), ErrorCode::kDenied);
  EXPECT_TRUE(here->remove().ok());
  EXPECT_EQ(here->remove().code(), ErrorCode::kNoNode);
  EXPECT_EQ(removals, 2);
}

TEST_F(RemoveOwn, AMemberThatIsThereYetLeavesWithItsGuard) {
  {
    Result<Membership> here = Group(client, "/g").join("one");
    ASSERT_TRUE(here.ok()) << here.error().message;
    EXPECT_EQ(here->leave().code(), ErrorCode::kDenied);
  }
  EXPECT_EQ(removals, 2);
}

// Nothing may wait there, and the node would stay until the session ends.
TEST_F(RemoveOwn, AGuardThatEndsInACallbackTakesItsNodeAway) {
  removals = 1;  // none is denied
  Result<Membership> joined = Group(client, "/g").join("one");
  ASSERT_TRUE(joined.ok()) << joined.error().message;
  auto here = std::make_shared<std::optional<Membership>>(std::move(*joined));
  std::promise<void> ended;
  client.async().get("/a").begin([&, here](const Result<Node>&) {
    here->reset();
    ended.set_value();
  });
  ended.get_future().wait();
  ASSERT_TRUE(client.get("/a").ok()) << "asked behind it";
  EXPECT_EQ(server.count([](const auto& f) { return f.write().has_delete_(); }), 1U);
}

}  // namespace
}  // namespace quorate::client
