// judge_leveldb_log: what a power loss left of a log that LevelDB wrote. A search would not find a checksum
// by itself, so some inputs are fragments that are given right ones.
#include "server/storage/leveldb_log_tail.h"

#include <algorithm>

#include "base/check.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

enum class Made : uint8_t { kAsItIs, kFromFragments, kFromFragmentsThenDamaged, kCount };

constexpr size_t kBlockBytes = 32 << 10, kHeaderBytes = 7;
enum Kind : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// CRC-32C (Castagnoli), a bit at a time, and masked as LevelDB stores it.
uint32_t checksum(std::string_view bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

struct Log {
  std::string content;
  uint64_t whole_bytes = 0;  // the last whole record ends here
  bool in_order = true;      // fragments follow each other as a writer's do
};

// Fragments, one behind the other; a block in which no header fits any more is filled up.
Log log_of(Choices choices) {
  Log log;
  bool inside = false;
  while (choices.more() && log.content.size() < 3 * kBlockBytes) {
    const size_t room = kBlockBytes - log.content.size() % kBlockBytes;
    if (room < kHeaderBytes) {
      log.content.append(room, '\0');
      continue;
    }
    const auto kind = static_cast<uint8_t>(choices.below(6));
    std::string payload(choices.number(2) % (room - kHeaderBytes + 1), 'v');
    payload.replace(0, std::min<size_t>(payload.size(), 16),
                    choices.take(std::min<size_t>(payload.size(), 16)));
    const uint32_t sum = checksum(static_cast<char>(kind) + payload);
    for (int shift = 0; shift < 32; shift += 8) log.content.push_back(static_cast<char>(sum >> shift & 0xff));
    log.content.push_back(static_cast<char>(payload.size() & 0xff));
    log.content.push_back(static_cast<char>(payload.size() >> 8));
    log.content.push_back(static_cast<char>(kind));
    log.content += payload;
    const bool begins = kind == kFull || kind == kFirst;
    log.in_order = log.in_order && kind >= kFull && kind <= kLast && begins != inside;
    inside = kind == kFirst || kind == kMiddle;
    if (log.in_order && !inside) log.whole_bytes = log.content.size();
  }
  return log;
}

void run(std::string_view bytes) {
  Choices choices(bytes);
  const auto made = static_cast<Made>(choices.below(static_cast<uint64_t>(Made::kCount)));
  const uint64_t place = choices.number(4);
  Log log;
  if (made == Made::kAsItIs) {
    log.content = choices.rest();
  } else {
    log = log_of(choices);
  }
  if (made == Made::kFromFragmentsThenDamaged && !log.content.empty())
    log.content[place / 8 % log.content.size()] ^= static_cast<char>(1U << place % 8);
  const auto tail = server::judge_leveldb_log(log.content);
  CHECK(tail.intact_bytes <= log.content.size());
  if (made == Made::kFromFragments && log.in_order) {
    CHECK(!tail.damaged);
    CHECK(tail.intact_bytes == log.whole_bytes);
  }
  // What can be believed can be believed by itself.
  const auto again = server::judge_leveldb_log(std::string_view(log.content).substr(0, tail.intact_bytes));
  CHECK(!again.damaged);
  CHECK(again.intact_bytes == tail.intact_bytes);
}

std::vector<std::string> seeds() {
  const std::string place("\0\0\0\x50", 4);
  const auto fragment = [](uint8_t kind, uint16_t size) {
    std::string text(1, static_cast<char>(kind));
    text.push_back(static_cast<char>(size >> 8));
    text.push_back(static_cast<char>(size & 0xff));
    return text + std::string(std::min<uint16_t>(size, 16), 'p');
  };
  const std::string whole = fragment(kFull, 100) + fragment(kFirst, 32'000) + fragment(kFull, 3);
  const std::string several = fragment(kFirst, 32'761) + fragment(kMiddle, 32'761) + fragment(kLast, 10);
  const std::string filled = fragment(kFull, 32'758) + fragment(kFull, 1);
  std::vector<std::string> seeds;
  for (const std::string& story : {whole, several, filled}) {
    seeds.push_back('\0' + place + log_of(Choices(story)).content);
    seeds.push_back('\1' + place + story);
    seeds.push_back('\2' + place + story);
  }
  return seeds;
}

const Target kTarget("leveldb_log_tail", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
