#include "raft/entry.h"

#include <cstring>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace quorate::raft {
namespace {

constexpr uint8_t kEntryVersion = 1;
constexpr size_t kSealedBytes = 8;     // size, version, kind: they seed the checksum
constexpr size_t kChecksumOffset = 8;  // of the checksum itself
constexpr size_t kCoveredOffset = 16;  // what follows the checksum

// The first eight bytes go in as the seed, so that one pass over the rest covers the whole entry.
uint64_t entry_checksum(std::string_view entry) {
  uint64_t seed = 0;
  std::memcpy(&seed, entry.data(), kSealedBytes);
  return checksum64(entry.substr(kCoveredOffset), seed);
}

bool known_kind(uint8_t kind) {
  return kind >= static_cast<uint8_t>(EntryKind::kNoop) && kind <= static_cast<uint8_t>(EntryKind::kCommand);
}

Error damaged(std::string what) { return {ErrorCode::kCorruption, "an encoded entry is damaged: " + what}; }

}  // namespace

std::vector<Entry> encode_entries(Term term, Index first, std::span<const Proposal> proposals) {
  size_t total = 0;
  for (const Proposal& proposal : proposals) total += kEntryHeaderBytes + proposal.payload.size();
  auto block = std::make_shared<std::string>();
  block->reserve(total);
  ByteWriter out(*block);
  for (size_t i = 0; i < proposals.size(); ++i) {
    const Proposal& proposal = proposals[i];
    CHECK(proposal.payload.size() <= UINT32_MAX);
    const size_t start = block->size();
    out.u32(static_cast<uint32_t>(proposal.payload.size()));
    out.u8(kEntryVersion);
    out.u8(static_cast<uint8_t>(proposal.kind));
    out.u16(0);
    out.u64(0);
    out.u64(term.value());
    out.u64((first + i).value());
    out.raw(proposal.payload);
    const uint64_t checksum = entry_checksum(std::string_view(*block).substr(start));
    std::memcpy(block->data() + start + kChecksumOffset, &checksum, sizeof(checksum));
  }

  const Bytes all(std::shared_ptr<const std::string>(std::move(block)));
  std::vector<Entry> entries;
  entries.reserve(proposals.size());
  size_t offset = 0;
  for (size_t i = 0; i < proposals.size(); ++i) {
    const size_t size = kEntryHeaderBytes + proposals[i].payload.size();
    entries.push_back({term, first + i, proposals[i].kind, all.slice(offset, size)});
    offset += size;
  }
  return entries;
}

Result<std::vector<Entry>> decode_entries(const Bytes& block) {
  std::vector<Entry> entries;
  size_t offset = 0;
  while (offset < block.size()) {
    const std::string_view rest = block.view().substr(offset);
    ByteReader in(rest);
    const uint64_t payload_bytes = in.u32();
    const uint8_t version = in.u8();
    const uint8_t kind = in.u8();
    const uint16_t zero = in.u16();
    const uint64_t checksum = in.u64();
    const Term term(in.u64());
    const Index index(in.u64());
    if (in.failed() || payload_bytes > in.remaining()) return damaged("its length goes beyond the block");
    const size_t size = kEntryHeaderBytes + payload_bytes;
    if (checksum != entry_checksum(rest.substr(0, size))) return damaged("its checksum does not match");
    if (version != kEntryVersion || !known_kind(kind) || zero != 0) {
      return damaged("its version or kind is not known");
    }
    entries.push_back({term, index, static_cast<EntryKind>(kind), block.slice(offset, size)});
    offset += size;
  }
  return entries;
}

}  // namespace quorate::raft
