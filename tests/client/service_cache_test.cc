// A cache of a service whose instances are looked at rarely.
#include <gtest/gtest.h>

#include <future>

#include "client/quorate/service.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

TEST(ServiceCache, EndsThoughItsNextLookIsFarAway) {
  std::promise<void> looked_again;
  int looks = 0;
  FakeServer server([&](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.has_children() && ++looks == 2) looked_again.set_value();
    api::Changes& changes = *answer.frames[0].mutable_reply()->mutable_changes();
    changes.set_up_to(9);
    changes.set_live(true);
    return answer;
  });
  Options options;
  options.endpoints = {server.endpoint()};
  Client client(options);
  Registry registry(client);
  ServiceCache cache(registry, "search", milliseconds::max());
  ASSERT_TRUE(cache.wait_until_seen(std::chrono::hours(1)).ok());
  EXPECT_FALSE(cache.view().stale);
  looked_again.get_future().wait();  // behind it, nothing happens any more
}

}  // namespace
}  // namespace quorate::client
