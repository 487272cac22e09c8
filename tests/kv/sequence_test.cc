// Sequence counters have 64 bits, and suffixes stay in order beyond the 2^31 where ZooKeeper's stick: on
// states whose counter comes from a checkpoint.
#include <gtest/gtest.h>

#include <map>

#include "base/checksum.h"
#include "kv/checkpoint.h"
#include "kv/path.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

using Records = std::map<std::string, std::string>;

Records captured(StateMachine& state) {
  RecordList slice;
  state.begin_capture();
  while (!state.capture(1 << 20, slice)) {
  }
  Records records;
  for (const RecordView& record : slice) {
    if (record.value) {
      records[std::string(record.key)] = *record.value;
    } else {
      records.erase(std::string(record.key));
    }
  }
  return records;
}

// What a node adds to the hash for the children it had.
uint64_t hash_of_children(std::string_view path, uint64_t creates, uint64_t children, Zxid pzxid) {
  const uint64_t words[] = {checksum64(path), creates, children, pzxid.value()};
  return checksum64({reinterpret_cast<const char*>(words), sizeof(words)});
}

// A state with a node "/q" below which `creates` children were made, of which one is there.
StateMachine with_counter(uint64_t creates) {
  Machine machine;
  const SessionId session = machine.open();
  (void)machine.run(session, create("/q"));
  (void)machine.run(session, create("/q/first"));
  Records records = captured(machine.state);
  std::string& value = records.at(node_key("/q"));
  const std::string before = value;
  NodeRecord node = decode_node(before).value();
  EXPECT_EQ(node.creates, 1U);
  MetaRecord meta = decode_meta(records.at(meta_key())).value();
  meta.state_hash -= hash_of_children("/q", node.creates, 1, node.pzxid);
  node.creates = creates;
  meta.state_hash += hash_of_children("/q", node.creates, 1, node.pzxid);
  value = encode_node(node);
  records[meta_key()] = encode_meta(meta);
  StateLoader loader;
  for (const auto& [key, record] : records) EXPECT_TRUE(loader.add(key, record).ok());
  return std::move(loader.finish().value());
}

class SequenceTest : public ::testing::Test {
 protected:
  void load(uint64_t creates) {
    machine_.state = with_counter(creates);
    session_ = machine_.open();
  }
  Outcome run(Operation operation) { return machine_.run(session_, std::move(operation)); }

  Machine machine_;
  SessionId session_;
};

TEST_F(SequenceTest, GoesOnBeyondWhatASigned32BitCounterHolds) {
  load((uint64_t{1} << 31) - 2);
  std::vector<std::string> names;
  for (int i = 0; i < 4; ++i) names.push_back(run(create_queued("/q/lock-")).path);
  EXPECT_EQ(names, (std::vector<std::string>{"/q/lock-2147483646", "/q/lock-2147483647", "/q/lock-2147483648",
                                             "/q/lock-2147483649"}));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(machine_.state.first_queued("/q")->name, "lock-2147483646");
  EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
}

TEST_F(SequenceTest, EndsWithTheLastSuffixOfTenDigits) {
  load(kSequenceMax);
  EXPECT_EQ(run(create_sequential("/q/n")).path, "/q/n9999999999");
  for (const Operation& operation :
       {Operation(create_sequential("/q/n")), Operation(MultiOp{{create_queued("/q/n")}})}) {
    const Outcome refused = run(operation);
    EXPECT_EQ(refused.code, ErrorCode::kSequenceExhausted);
    EXPECT_FALSE(refused.message.empty());
  }
  ASSERT_EQ(run(DeleteOp{"/q/n9999999999"}).code, ErrorCode::kOk);
  ASSERT_EQ(run(DeleteOp{"/q/first"}).code, ErrorCode::kOk);
  EXPECT_EQ(run(AcquireOp{"/q", {}}).code, ErrorCode::kSequenceExhausted);
  // Names of their own are still to be had.
  EXPECT_EQ(run(create("/q/name")).code, ErrorCode::kOk);
  EXPECT_EQ(machine_.state.check_consistency(), std::nullopt);
}

}  // namespace
}  // namespace quorate::kv
