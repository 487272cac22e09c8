// ZooKeeper's wire format: a connection's bytes as a connect request and requests, and as what answers them.
#include "proto/zookeeper_codec.h"
#include "base/check.h"
#include "tests/fuzz/target.h"
#include "tests/proto/zookeeper_samples.h"

namespace quorate::fuzz {
namespace {

using namespace zookeeper;

constexpr size_t kFrameBytesMax = 1 << 20;

// What was read is written in one way only, and comes back the same.
void check_request(std::string_view body) {
  const auto request = decode_request(body);
  if (!request.ok()) {
    CHECK(!request.error().message.empty());
    return;
  }
  std::string bytes;
  append_request(bytes, *request);
  const auto again = decode_request(std::string_view(bytes).substr(4));
  CHECK(again.ok() && *again == *request);
}

void check_answers(std::string_view body) {
  (void)decode_connect_reply(body);
  (void)decode_event(body);
  for (const OpCode op : {OpCode::kCreate, OpCode::kCreate2, OpCode::kGetData, OpCode::kGetAcl,
                          OpCode::kGetChildren2, OpCode::kMulti, OpCode::kWhoAmI, OpCode::kGetEphemerals}) {
    const auto reply = decode_reply(body, op);
    if (!reply.ok()) continue;
    std::string bytes;
    append_reply(bytes, *reply);
    const auto again = decode_reply(std::string_view(bytes).substr(4), op);
    CHECK(again.ok() && *again == *reply);
  }
}

void run(std::string_view bytes) {
  bool connected = false;
  while (true) {
    const auto size = frame_size(bytes, kFrameBytesMax);
    if (!size.ok() || *size == 0 || *size > bytes.size()) break;
    const std::string_view body = bytes.substr(4, *size - 4);
    if (!std::exchange(connected, true)) (void)decode_connect_request(body);
    check_request(body);
    check_answers(body);
    bytes.remove_prefix(*size);
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  Random random(1);
  std::string pipeline;
  append_connect_request(pipeline, test::random_connect_request(random));
  for (int i = 0; i < 200; ++i) {
    const Request request = test::random_request(random);
    std::string& one = seeds.emplace_back();
    append_request(one, request);
    pipeline += one;
    append_reply(seeds.emplace_back(), test::random_reply(random, op_of(request.body)));
  }
  seeds.push_back(pipeline);
  return seeds;
}

const Target kTarget("zookeeper_codec", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
