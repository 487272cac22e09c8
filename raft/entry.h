// One entry of the replicated log. It is encoded once, by the leader that proposes it; the same bytes, under their own
// checksum, are in memory, on the wire and on every disk.
//
// Format, little-endian, 32 bytes before the payload:
//   u32 size of the payload | u8 version (1) | u8 kind | u16 zero | u64 checksum of all that follows, seeded with the
//   first 8 bytes | u64 term | u64 index | payload
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace quorate::raft {

enum class EntryKind : uint8_t {
  kNoop = 1,           // a new leader's first entry: commits what earlier terms left (Ongaro 3.6.2)
  kConfiguration = 2,  // who the members are; always the entry with index 1
  kCommand = 3,        // for the state machine
};

inline constexpr size_t kEntryHeaderBytes = 32;

struct Entry {
  Term term;
  Index index;
  EntryKind kind = EntryKind::kNoop;
  Bytes encoded;

  std::string_view payload() const { return encoded.view().substr(kEntryHeaderBytes); }
};

struct Proposal {
  EntryKind kind = EntryKind::kCommand;
  std::string_view payload;
};

// Encodes proposals as consecutive entries from `first` on, all views into one block.
std::vector<Entry> encode_entries(Term term, Index first, std::span<const Proposal> proposals);

// Cuts a block of consecutive encoded entries, as found in a message or in a frame on disk, into views of it.
// Errors: kCorruption where a length, a version or a checksum is wrong or bytes are left over.
Result<std::vector<Entry>> decode_entries(const Bytes& block);

}  // namespace quorate::raft
