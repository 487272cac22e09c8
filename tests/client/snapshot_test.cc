// The stream of a snapshot, against a scripted server: what is asked, what is taken, when it begins anew.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/checksum.h"
#include "client/quorate/async.h"
#include "client/quorate/client.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

// Two records "a" and "b" of snapshot 5, one in each part.
api::ServerFrame part_of(const api::ClientFrame& frame) {
  api::ServerFrame out = ok(frame);
  api::SnapshotPart& part = *out.mutable_reply()->mutable_snapshot_part();
  part.set_snapshot(5);
  if (frame.read_snapshot().snapshot() == 0) return out;
  part.set_name("name");
  part.set_records(frame.read_snapshot().after().empty() ? "A" : "B");
  part.set_last_key(frame.read_snapshot().after().empty() ? "a" : "b");
  part.set_complete(frame.read_snapshot().after() == "a");
  part.set_checksum(checksum64(part.records()));
  return out;
}

api::ServerFrame refusal(const api::ClientFrame& frame, ErrorCode code) {
  api::ServerFrame out = ok(frame);
  out.mutable_reply()->set_code(static_cast<uint32_t>(code));
  return out;
}

struct Taken {
  std::string text;
  Status operator()(const SnapshotPart& part) {
    if (part.first) text += "[" + part.name + "]";
    text += part.records.empty() ? "." : part.records;
    if (part.complete) text += "!";
    return {};
  }
};

Options options_for(const FakeServer& server) {
  Options options;
  options.endpoints = {server.endpoint()};
  return options;
}

TEST(ReadSnapshot, PartByPart) {
  FakeServer server([](const api::ClientFrame& f) { return FakeServer::Answer{{part_of(f)}, "", false}; });
  Client client(options_for(server));
  Taken taken;
  ASSERT_TRUE(client.read_snapshot(std::ref(taken)).ok());
  EXPECT_EQ(taken.text, "[name]AB!");
}

TEST(ReadSnapshot, GoesOnWhereABrokenConnectionLeftOff) {
  std::atomic<int> drops = 1;
  FakeServer server([&](const api::ClientFrame& f) {
    FakeServer::Answer answer{{part_of(f)}, "", false};
    if (f.read_snapshot().after() == "a" && drops-- > 0) answer.drop = true;
    return answer;
  });
  Client client(options_for(server));
  Taken taken;
  ASSERT_TRUE(client.read_snapshot(std::ref(taken)).ok());
  EXPECT_EQ(taken.text, "[name]AB!");
  EXPECT_EQ(server.count([](const auto& f) { return f.read_snapshot().after() == "a"; }), 2U);
  EXPECT_EQ(server.count([](const auto& f) { return f.read_snapshot().snapshot() == 0; }), 1U);
}

TEST(ReadSnapshot, BeginsAnewWhereItIsGone) {
  std::atomic<int> gone = 1;
  FakeServer server([&](const api::ClientFrame& f) {
    const bool lost = f.read_snapshot().after() == "a" && gone-- > 0;
    return FakeServer::Answer{{lost ? refusal(f, ErrorCode::kSnapshotGone) : part_of(f)}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  ASSERT_TRUE(client.read_snapshot(std::ref(taken)).ok());
  EXPECT_EQ(taken.text, "[name]A[name]AB!");
}

TEST(ReadSnapshot, IsGivenUpWhenItIsGoneEachTime) {
  FakeServer server([&](const api::ClientFrame& f) {
    const bool begins = f.read_snapshot().snapshot() == 0;
    return FakeServer::Answer{{begins ? part_of(f) : refusal(f, ErrorCode::kSnapshotGone)}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  EXPECT_EQ(client.read_snapshot(std::ref(taken)).code(), ErrorCode::kSnapshotGone);
  EXPECT_EQ(taken.text, "");
}

TEST(ReadSnapshot, SaysThatNothingIsThereYet) {
  std::atomic<int> waits = 2;
  FakeServer server([&](const api::ClientFrame& f) {
    api::ServerFrame out = part_of(f);
    if (f.read_snapshot().snapshot() != 0 && waits-- > 0) {
      out.mutable_reply()->mutable_snapshot_part()->Clear();
      out.mutable_reply()->mutable_snapshot_part()->set_snapshot(5);
    }
    return FakeServer::Answer{{out}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  ASSERT_TRUE(client.read_snapshot(std::ref(taken)).ok());
  EXPECT_EQ(taken.text, "..[name]AB!");
}

TEST(ReadSnapshot, ADamagedPartIsAskedForAgainAndNotForEver) {
  std::atomic<int> damages = 1;
  FakeServer server([&](const api::ClientFrame& f) {
    api::ServerFrame out = part_of(f);
    if (f.read_snapshot().snapshot() != 0 && damages-- > 0)
      out.mutable_reply()->mutable_snapshot_part()->set_records("X");
    return FakeServer::Answer{{out}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  ASSERT_TRUE(client.read_snapshot(std::ref(taken)).ok());
  EXPECT_EQ(taken.text, "[name]AB!");
  damages = 1000;
  EXPECT_EQ(client.read_snapshot(std::ref(taken)).code(), ErrorCode::kCorruption);
}

TEST(ReadSnapshot, EndsWithTheErrorOfWhoeverTakesIt) {
  FakeServer server([](const api::ClientFrame& f) { return FakeServer::Answer{{part_of(f)}, "", false}; });
  Client client(options_for(server));
  const Status done = client.read_snapshot([](const SnapshotPart&) {
    return Error{ErrorCode::kNoSpace, "full"};
  });
  EXPECT_EQ(done.code(), ErrorCode::kNoSpace);
}

TEST(ReadSnapshot, WithoutWaitingIsHandedOnOnTheClientsThread) {
  std::atomic<int> damages = 1, gone = 1;
  FakeServer server([&](const api::ClientFrame& f) {
    api::ServerFrame out = part_of(f);
    if (f.read_snapshot().snapshot() != 0 && damages-- > 0)
      out.mutable_reply()->mutable_snapshot_part()->set_records("X");
    const bool lost = f.read_snapshot().after() == "a" && gone-- > 0;
    return FakeServer::Answer{{lost ? refusal(f, ErrorCode::kSnapshotGone) : out}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  std::thread::id thread;
  std::promise<std::pair<Status, std::thread::id>> told;
  client.async()
      .read_snapshot([&](const SnapshotPart& part) {
        thread = std::this_thread::get_id();
        return taken(part);
      })
      .begin([&](const Status& done) {
        told.set_value({done, std::this_thread::get_id()});
      });
  const auto [done, same] = told.get_future().get();
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(taken.text, "[name]A[name]AB!");
  EXPECT_EQ(thread, same);
  const Status full = client.async()
                          .read_snapshot([](const SnapshotPart&) {
                            return Error{ErrorCode::kNoSpace, "full"};
                          })
                          .future()
                          .get();
  EXPECT_EQ(full.code(), ErrorCode::kNoSpace);
}

TEST(ReadSnapshot, WhatTheServerRefusesIsTheAnswer) {
  FakeServer server([](const api::ClientFrame& f) {
    return FakeServer::Answer{{refusal(f, ErrorCode::kDenied)}, "", false};
  });
  Client client(options_for(server));
  Taken taken;
  EXPECT_EQ(client.read_snapshot(std::ref(taken)).code(), ErrorCode::kDenied);
}

TEST(Credentials, GoBeforeAllElseThatIsAsked) {
  FakeServer server(friendly);
  Options options = options_for(server);
  options.credentials = {{"digest", "user:one"}, {"digest", "user:two"}};
  Client client(options);
  ASSERT_TRUE(client.get("/a").ok());
  EXPECT_TRUE(client.session()) << "even a client that only reads has one";
  const auto proofs = [](const std::string& proof) {
    return [proof](const api::ClientFrame& f) { return f.add_credential().proof() == proof; };
  };
  EXPECT_EQ(server.count(proofs("user:one")), 1U);
  EXPECT_EQ(server.wait_for(proofs("user:two")).add_credential().number(), 2U);
  ASSERT_TRUE(client.get("/a").ok());
  EXPECT_EQ(server.count(proofs("user:one")), 1U) << "once";
}

TEST(Credentials, OnesThatNoServerTakesAreTheAnswerOfEveryCall) {
  FakeServer server(friendly);
  Options options = options_for(server);
  options.credentials = {{"digest", "nonsense"}};
  Client client(options);
  EXPECT_EQ(client.get("/a").code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(client.set("/a", "").code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(client.add_credential({"x509", "CN=a"}).code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quorate::client
