// raft::decode_entries: blocks of entries from a peer's message or a frame of the log.
#include <cstring>

#include "base/check.h"
#include "base/checksum.h"
#include "raft/entry.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

constexpr size_t kChecksumOffset = 8, kCoveredOffset = 16;

// Gives every entry the checksum that it should have, so that the search gets behind that.
std::string with_checksums(std::string block) {
  for (size_t at = 0; block.size() - at >= raft::kEntryHeaderBytes;) {
    const std::string_view rest = std::string_view(block).substr(at);
    const size_t size = raft::kEntryHeaderBytes + ByteReader(rest).u32();
    if (size > rest.size()) break;
    const uint64_t checksum = checksum64(rest.substr(0, size).substr(kCoveredOffset), ByteReader(rest).u64());
    std::memcpy(block.data() + at + kChecksumOffset, &checksum, sizeof(checksum));
    at += size;
  }
  return block;
}

// The first byte: are the checksums to be made right?
void run(std::string_view bytes) {
  Choices choices(bytes);
  const bool mended = choices.byte() % 2 == 1;
  const std::string given(choices.rest());
  const Bytes block(mended ? with_checksums(given) : given);
  const auto entries = raft::decode_entries(block);
  if (!entries.ok()) {
    CHECK(entries.code() == ErrorCode::kCorruption && !entries.error().message.empty());
    return;
  }
  // What is accepted is what encoding makes of it.
  std::string again;
  for (const raft::Entry& entry : *entries) {
    const raft::Proposal proposal{entry.kind, entry.payload()};
    again += raft::encode_entries(entry.term, entry.index, {&proposal, 1}).front().encoded.view();
  }
  CHECK(again == block.view());
}

std::vector<std::string> seeds() {
  const std::vector<raft::Proposal> proposals = {{raft::EntryKind::kNoop, ""},
                                                 {raft::EntryKind::kCommand, "a command"},
                                                 {raft::EntryKind::kConfiguration, "members"}};
  std::string block;
  for (const raft::Entry& entry : raft::encode_entries(Term(3), Index(7), proposals)) {
    block += entry.encoded.view();
  }
  return {'\0' + block, '\1' + block, std::string(1, '\0') + block.substr(0, 32)};
}

const Target kTarget("entries", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
