// The bytes of entries and configurations: what was encoded comes back, and no single bit can change
// unnoticed.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "raft/configuration.h"
#include "raft/entry.h"
#include "tests/raft/cluster.h"

namespace quorate::raft {
namespace {

std::string any_payload() {
  return *rc::gen::resize(80, rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
}

std::vector<Entry> any_block(std::vector<std::string>* payloads, size_t count) {
  std::vector<Proposal> proposals;
  for (size_t i = 0; i < count; ++i) payloads->push_back(any_payload());
  for (const std::string& payload : *payloads) {
    const auto kind = *rc::gen::element(EntryKind::kNoop, EntryKind::kConfiguration, EntryKind::kCommand);
    proposals.push_back({kind, payload});
  }
  const Term term(*rc::gen::arbitrary<uint64_t>());
  const Index first(*rc::gen::inRange<uint64_t>(1, UINT64_MAX / 2));
  return encode_entries(term, first, proposals);
}

std::string join(const std::vector<Entry>& entries) {
  std::string block;
  for (const Entry& entry : entries) block.append(entry.encoded.view());
  return block;
}

RC_GTEST_PROP(EntryCodec, EntriesComeBackAsTheyWere, ()) {
  std::vector<std::string> payloads;
  const std::vector<Entry> entries = any_block(&payloads, *rc::gen::inRange<size_t>(0, 8));
  const auto decoded = decode_entries(Bytes(join(entries)));
  RC_ASSERT(decoded.ok());
  const std::vector<Entry>& found = decoded.value();
  RC_ASSERT(found.size() == entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    RC_ASSERT(found[i].term == entries[i].term);
    RC_ASSERT(found[i].index == entries[i].index);
    RC_ASSERT(found[i].kind == entries[i].kind);
    RC_ASSERT(found[i].payload() == payloads[i]);
  }
}

RC_GTEST_PROP(EntryCodec, EveryFlippedBitIsRefused, ()) {
  std::vector<std::string> payloads;
  std::string block = join(any_block(&payloads, *rc::gen::inRange<size_t>(1, 3)));
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    std::string damaged = block;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto decoded = decode_entries(Bytes(std::move(damaged)));
    RC_ASSERT(decoded.code() == ErrorCode::kCorruption);
  }
}

RC_GTEST_PROP(EntryCodec, EveryCutInsideAnEntryIsRefused, ()) {
  std::vector<std::string> payloads;
  const std::string block = join(any_block(&payloads, 1));
  for (size_t size = 1; size < block.size(); ++size) {
    RC_ASSERT(decode_entries(Bytes(block.substr(0, size))).code() == ErrorCode::kCorruption);
  }
}

Configuration any_configuration() {
  Configuration configuration;
  configuration.cluster_id = ClusterId(*rc::gen::arbitrary<uint64_t>());
  configuration.base_state = *rc::gen::arbitrary<uint64_t>();
  uint32_t id = 0;
  const int count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) {
    id += *rc::gen::inRange<uint32_t>(1, 40);
    configuration.members.push_back({ServerId(id), Incarnation(*rc::gen::arbitrary<uint64_t>()),
                                     *rc::gen::element(MemberRole::kVoter, MemberRole::kLearner),
                                     any_payload()});
  }
  return configuration;
}

RC_GTEST_PROP(ConfigurationCodec, ComesBackAsItWas, ()) {
  const Configuration configuration = any_configuration();
  const auto decoded = decode_configuration(encode_configuration(configuration));
  RC_ASSERT(decoded.ok());
  RC_ASSERT(decoded.value() == configuration);
}

RC_GTEST_PROP(ConfigurationCodec, AnyBytesAreRefusedOrCanonical, ()) {
  std::string bytes = encode_configuration(any_configuration());
  const auto at = *rc::gen::inRange<size_t>(0, bytes.size());
  bytes[at] = *rc::gen::arbitrary<char>();
  const auto decoded = decode_configuration(bytes);
  if (decoded.ok()) {
    RC_ASSERT(encode_configuration(decoded.value()) == bytes);
  } else {
    RC_ASSERT(decoded.code() == ErrorCode::kCorruption);
  }
}

// In the log a configuration stands under its entry's checksum.
RC_GTEST_PROP(ConfigurationCodec, EveryFlippedBitOfItsEntryIsRefused, ()) {
  const Entry entry = testing::make_configuration_entry(any_configuration());
  const std::string bytes(entry.encoded.view());
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    RC_ASSERT(!decode_entries(Bytes(std::move(damaged))).ok());
  }
}

TEST(ConfigurationCodec, RefusesMembersOutOfOrderAndUnknownRoles) {
  Configuration configuration = testing::make_configuration(2);
  std::swap(configuration.members[0], configuration.members[1]);
  EXPECT_EQ(decode_configuration(encode_configuration(configuration)).code(), ErrorCode::kCorruption);
  configuration = testing::make_configuration(1);
  configuration.members[0].role = static_cast<MemberRole>(9);
  EXPECT_EQ(decode_configuration(encode_configuration(configuration)).code(), ErrorCode::kCorruption);
  EXPECT_EQ(decode_configuration("").code(), ErrorCode::kCorruption);
}

}  // namespace
}  // namespace quorate::raft
