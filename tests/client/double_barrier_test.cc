// What a double barrier says where an answer is lost that decides it.
#include <gtest/gtest.h>

#include <thread>

#include "client/quorate/barrier.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

bool takes_a_place_back(const api::ClientFrame& frame) {
  for (const api::MultiOperation& each : frame.write().multi().operations())
    if (each.has_delete_()) return true;
  return false;
}

// One has come to a barrier for more, and whether it went again is never answered.
FakeServer::Answer silent_about_going(const api::ClientFrame& frame) {
  if (takes_a_place_back(frame)) return {};
  FakeServer::Answer answer = friendly(frame);
  api::Reply& reply = *answer.frames[0].mutable_reply();
  for (const api::MultiOperation& each : frame.write().multi().operations())
    reply.mutable_outcome()->add_results()->set_path(each.create().path() + "0000000001");
  if (frame.has_watch_since()) {
    reply.mutable_changes()->set_up_to(9);
    reply.mutable_changes()->set_live(true);
  }
  if (frame.has_children()) reply.mutable_children()->add_names("m-0000000001");
  if (frame.has_get()) reply.set_code(static_cast<uint32_t>(ErrorCode::kNoNode));
  return answer;
}

TEST(DoubleBarrier, WhoMayStillBeAmongThemIsToldSoAndCanLeave) {
  FakeServer server(silent_about_going);
  Options options;
  options.endpoints = {server.endpoint()};
  Client client(options);
  DoubleBarrier barrier(client, "/b", 2);
  std::thread closer([&] {
    server.wait_for(takes_a_place_back);
    client.close();
  });
  const Status entered = barrier.enter(milliseconds(0));
  closer.join();
  EXPECT_EQ(entered.code(), ErrorCode::kOutcomeUnknown) << entered.error().message;
  EXPECT_NE(entered.error().message.find("leave it"), std::string::npos) << entered.error().message;
  EXPECT_EQ(barrier.enter(milliseconds(0)).code(), ErrorCode::kInvalidArgument) << "it has entered already";
}

TEST(DoubleBarrier, WhoMayHaveComeDoesNotComeTwice) {
  const auto comes = [](const api::ClientFrame& frame) {
    for (const api::MultiOperation& each : frame.write().multi().operations())
      if (each.has_create()) return true;
    return false;
  };
  FakeServer server([&](const api::ClientFrame& frame) {
    return comes(frame) ? FakeServer::Answer{} : silent_about_going(frame);
  });
  Options options;
  options.endpoints = {server.endpoint()};
  Client client(options);
  DoubleBarrier barrier(client, "/b", 2);
  std::thread closer([&] {
    server.wait_for(comes);
    client.close();
  });
  const Status entered = barrier.enter();
  closer.join();
  EXPECT_EQ(entered.code(), ErrorCode::kOutcomeUnknown) << entered.error().message;
  EXPECT_EQ(barrier.enter().code(), ErrorCode::kInvalidArgument) << "two places of one would count as two";
  EXPECT_EQ(barrier.leave().code(), ErrorCode::kShuttingDown) << "it knows what to take away";
}

}  // namespace
}  // namespace quorate::client
