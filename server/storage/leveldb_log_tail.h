// How much of a log file that LevelDB wrote (a write-ahead log or a manifest) can be believed after a crash.
//
// LevelDB 1.23 itself either drops whatever does not read back or, told to be strict, refuses what a power
// loss may leave: the last, unsynced record with some of its sectors missing. This tells the two apart. Both
// kinds of file are synced after each record, so only the last record can be torn; damage with the beginning
// of a record behind it is in something that had been promised. Damage in the very last record (and in a
// size, where nothing but the rest of its block follows) looks like a torn end: the state hash that is stored
// with each checkpoint, and the index at which the server's log begins, have to tell.
//
// The format: blocks of 32 KiB; in a block fragments of a 7-byte header (checksum of what follows, size,
// kind: full, first, middle, last) and payload; less than 7 bytes at the end of a block are zeroes.
//
// Thread safety: pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace quorate::server {

struct LevelDbLogTail {
  uint64_t intact_bytes = 0;  // whole records end here; what follows, if anything, is torn
  bool damaged = false;       // in what had been synced, at intact_bytes
};

LevelDbLogTail judge_leveldb_log(std::string_view content);

}  // namespace quorate::server
